"""What all exporters share: a folder that appears when it is whole, the items, a file that says what they are."""

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ConfigError
from ..item import TokenItem
from ..store import TokenStore
from ..views import View, first_sizes

EXPORT_FILE = "export.json"


@dataclass(frozen=True)
class Summary:
    """What an export wrote."""

    folder: Path
    items: int
    frames: int
    files: int
    size_bytes: int


@dataclass
class Job:
    """One export at work.

    Args:
        store: what to export.
        folder: where to write.
        out: the name that `folder` gets in the end, for formats whose files name each other.
        n_q: codebooks, the first ones; None: all.
        progress: called with (items done, items in all).
    """

    store: TokenStore
    folder: Path
    out: Path
    n_q: int | None
    progress: Callable[[int, int], None]
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sizes = first_sizes(self.store.header.codebook_sizes, self.n_q)

    def items(self) -> Iterator[tuple[int, TokenItem]]:
        """Number and item, one after the other, telling the progress."""
        total = len(self.store)
        self.progress(0, total)
        for number, item in enumerate(self.store):
            yield number, item
            self.progress(number + 1, total)

    def codes(self, item: TokenItem) -> np.ndarray:
        """The codes to export: [n_q, T] uint16."""
        return item.codes[: len(self.sizes)]

    def describe(self, format: str, options: dict[str, Any]) -> None:
        """Write `export.json`."""
        tree = {
            "format": f"audiocodec tokens, {format}",
            "items": len(self.store),
            "codebook_sizes": list(self.sizes),
            "options": {key: str(value) if isinstance(value, Path) else value for key, value in options.items()},
            **self.facts,
            "store": {"sha256": self.store.hash, "header": json.loads(self.store.header.to_json())},
        }
        (self.folder / EXPORT_FILE).write_text(json.dumps(tree, indent=1) + "\n", encoding="utf-8")

    def declare(self, view: View, **facts: Any) -> None:
        """Note the vocabulary and order of ids that are no raw codes."""
        self.facts["view"] = {
            **facts,
            "bos": view.bos,
            "eos": view.eos,
            "vocabulary": view.vocabulary.to_dict(),
        }

    def summary(self) -> Summary:
        """Count what was written."""
        sizes = [path.stat().st_size for path in self.folder.rglob("*") if path.is_file()]
        frames = int(self.store.lengths.sum())
        return Summary(self.out, len(self.store), frames, len(sizes), sum(sizes))


def item_facts(item: TokenItem) -> dict[str, Any]:
    """What the store knows of an item besides its codes, as plain JSON."""
    return {
        "id": item.id,
        "source": item.source,
        "offset": item.row.offset,
        "samples": item.samples,
        "sample_rate": item.sample_rate,
        "channel": item.row.channel,
        "frames": item.frames,
        "note": item.row.note,
        "fields": item.fields,
    }


def check_shard_items(shard_items: int) -> None:
    """Refuse shards of no items.

    Raises:
        ConfigError: below 1.
    """
    if shard_items < 1:
        raise ConfigError(f"shard_items={shard_items}: expected 1 or more")


@contextmanager
def output_folder(out: Path, overwrite: bool) -> Iterator[Path]:
    """A new folder beside `out` that gets this name when the block ends without an error, and goes when it does not.

    Raises:
        ConfigError: `out` is there, and may not be replaced or is no earlier export.
    """
    if out.exists() or out.is_symlink():
        empty = out.is_dir() and not any(out.iterdir())
        earlier = (out / EXPORT_FILE).is_file()
        if not empty and not (overwrite and earlier):
            advice = "add --force to replace it" if earlier else "it is no earlier export and is left as it is"
            raise ConfigError(f"{out}: exists already; choose another name ({advice})")
    out.absolute().parent.mkdir(parents=True, exist_ok=True)
    part = out.absolute().with_name(f".{out.name[:80]}-{secrets.token_hex(8)}.part")
    part.mkdir()
    try:
        yield part
        if out.exists():
            old = part.with_suffix(".old")
            os.replace(out, old)
            os.replace(part, out)
            shutil.rmtree(old)
        else:
            os.replace(part, out)
    finally:
        if part.exists():
            shutil.rmtree(part)
