"""Neural audio codec toolkit: residual DiVeQ quantization, exact streaming, an archival file format.

Public names are resolved on first use (PEP 562), so `import audiocodec` costs no import of torch.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Codec": "codec",
    "DecoderPool": "pool",
    "DecoderState": "streaming",
    "EncoderPool": "pool",
    "EncoderState": "streaming",
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
    from .pool import DecoderPool, EncoderPool
    from .streaming import DecoderState, EncoderState, StreamingDecoder, StreamingEncoder


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'audiocodec' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


class _Package(ModuleType):
    """Importing a submodule binds its name in the package; `audiocodec.compress` stays the function all the same.

    What else is in the module comes by `from audiocodec.compress import compress_file`.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _HOMES or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __dir__() -> list[str]:
    return sorted(__all__)
