"""Filling a store item by item, from codes that are there already."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from ..audio.atomic import atomic_output
from ..errors import ConfigError, ShapeError
from .header import StoreHeader
from .index import ERROR, Row
from .shards import CODE, finished, write_shard
from .store import HEADER_FILE, SHARDS_FOLDER, TokenStore, id_hash, read_header

SHARD_FRAMES = 1 << 21  # 12 hours at 50 Hz; 50 MB with 12 codebooks
SHARD_ITEMS = 1 << 16


class TokenWriter:
    """Adds items to a store, which is made where there is none. Use as a context; what an error ends is not written.

    with TokenWriter("tokens", StoreHeader.of(codec)) as writer:
        writer.add("talk", codes, samples=48000, sample_rate=16000, fields={"text": "..."})

    A shard appears once it is full or the context is left, never in part. Only one writer may work on a store.

    Args:
        path: the store's folder.
        header: of the codes to come.
        shard_frames: a shard is closed when it holds so many frames.
    Raises:
        ModelMismatchError: the store is there and holds codes of another codec.
    """

    def __init__(self, path: str | Path, header: StoreHeader, *, shard_frames: int = SHARD_FRAMES):
        self.path, self.header, self._shard_frames = Path(path), header, shard_frames
        create(self.path, header)
        self._folder = self.path / SHARDS_FOLDER
        numbers = finished(self._folder)
        self._number = numbers[-1] + 1 if numbers else 0
        self._earlier = TokenStore(self.path)
        self._ids: set[np.uint64] = set()
        self._start()

    def _start(self) -> None:
        self._rows: list[Row] = []
        self._codes: list[np.ndarray] = []
        self._frames = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()

    def add(
        self,
        id: str,
        codes: np.ndarray,
        *,
        samples: int | None = None,
        sample_rate: int | None = None,
        source: str = "",
        offset: int = 0,
        channel: int = 0,
        note: str = "",
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        """Add an item.

        Args:
            id: unique in the store.
            codes: [K, T] whole numbers, code k below `header.codebook_sizes[k]`.
            samples: of the audio, at `sample_rate`; default: T frames of the codec.
            sample_rate: of the audio, Hz; default: the codec's.
            source, offset, channel, note, fields: see `index.Row`.
        Raises:
            ShapeError: codes of another shape, or impossible ones.
            ConfigError: the id is taken.
        """
        codes = np.asarray(codes)
        self._check(id, codes)
        row = Row(
            id=id,
            source=source,
            offset=offset,
            samples=codes.shape[1] * self.header.hop_length if samples is None else samples,
            sample_rate=sample_rate or self.header.sample_rate,
            channel=channel,
            start=0,
            frames=0,
            note=note,
            fields=dict(fields or {}),
        )
        self.put(row, codes)

    def fail(self, id: str, error: str, *, source: str = "", fields: Mapping[str, Any] | None = None) -> None:
        """Note an item that has no codes, and why."""
        row = Row(id, source, 0, 0, 0, 0, 0, 0, status=ERROR, error=error or "failed", fields=dict(fields or {}))
        self.put(row, None)

    def close(self) -> None:
        """Write what is not written yet; afterwards the writer may go on with a new shard."""
        if self._rows:
            write_shard(self._folder, self._number, self._rows, self._codes)
            self._number += 1
            self._start()

    def put(self, row: Row, codes: np.ndarray | None) -> None:
        """Add an item by its row, such as one from another store; `codes` None: it has none.

        Raises:
            ConfigError: the id is taken.
        """
        key = id_hash(row.id)
        if key in self._ids or row.id in self._earlier:
            raise ConfigError(f"{row.id!r}: an item of {self.path} has this id already; ids are unique in a store")
        self._ids.add(key)
        self._rows.append(row)
        if codes is not None:
            self._codes.append(codes.astype(CODE))
            self._frames += codes.shape[1]
        if self._frames >= self._shard_frames or len(self._rows) >= SHARD_ITEMS:
            self.close()

    def _check(self, id: str, codes: np.ndarray) -> None:
        sizes = self.header.codebook_sizes
        if codes.ndim != 2 or codes.shape[0] != len(sizes) or codes.dtype.kind not in "iu":
            raise ShapeError(
                f"{id}: codes are {codes.dtype} {list(codes.shape)}; expected whole numbers [{len(sizes)}, T]"
            )
        for number, (size, some) in enumerate(zip(sizes, codes, strict=True), start=1):
            if some.size and not 0 <= int(some.min()) <= int(some.max()) < size:
                raise ShapeError(
                    f"{id}: codebook {number} holds {some.min()} to {some.max()}; allowed are 0 to {size - 1}"
                )


def create(path: Path, header: StoreHeader) -> None:
    """Make an empty store, or make sure that the one which is there takes codes of `header`.

    Raises:
        ModelMismatchError: it holds codes of another codec.
        ConfigError: the folder holds something else.
    """
    if (path / HEADER_FILE).exists():
        read_header(path).check_same(header, path)
        return
    if path.exists() and (not path.is_dir() or any(p for p in path.iterdir() if not p.name.startswith("."))):
        raise ConfigError(f"{path}: exists and is no token store; name a new or empty folder")
    (path / SHARDS_FOLDER).mkdir(parents=True, exist_ok=True)
    with atomic_output(path / HEADER_FILE, overwrite=True) as file:
        file.write(header.to_json().encode())
