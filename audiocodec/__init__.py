"""Neural audio codec toolkit: residual DiVeQ quantization, exact streaming, an archival file format.

Public names are resolved on first use (PEP 562), so `import audiocodec` costs no import of torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Codec": "codec",
    "Reconstruction": "codec",
    "StreamingDecoder": "streaming",
    "StreamingEncoder": "streaming",
    "compress": "compress",
    "decompress": "compress",
}
__all__ = [*_HOMES, "__version__"]  # noqa: PLE0604

if TYPE_CHECKING:
    from .codec import Codec, Reconstruction
    from .compress import compress, decompress
    from .streaming import StreamingDecoder, StreamingEncoder


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'audiocodec' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value  # also replaces the submodule of the same name (`audiocodec.compress`) by the function
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
