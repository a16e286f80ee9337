"""What the backends cost and whether they agree: start-up times of commands, and codes of hours of speech.

    python -m benchmarks.backends startup                  wall and CPU times of whole commands, interleaved
    python -m benchmarks.backends startup --rounds 3       fewer of them
    python -m benchmarks.backends codes FOLDER --hours 1   codes of every backend against torch's, frame by frame
    python -m benchmarks.backends codes egs/samples --hours 0.01 --backends numpy

Both write docs/results/backends_*.md. Codes are compared at all codebooks; a frame differs if any of its codes does.
"""

import argparse
import datetime
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

import numpy as np
import soundfile as sf

from audiocodec.audio.io import read_audio
from audiocodec.audio.resample import resample
from audiocodec.compress.models import DEFAULT_MODEL, load_model

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
SAMPLE = ROOT / "egs" / "samples" / "librispeech_2002.flac"
BACKENDS = ("numpy", "onnx", "torch")
SECONDS = 10  # of speech that commands work on
DECODED = 10  # every so many-th recording is decoded too


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    startup = commands.add_parser("startup", help="times of commands")
    startup.add_argument("--rounds", type=int, default=9)
    codes = commands.add_parser("codes", help="codes against torch's")
    codes.add_argument("folder", type=Path, help="recordings, searched with subfolders")
    codes.add_argument("--hours", type=float, default=1.0)
    codes.add_argument("--backends", nargs="+", choices=BACKENDS[:2], default=list(BACKENDS[:2]))
    for command in (startup, codes):
        command.add_argument("--model", default=DEFAULT_MODEL)
        command.add_argument("--hardware", default="2 cores of an AMD EPYC")
    options = parser.parse_args()
    if options.command == "startup":
        text = startup_table(options.rounds, options.model, options.hardware)
    else:
        text = codes_table(options.folder, options.hours, options.backends, options.model, options.hardware)
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"backends_{options.command}.md").write_text(text, encoding="utf-8")
    print(text)


def heading(title: str, hardware: str) -> str:
    """Title, date, hardware and versions."""
    packages = ("numpy", "onnxruntime", "torch")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in packages)
    today = datetime.date.today().isoformat()
    return f"# {title}\n\n{today}, {hardware}, one thread, Python {platform.python_version()}, {versions}.\n\n"


def startup_table(rounds: int, model: str, hardware: str) -> str:
    """Run every command once a round, in turn, and give medians of wall and CPU seconds."""
    with tempfile.TemporaryDirectory() as folder:
        wav, rate = sf.read(SAMPLE, dtype="float32")
        sf.write(f"{folder}/a.wav", wav[: SECONDS * rate], rate)
        work = {("--help", ""): ["--help"], ("info", ""): ["info", f"{folder}/a.anc"]}
        for backend in BACKENDS:
            options = ["--backend", backend, "--model", model, "--force", "--quiet"]
            work["compress 10 s", backend] = ["compress", f"{folder}/a.wav", "-o", f"{folder}/{backend}.anc", *options]
            work["decompress 10 s", backend] = ["decompress", f"{folder}/a.anc", "-o", f"{folder}/b.wav", *options]
        run(["compress", f"{folder}/a.wav", "-o", f"{folder}/a.anc", "--model", model])
        times: dict[tuple[str, str], list[tuple[float, float]]] = {name: [] for name in work}
        for _ in range(rounds):
            for name, arguments in work.items():
                times[name].append(run(arguments))
        made = [Path(folder, f"{backend}.anc").read_bytes() for backend in BACKENDS]
    lines = ["| command | backend | wall, s | least wall, s | CPU, s |", "|---|---|---:|---:|---:|"]
    for (command, backend), measured in sorted(times.items()):
        wall, cpu = (statistics.median(part) for part in zip(*measured, strict=True))
        least = min(wall for wall, _ in measured)
        lines.append(f"| {command} | {backend or '-'} | {wall:.2f} | {least:.2f} | {cpu:.2f} |")
    alike = "are the same, byte for byte" if len(set(made)) == 1 else "DIFFER"
    notes = f"Whole processes, import of Python included; {rounds} interleaved runs, medians unless said otherwise. "
    notes += (
        f"Model {model}. Load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores: on a machine with other work "
    )
    notes += "wall times say little, CPU times much.\n"
    notes += f"The .anc files of {', '.join(BACKENDS)} {alike}.\n"
    return heading("Start-up times", hardware) + "\n".join(lines) + "\n\n" + notes


