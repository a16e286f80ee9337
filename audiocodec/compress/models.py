"""Which codec codes a file, with how many codebooks, and whether it is the one that made it."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union

from ..bitstream.container import StreamInfo, Tables
from ..bitstream.tables import load_tables
from ..config.facts import CodecFacts
from ..errors import ConfigError, ModelMismatchError
from ..inference import Backend, InferenceCodec
from ..inference.backends import Precision
from ..pretrained import TABLES_FILE, shipped

if TYPE_CHECKING:
    from ..codec import Codec

DEFAULT_MODEL = "speech-16k"
AnyCodec: TypeAlias = Union["Codec", InferenceCodec]
Model: TypeAlias = Union[str, Path, "Codec", InferenceCodec]


def load_model(
    model: Model, backend: Backend = "auto", beam: int | None = None, precision: Precision = "float64"
) -> AnyCodec:
    """Return the codec that `model` is or names. Not for changing: it may be shared.

    Args:
        model: a codec, or what `Codec.from_pretrained` takes.
        backend: what shall compute it: "numpy", "onnx" (ONNX Runtime) or "torch", all with the same codes in float64;
            "auto" takes NumPy, which is loaded soonest, and ONNX Runtime for float32. A codec that is given computes
            itself.
        beam: paths that encoding follows; None: as many as the model says. A codec that is given knows itself.
        precision: of the encoder. "float32" is faster, but some frames get other codes than elsewhere.
    Raises:
        ConfigError: no such model or backend, no such precision with it, or its packages are not installed.
        ModelMismatchError: the weights do not fit the configuration.
    """
    if isinstance(model, CodecFacts):
        return model
    if str(model) in {folder.name for folder in shipped()}:
        return _load_shipped(str(model), backend, beam, precision)
    return _load(model, backend, beam, precision)


def able(backend: Backend, conceal: bool) -> Backend:
    """The backend to load: "auto" means one that can conceal where that is wanted."""
    return "torch" if backend == "auto" and conceal else backend


def load_torch(model: Union[str, Path, "Codec"]) -> "Codec":
    """As `load_model` with backend "torch": for what needs tensors, gradients or a GPU."""
    return load_model(model, "torch")  # type: ignore[return-value]


def _load(model: str | Path, backend: Backend, beam: int | None, precision: Precision) -> AnyCodec:
    if backend == "auto" and precision == "float32":
        backend = "onnx"
    if backend == "auto":
        try:
            return InferenceCodec.from_pretrained(model, beam=beam)
        except ModelMismatchError:  # weights in bfloat16, which NumPy does not know; or a fault, which torch tells too
            backend = "torch"
    if backend == "torch":
        import torch

        from ..codec import Codec

        return Codec.from_pretrained(model, precision=getattr(torch, precision), beam=beam)
    return InferenceCodec.from_pretrained(model, backend=backend, beam=beam, precision=precision)


@lru_cache(maxsize=2)
def _load_shipped(name: str, backend: Backend, beam: int | None, precision: Precision) -> AnyCodec:
    """Load a model that cannot change while the program runs, once for many files."""
    return _load(name, backend, beam, precision)


def model_of(info: StreamInfo, model: Model | None, name: str, backend: Backend = "auto") -> AnyCodec:
    """Return the codec that made a file, and make sure of it.

    Args:
        info: header of the file.
        model: the codec, its folder or name; None: the shipped one that the file names. The file's word is only ever
            compared with the names of shipped models: it leads to no path and to no network.
        name: what messages call the file.
        backend: see `load_model`.
    Raises:
        ModelMismatchError: the file was made by another model, or by one that must be given.
    """
    if model is None:
        names = [folder.name for folder in shipped()]
        if info.model_name not in names:
            raise ModelMismatchError(
                f"{name}: was made by model {info.model_name!r} (weights {info.weights_sha256.hex()[:8]}), which is "
                f"not shipped (shipped: {', '.join(names) or 'none'}); give its folder: --model DIR, in Python model="
            )
        model = info.model_name
    codec = load_model(model, backend)
    try:
        info.check_model(codec.name, bytes.fromhex(codec.weights_sha256), bytes.fromhex(codec.config_sha256))
    except ModelMismatchError as error:
        raise ModelMismatchError(f"{name}: {error}: --model DIR, in Python model=") from error
    facts = (info.sample_rate, info.hop_length, info.codec_channels, set(info.alphabet_sizes))
    if facts != (codec.sample_rate, codec.hop_length, codec.channels, {codec.codebook_size}) or info.n_q > codec.n_q:
        # Headers hold 4 bytes of each hash: no accident, but a forger could meet them.
        raise ModelMismatchError(f"{name}: its header contradicts model {codec.name!r}, which it claims to be made by")
    return codec


def tables_of(codec: AnyCodec) -> Tables | None:
    """Return the entropy tables that lie beside a codec's weights, if any."""
    path = codec.folder / TABLES_FILE if codec.folder is not None else None
    return load_tables(path) if path is not None and path.is_file() else None


def choose_n_q(codec: AnyCodec, channels: int, bitrate: float | None, n_q: int | None) -> int:
    """Return how many codebooks to use.

    Args:
        codec: says what its codebooks cost.
        channels: of the recording.
        bitrate: at most so many bit/s for all channels, nominal (codes only); or None.
        n_q: so many; or None: all.
    Raises:
        ConfigError: both are given, or less is asked than one codebook costs.
    """
    if bitrate is None or n_q is not None:
        if bitrate is not None:
            raise ConfigError("give a bitrate or a number of codebooks, not both")
        return codec.check_n_q(n_q)
    n_streams = -(-channels // codec.channels)
    rates = [n_streams * codec.bitrate(k) for k in range(1, codec.n_q + 1)]
    fitting = [k for k, rate in enumerate(rates, 1) if rate <= bitrate * (1 + 1e-9)]
    if not fitting:
        listed = ", ".join(f"{rate / 1000:.4g}" for rate in rates)
        recording = "one channel" if channels == 1 else f"{channels} channels"
        raise ConfigError(
            f"{bitrate / 1000:g} kbit/s is too little: model {codec.name!r} codes {recording} at {listed} kbit/s"
        )
    return fitting[-1]
