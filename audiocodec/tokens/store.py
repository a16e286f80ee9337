"""A token store opened for reading: items by number or name, any stretch of frames without reading the rest."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from ..errors import BitstreamError, CodecError, ConfigError
from .header import StoreHeader
from .index import ERROR, OK, Index, Row
from .item import TokenItem
from .shards import CODE, CODES, INDEX, Marker, finished, read_marker, shard_path

if TYPE_CHECKING:
    pass

HEADER_FILE, SHARDS_FOLDER = "header.json", "shards"
_OPEN_SHARDS = 64  # whose indices are kept in memory and codes mapped; a mapping costs a file descriptor


class TokenStore:
    """The codes of many recordings on disk.

    store = TokenStore("tokens")
    for item in store:
        item.id, item.codes                       # codes [K, T] uint16
    store[17].read(500, 100)                      # frames 500 to 599 of item 17, [K, 100]
    store["talks/monday#1"]                       # by id

    Only finished shards are seen, so a store can be read while it is filled; open it again to see what came since.
    It can be pickled and shared with worker processes: what is open is opened there anew.

    Args:
        path: the store's folder.
    Raises:
        ConfigError: there is no store.
        BitstreamError: its header or a marker is damaged.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.header = read_header(self.path)
        self.shards = self.path / SHARDS_FOLDER
        self.shard_numbers = finished(self.shards)
        self.markers = [self._marker(number) for number in self.shard_numbers]
        self._ends = np.cumsum([marker.items for marker in self.markers], dtype=np.int64)
        self._position = {number: i for i, number in enumerate(self.shard_numbers)}
        self._forget()

    def _forget(self) -> None:
        self._indices: OrderedDict[int, tuple[Index, np.ndarray]] = OrderedDict()
        self._maps: OrderedDict[int, np.ndarray] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        hidden = ("_indices", "_maps", "_places")
        return {key: value for key, value in self.__dict__.items() if key not in hidden}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def __repr__(self) -> str:
        return f"TokenStore({str(self.path)!r}: {len(self)} items, {self.hours:.2f} h)"

    # -- facts ---------------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Items that have codes."""
        return int(self._ends[-1]) if len(self._ends) else 0

    @property
    def n_failed(self) -> int:
        """Items that have none."""
        return sum(marker.failed for marker in self.markers)

    @property
    def hours(self) -> float:
        """Of audio, channels counted one by one."""
        return sum(marker.seconds for marker in self.markers) / 3600

    @property
    def n_frames(self) -> int:
        """Of all items."""
        return sum(marker.frames for marker in self.markers)

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of what the store says: its header, and codes and rows of every shard.

        Equal for equal content, whichever engine, batch size, number of workers or version of pyarrow wrote it.
        """
        digest = hashlib.sha256(self.header.sha256.encode())
        for number, marker in zip(self.shard_numbers, self.markers, strict=True):
            digest.update(f"\n{number} {marker.codes_sha256} {marker.rows_sha256}".encode())
        return digest.hexdigest()

    @cached_property
    def lengths(self) -> np.ndarray:
        """[items] int64: frames of every item, to draw crops and plan batches from."""
        parts = [self.index(number).numbers("frames")[self._good(number)] for number in self.shard_numbers]
        return np.concatenate([np.zeros(0, np.int64), *parts])

    # -- items ---------------------------------------------------------------------------------------------------------

    @overload
    def __getitem__(self, key: int | str) -> TokenItem: ...
    @overload
    def __getitem__(self, key: slice) -> list[TokenItem]: ...
    def __getitem__(self, key: int | str | slice) -> TokenItem | list[TokenItem]:
        """The item of a number (negative counts from the end) or id; items of a slice.

        Raises:
            IndexError: no such number.
            KeyError: no such id.
        """
        if isinstance(key, slice):
            return [self[i] for i in range(*key.indices(len(self)))]
        if isinstance(key, str):
            return self._by_id(key)
        number = int(key) + (len(self) if key < 0 else 0)
        if not 0 <= number < len(self):
            raise IndexError(f"item {key}: {self.path} has {len(self)} items")
        position = int(np.searchsorted(self._ends, number, side="right"))
        shard = self.shard_numbers[position]
        row = self._good(shard)[number - (int(self._ends[position - 1]) if position else 0)]
        return TokenItem(self, shard, self.index(shard).row(int(row)))

    def __iter__(self) -> Iterator[TokenItem]:
        """Items in order: that of the manifest."""
        for shard in self.shard_numbers:
            for row in self.index(shard).rows():
                if row.status == OK:
                    yield TokenItem(self, shard, row)

    def __contains__(self, key: str) -> bool:
        """Whether an item with this id has codes."""
        try:
            self._by_id(key)
        except KeyError:
            return False
        return True

    def failures(self) -> Iterator[Row]:
        """Rows of the items that have no codes; `error` says why."""
        for shard, marker in zip(self.shard_numbers, self.markers, strict=True):
            if marker.failed:
                yield from (row for row in self.index(shard).rows() if row.status == ERROR)

    def _by_id(self, key: str) -> TokenItem:
        hashes, shards, rows = self._places
        wanted = id_hash(key)
        at = int(np.searchsorted(hashes, wanted))
        while at < len(hashes) and hashes[at] == wanted:
            row = self.index(int(shards[at])).row(int(rows[at]))
            if row.id == key:
                return TokenItem(self, int(shards[at]), row)
            at += 1
        raise KeyError(f"{key!r}: no item of {self.path} has this id")

    @cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Hashes of all ids, sorted, and shard and row of each: 16 bytes an item."""
        parts = []
        for shard in self.shard_numbers:
            good = self._good(shard)
            ids = self.ids(shard)
            hashes = np.array([id_hash(ids[row]) for row in good], dtype=np.uint64)
            parts.append((hashes, np.full(len(good), shard, np.int32), good.astype(np.int32)))
        if not parts:
            return np.zeros(0, np.uint64), np.zeros(0, np.int32), np.zeros(0, np.int32)
        hashes, shards, rows = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        order = np.argsort(hashes, kind="stable")
        return hashes[order], shards[order], rows[order]

    # -- files ---------------------------------------------------------------------------------------------------------

    def index(self, shard: int) -> Index:
        """The index of a finished shard."""
        return self._indexed(shard)[0]

    def ids(self, shard: int) -> list[str]:
        """The ids of all rows of a finished shard, failed ones too."""
        ids: list[str] = self.index(shard).table.column("id").to_pylist()
        return ids

    def _good(self, shard: int) -> np.ndarray:
        """Rows of a shard that have codes."""
        return self._indexed(shard)[1]

    def _indexed(self, shard: int) -> tuple[Index, np.ndarray]:
        if shard not in self._indices:
            path = shard_path(self.shards, shard, INDEX)
            index = Index(_read(path), str(path))
            good = np.flatnonzero(index.is_ok())
            if len(good) != self.markers[self._position[shard]].items:
                raise BitstreamError(f"{path}: does not fit its marker; `audiocodec tokens verify` says more")
            self._indices[shard] = index, good
            _limit(self._indices)
        self._indices.move_to_end(shard)
        return self._indices[shard]

    def shard_codes(self, shard: int) -> np.ndarray:
        """The codes of a finished shard, mapped from disk: [frames, K] uint16."""
        if shard not in self._maps:
            path, marker = shard_path(self.shards, shard, CODES), self.markers[self._position[shard]]
            shape = (marker.frames, self.header.n_q)
            expected = marker.frames * self.header.n_q * CODE.itemsize
            size = path.stat().st_size if path.is_file() else -1
            if size != expected:
                found = "is missing" if size < 0 else f"has {size} bytes"
                raise BitstreamError(
                    f"{path}: {found}, its marker says {expected}; `audiocodec tokens verify` says more"
                )
            self._maps[shard] = np.memmap(path, CODE, "r", shape=shape) if size else np.zeros(shape, CODE)
            _limit(self._maps)
        self._maps.move_to_end(shard)
        return self._maps[shard]

    def _marker(self, number: int) -> Marker:
        marker = read_marker(self.shards, number)
        if marker is None:
            raise BitstreamError(f"{self.path}: the marker of shard {number} went while the store was opened")
        return marker


def read_header(path: str | Path) -> StoreHeader:
    """The header of the store in a folder.

    Raises:
        ConfigError: there is no store.
        BitstreamError: its header is damaged.
    """
    file = Path(path) / HEADER_FILE
    try:
        return StoreHeader.from_json(file.read_text(encoding="utf-8"), file)
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(
            f"{path}: is no token store (no {HEADER_FILE}); `audiocodec tokens IN --out STORE` makes one"
        ) from None
    except UnicodeDecodeError:
        raise BitstreamError(f"{file}: is no header of a token store: it is not text") from None


def id_hash(key: str) -> np.uint64:
    """64 bits of an id."""
    return np.uint64(
        int.from_bytes(hashlib.blake2b(key.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "little")
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CodecError(f"{path}: cannot be read ({error.strerror}); `audiocodec tokens verify` says more") from error


def _limit(cache: OrderedDict[int, Any]) -> None:
    while len(cache) > _OPEN_SHARDS:
        cache.popitem(last=False)
