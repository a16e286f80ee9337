"""A shard on disk: codes, index and a marker that says both are whole. What has no marker does not exist.

000042.codes      raw uint16, little-endian, frame after frame
000042.parquet    one row an item (index.py)
000042.done       JSON: sizes and SHA-256 of the other two; written last
"""

import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from ..audio.atomic import atomic_output
from ..errors import BitstreamError
from .index import ERROR, OK, Row, rows_sha256, write_index

CODES, INDEX, DONE = ".codes", ".parquet", ".done"
CODE = np.dtype("<u2")
_DONE_NAME = re.compile(r"(\d{6,12})\.done")


@dataclass(frozen=True, slots=True)
class Marker:
    """What a shard holds.

    Args:
        items: that have codes.
        failed: that have none.
        frames: of all items.
        seconds: of audio that was coded, all channels.
        codes_bytes, codes_sha256: of the file of codes.
        index_bytes, index_sha256: of the index file.
        rows_sha256: of what the index says, see `index.rows_sha256`.
    """

    items: int
    failed: int
    frames: int
    seconds: float
    codes_bytes: int
    codes_sha256: str
    index_bytes: int
    index_sha256: str
    rows_sha256: str

    def to_json(self) -> str:
        """The text of a marker file."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, name: str | Path) -> Self:
        """Read a marker.

        Raises:
            BitstreamError: it is none.
        """
        try:
            tree: dict[str, Any] = json.loads(text)
            marker = cls(**tree)
            counts = (marker.items, marker.failed, marker.frames, marker.codes_bytes, marker.index_bytes)
            if not all(isinstance(count, int) and count >= 0 for count in counts):
                raise ValueError("a count is no whole number")
            if not all(isinstance(s, str) for s in (marker.codes_sha256, marker.index_sha256, marker.rows_sha256)):
                raise ValueError("a SHA-256 is no text")
        except (ValueError, TypeError) as error:
            raise BitstreamError(f"{name}: is no marker of a shard ({error}); delete it and run again") from None
        return marker


def shard_path(folder: Path, number: int, suffix: str) -> Path:
    """Where a file of a shard lies."""
    return folder / f"{number:06d}{suffix}"


def finished(folder: Path) -> list[int]:
    """Numbers of the shards that have a marker, in order."""
    if not folder.is_dir():
        return []
    return sorted(int(match[1]) for path in folder.iterdir() if (match := _DONE_NAME.fullmatch(path.name)))


def read_marker(folder: Path, number: int) -> Marker | None:
    """The marker of a shard; None while it has none.

    Raises:
        BitstreamError: it cannot be understood.
    """
    path = shard_path(folder, number, DONE)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        text = ""
    return Marker.from_json(text, path)


def write_shard(folder: Path, number: int, rows: Sequence[Row], codes: Sequence[np.ndarray]) -> Marker:
    """Write a shard; whoever writes the same shard at the same time writes the same bytes, so neither does harm.

    Args:
        folder: of the shards.
        number: of this one.
        rows: in their final order; `start` and `frames` are set here.
        codes: [K, T] for each row that is not an error, in the same order.
    Returns:
        what was written.
    """
    rows, body = _lay_out(rows, codes)
    index = write_index(rows)
    good = [row for row in rows if row.status == OK]
    marker = Marker(
        items=len(good),
        failed=sum(row.status == ERROR for row in rows),
        frames=sum(row.frames for row in good),
        seconds=math.fsum(row.samples / row.sample_rate for row in good if row.samples),
        codes_bytes=len(body),
        codes_sha256=hashlib.sha256(body).hexdigest(),
        index_bytes=len(index),
        index_sha256=hashlib.sha256(index).hexdigest(),
        rows_sha256=rows_sha256(rows),
    )
    for suffix, data in ((CODES, body), (INDEX, index), (DONE, marker.to_json().encode())):
        with atomic_output(shard_path(folder, number, suffix), overwrite=True) as file:
            file.write(data)
    return marker


def _lay_out(rows: Sequence[Row], codes: Sequence[np.ndarray]) -> tuple[list[Row], bytes]:
    """Rows with their places, and the codes one after the other as bytes."""
    placed, parts, start, rest = [], [], 0, iter(codes)
    for row in rows:
        frames = 0
        if row.status == OK:
            item = next(rest)
            frames = item.shape[1]
            parts.append(np.ascontiguousarray(item.T, dtype=CODE).tobytes())
        placed.append(replace(row, start=start, frames=frames))
        start += frames
    return placed, b"".join(parts)
