"""`audiocodec doctor`: does this installation work, and if not, what cures it."""

import importlib.util
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from .. import __version__
from ..errors import CodecError
from ..pretrained import shipped
from . import console
from .models import read_model

OPTIONAL = {
    "train": ("accelerate", "torchaudio", "tensorboard"),
    "eval": ("pesq", "pystoi", "matplotlib", "jinja2"),
}
FORMATS = ("WAV", "FLAC", "OGG", "MP3")


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found. `fail`: compressing or decompressing does not work; `warn`: something else may not."""

    name: str
    status: Literal["ok", "warn", "fail"]
    found: str
    cure: str = ""


def doctor(
    json: Annotated[bool, typer.Option("--json", help="One JSON object with all checks.")] = False,
) -> None:
    """Check this installation; exit 1 if something that matters is broken."""
    checks: list[Check] = []
    for check in CHECKS:
        for result in check():
            checks.append(result)
            if not json:
                print(describe(result), flush=True)
    healthy = all(check.status != "fail" for check in checks)
    if json:
        console.print_json({"ok": healthy, "checks": checks})
    if not healthy:
        raise typer.Exit(1)


def describe(check: Check) -> str:
    """Return the lines that `audiocodec doctor` prints for one check."""
    line = f"{check.status:<4}  {check.name:<12}  {check.found}"
    return f"{line}\n{'':20}cure: {check.cure}" if check.cure else line


def check_versions() -> Iterator[Check]:
    """Report the versions of the package, of Python and of the machine's system."""
    system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"
    yield Check("audiocodec", "ok", f"{__version__}, Python {platform.python_version()}, {system}")


def check_torch() -> Iterator[Check]:
    """Check that PyTorch imports, and report its build, threads, flush-to-zero and GPU."""
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Check("torch", "fail", one_line(error), "reinstall it: pip install --force-reinstall torch")
        return
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build"
    yield Check("torch", "ok", f"{torch.__version__}, {build}, {torch.get_num_threads()} threads")
    yield check_denormals()
    yield check_gpu()


def check_denormals() -> Check:
    """Try to have this CPU treat numbers near zero as zero; without that, near-silence is computed very slowly."""
    import torch

    supported = torch.set_flush_denormal(True)
    torch.set_flush_denormal(False)
    if supported:
        return Check("denormals", "ok", "can be flushed to zero")
    return Check("denormals", "warn", "this CPU cannot flush them to zero: near-silence may be coded slowly")


def check_gpu() -> Check:
    """Report the GPU that PyTorch would use, or why it does not use the one that is there."""
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        return Check("gpu", "ok", ", ".join(names))
    if shutil.which("nvidia-smi") is None:
        return Check("gpu", "ok", "none; the CPU is used")
    if torch.version.cuda is None:
        cure = "for the GPU: pip install --force-reinstall torch (see https://pytorch.org/get-started/locally)"
        return Check("gpu", "warn", "an NVIDIA driver is here, but this PyTorch is a CPU build", cure)
    return Check("gpu", "warn", "an NVIDIA driver is here, but PyTorch finds no usable GPU", "check: nvidia-smi")


def check_soundfile() -> Iterator[Check]:
    """Check that soundfile imports and that its libsndfile knows the formats that the documentation promises."""
    try:
        import soundfile
    except (ImportError, OSError) as error:
        yield Check("soundfile", "fail", one_line(error), "pip install --force-reinstall soundfile")
        return
    missing = [name for name in FORMATS if name not in soundfile.available_formats()]
    found = f"{soundfile.__version__}, {soundfile.__libsndfile_version__}, reads {', '.join(FORMATS)}"
    if not missing:
        yield Check("soundfile", "ok", found)
    else:
        cure = "install the wheel of PyPI, which has its own libsndfile: pip install --force-reinstall soundfile"
        yield Check("soundfile", "warn", f"its libsndfile does not know {', '.join(missing)}", cure)


def check_models() -> Iterator[Check]:
    """Check every shipped model; see `check_model`."""
    folders = shipped()
    if not folders:
        cure = "reinstall audiocodec, or name a model of your own: --model FOLDER"
        yield Check("models", "fail", "none comes with this installation", cure)
    for folder in folders:
        check = check_model(folder)
        yield check
        if check.status != "fail":
            yield check_codes(folder)


def check_model(folder: Path) -> Check:
    """Compare a model's weights with the checksum on its card, load it, and send one second of a tone through it."""
    name, cure = folder.name, "reinstall audiocodec: a file of the model is missing or was changed"
    try:
        model = read_model(folder)
        if model.weights_sha256_on_card not in (None, model.weights_sha256):
            found = f"weights SHA-256 is {model.weights_sha256}, its card says {model.weights_sha256_on_card}"
            return Check(name, "fail", found, cure)
        decodes = decodes_tone(folder)
    except (CodecError, ImportError, OSError) as error:
        return Check(name, "fail", one_line(error), cure)
    if not decodes:
        return Check(name, "fail", "loads, but does not decode a tone to finite samples of its length", cure)
    if model.weights_sha256_on_card is None:
        return Check(name, "warn", "loads and decodes; its card states no checksum to compare with")
    return Check(name, "ok", f"loads and decodes; weights SHA-256 {model.weights_sha256} as its card says")


