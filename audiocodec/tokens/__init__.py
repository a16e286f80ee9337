"""Tokens of speech and music for language models: extraction, a store that can be trusted, and what reads it.

Names are resolved on first use: opening a store imports no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOMES = {
    "StoreHeader": "header",
    "Extractor": "extraction",
    "decode_item": "decoding",
    "extract": "extraction",
    "merge": "edit",
    "split": "edit",
    "TokenItem": "item",
    "TokenStore": "store",
    "TokenWriter": "writer",
}
__all__ = [*_HOMES]  # noqa: PLE0604

if TYPE_CHECKING:
    from .extraction import Extractor as Extractor
    from .extraction import extract as extract
    from .header import StoreHeader as StoreHeader
    from .item import TokenItem as TokenItem
    from .store import TokenStore as TokenStore
    from .writer import TokenWriter as TokenWriter


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'audiocodec.tokens' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