def run(arguments: Sequence[str]) -> tuple[float, float]:
    """Run `audiocodec` with these arguments in a process of its own; return its wall and CPU seconds."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    script = "from audiocodec.cli.main import main; main()"
    subprocess.run(
        [sys.executable, "-c", script, *arguments], check=True, stdout=subprocess.DEVNULL, env=environment, cwd=ROOT
    )
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def codes_table(folder: Path, hours: float, backends: Sequence[str], model: str, hardware: str) -> str:
    """Encode speech with every backend; count frames whose codes are not torch's, and compare what they decode to."""
    import torch

    torch.set_num_threads(1)
    reference = load_model(model, "torch")
    others = {name: load_model(model, name) for name in backends}  # type: ignore[arg-type]
    seconds, n_frames, n_codes = 0.0, 0, 0
    flipped, largest, cpu = dict.fromkeys(backends, 0), dict.fromkeys(backends, 0.0), dict.fromkeys(BACKENDS, 0.0)
    for index, wav in enumerate(recordings(folder, reference.sample_rate)):
        if seconds >= 3600 * hours:
            break
        items = wav[:, None] if reference.channels == 1 else wav[None]
        begin = time.process_time()
        expected = reference.to_numpy(reference.encode(reference.as_wav(items)))  # type: ignore[arg-type]
        cpu["torch"] += time.process_time() - begin
        seconds += items.shape[0] * items.shape[2] / reference.sample_rate
        n_frames, n_codes = n_frames + expected.shape[0] * expected.shape[2], n_codes + expected.size
        for name, other in others.items():
            begin = time.process_time()
            codes = other.encode(items)  # type: ignore[arg-type]
            cpu[name] += time.process_time() - begin
            flipped[name] += int((codes != expected).any(axis=1).sum())
        if index % DECODED == 0:
            decoded = reference.to_numpy(reference.decode(reference.as_codes(expected)))  # type: ignore[arg-type]
            for name, other in others.items():
                difference = np.abs(other.decode(expected) - decoded)  # type: ignore[arg-type, operator]
                largest[name] = max(largest[name], float(difference.max(initial=0)))
        if index % 50 == 0:
            print(f"{seconds / 3600:.2f} hours: {flipped} of {n_frames} frames differ", file=sys.stderr, flush=True)
    lines = ["| backend | frames with other codes than torch | largest difference of samples | encoding, x real time |"]
    lines += ["|---|---:|---:|---:|"]
    lines += [
        f"| {name} | {flipped[name]} of {n_frames} | {largest[name]:.1e} | {seconds / cpu[name]:.0f} |"
        for name in backends
    ]
    lines.append(f"| torch | - | - | {seconds / cpu['torch']:.0f} |")
    notes = f"{seconds / 3600:.2f} hours of speech, {n_codes} codes at all codebooks of {model}, encoders in float64.\n"
    notes += f"Weights {reference.weights_sha256[:8]}, {reference.config.quantizer.beam} paths. "
    notes += f"Samples are decoded from the same codes, of every {DECODED}th recording. Speeds are of CPU time.\n"
    return heading("Codes of the backends", hardware) + "\n".join(lines) + "\n\n" + notes


def recordings(folder: Path, sample_rate: int) -> Iterator[np.ndarray]:
    """Every recording below a folder, [C, L] at `sample_rate`, those of all its parts in turn."""
    endings = {".flac", ".wav", ".ogg", ".opus"}
    paths = [path for path in folder.rglob("*") if path.suffix.lower() in endings]
    for path in sorted(paths, key=lambda path: (path.stem[::-1], path)):  # sources mix
        wav, rate = read_audio(path)
        yield resample(wav, rate, sample_rate)


if __name__ == "__main__":
    main()