def decodes_tone(folder: Path) -> bool:
    """Return whether the model in `folder` decodes one second of a tone to finite samples of that length."""
    import torch

    from ..codec import Codec

    codec = Codec.from_pretrained(folder)
    time_s = torch.arange(codec.sample_rate) / codec.sample_rate
    tone = 0.3 * torch.sin(2 * torch.pi * 440 * time_s).expand(1, codec.channels, -1)
    decoded = codec.decode(codec.encode(tone), length=codec.sample_rate)
    return decoded.shape == tone.shape and bool(torch.isfinite(decoded).all())


def light_backends() -> list[Literal["numpy", "onnx"]]:
    """What else than torch computes networks here."""
    has_onnx = all(importlib.util.find_spec(name) is not None for name in ("onnx", "onnxruntime"))
    return ["numpy", "onnx"] if has_onnx else ["numpy"]


def check_codes(folder: Path) -> Check:
    """Code a few seconds in several ways, which must give the same codes; count how many float32 gives otherwise."""
    import torch

    from .. import equality, speed
    from ..codec import Codec
    from ..inference import InferenceCodec

    codec = Codec.from_pretrained(folder)
    wavs = [speed.signal(codec, seconds, seed)[0] for seed, seconds in enumerate((3.0, 1.3, 0.4))]
    expected = equality.whole(codec, wavs)
    ways = {
        "in a batch": equality.batched(codec, wavs),
        "in pieces": [equality.pushed(codec, wav, 1009) for wav in wavs],
        "in a pool": equality.pooled(codec, wavs),
    }
    for backend in light_backends():
        light = InferenceCodec.from_pretrained(folder, backend=backend)
        ways[f"by {backend}"] = equality.whole(light, wavs)
    frames = sum(codes.shape[-1] for codes in expected)
    name, wrong = f"{folder.name} codes", {way: equality.differing(expected, found)[1] for way, found in ways.items()}
    if any(wrong.values()):
        counts = ", ".join(f"{count} {way}" for way, count in wrong.items())
        return Check(name, "fail", f"of {frames} frames otherwise than whole: {counts}", "please report this")
    fast = Codec.from_pretrained(folder, precision=torch.float32)
    float32 = []
    if fast.frozen().precision == torch.float32:
        float32.append(f"float32 codes {equality.differing(expected, equality.whole(fast, wavs))[1]} of them otherwise")
    else:
        float32.append("float32 by PyTorch is not reproducible here and not used")
    if "onnx" in light_backends():
        light = InferenceCodec.from_pretrained(folder, backend="onnx", precision="float32")
        float32.append(f"by ONNX Runtime {equality.differing(expected, equality.whole(light, wavs))[1]}")
    return Check(name, "ok", f"{frames} frames alike whole, {', '.join(ways)}; {', '.join(float32)}")


def check_writing() -> Iterator[Check]:
    """Check that files can be made in the current and in the temporary folder."""
    import tempfile

    for name, folder in (("writing", Path.cwd()), ("temporary", Path(tempfile.gettempdir()))):
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"audiocodec")
            yield Check(name, "ok", str(folder))
        except OSError as error:
            cure = (
                "work in a folder of yours, or name outputs elsewhere: -o FILE" if name == "writing" else "set TMPDIR"
            )
            yield Check(name, "warn", f"{folder}: {error.strerror}", cure)


def check_extras() -> Iterator[Check]:
    """Report which packages for training and evaluation are there; without them the rest works."""
    from importlib import metadata  # slow: not for every command

    for extra, packages in OPTIONAL.items():
        missing = [package for package in packages if importlib.util.find_spec(package) is None]
        if missing:
            cure = f"only if you need it: pip install 'audiocodec[{extra}]'"
            yield Check(f"extra {extra}", "ok", f"not installed: {', '.join(missing)}", cure)
        else:
            yield Check(f"extra {extra}", "ok", ", ".join(f"{name} {metadata.version(name)}" for name in packages))
    if importlib.util.find_spec("torchaudio") is not None:
        yield check_torchaudio()


def check_torchaudio() -> Check:
    """Import torchaudio, whose wheel links CUDA and fails beside a CPU build of PyTorch; training needs it."""
    try:
        import torchaudio
    except (ImportError, OSError) as error:
        spec = importlib.util.find_spec("torchaudio")
        library = Path(spec.origin).parent / "lib" if spec is not None and spec.origin else Path("torchaudio/lib")
        cure = f"its compiled extensions need CUDA and we need none of them: rm {library}/*.so"
        return Check("torchaudio", "warn", f"does not import: {root_cause(error)}", cure)
    return Check("torchaudio", "ok", f"{torchaudio.__version__} imports")


def one_line(error: BaseException) -> str:
    """Return an error's message as one line."""
    return " ".join(console.describe_error(error).split())


def root_cause(error: BaseException) -> str:
    """Return the message of the error that started a chain of errors, as one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return one_line(error)


CHECKS: tuple[Callable[[], Iterator[Check]], ...] = (
    check_versions,
    check_torch,
    check_soundfile,
    check_models,
    check_writing,
    check_extras,
)
