"""Is a store whole: every byte by its checksum, every row by what it claims, and, if asked, codes by coding again."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import CodecError
from .index import OK, Index, rows_sha256
from .plan import pending, read_requests
from .shards import CODE, CODES, INDEX, Marker, finished, read_marker, shard_path
from .store import SHARDS_FOLDER, StoreHeader, TokenStore, id_hash, read_header
from .work import Settings, open_extractor, rows_of

Report = Callable[[float, float | None], None]
_BLOCK = 1 << 22  # codes looked at at once


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong. Args: file: where; what: the matter."""

    file: str
    what: str


@dataclass(frozen=True)
class Verdict:
    """What was found in a store.

    Args:
        faults: what is wrong.
        items, failed: of all shards that are there.
        missing: shards that are planned and not there yet.
        checked: items that were coded again.
    """

    faults: tuple[Fault, ...]
    items: int
    failed: int
    missing: int
    checked: int = 0


def verify(
    path: str | Path,
    *,
    audio: float = 0.0,
    settings: Settings | None = None,
    report: Report = lambda done, total: None,
) -> Verdict:
    """Check a store.

    Args:
        path: of the store.
        audio: share of the recordings, 0 to 1, that are coded again and compared; they must lie where they lay.
        settings: how to code; see `Settings`.
        report: told (shards done, shards in all).
    Raises:
        CodecError: there is no store, or its header is damaged.
    """
    path = Path(path)
    header, folder = read_header(path), path / SHARDS_FOLDER
    faults, items, failed, hashes = list[Fault](), 0, 0, list[np.ndarray]()
    numbers = finished(folder)
    for done, shard in enumerate(numbers):
        try:
            marker = read_marker(folder, shard)
            assert marker is not None
            items, failed = items + marker.items, failed + marker.failed
            hashes.append(_check_shard(folder, shard, marker, header))
        except _Wrong as wrong:
            faults.append(Fault(str(wrong.path), str(wrong)))
        except (CodecError, OSError) as error:
            faults.append(Fault(str(folder / f"{shard:06d}"), str(error)))
        report(done + 1, len(numbers))
    together = np.concatenate([np.zeros(0, np.uint64), *hashes])
    if twice := len(together) - len(np.unique(together)):
        faults.append(Fault(str(path), f"{twice} ids are those of other items too"))
    again = list(_code_again(path, numbers, audio, settings or Settings())) if audio and not faults else []
    faults += [fault for fault in again if fault]
    return Verdict(tuple(faults), items, failed, len(pending(path)), len(again))


class _Wrong(Exception):
    def __init__(self, path: Path, what: str):
        super().__init__(what)
        self.path = path


def _check_shard(folder: Path, shard: int, marker: Marker, header: StoreHeader) -> np.ndarray:
    """Check a shard; return the hashes of its ids."""
    codes_path, index_path = shard_path(folder, shard, CODES), shard_path(folder, shard, INDEX)
    _check_bytes(codes_path, marker.codes_bytes, marker.codes_sha256)
    _check_bytes(index_path, marker.index_bytes, marker.index_sha256)
    rows = list(Index(index_path.read_bytes(), str(index_path)).rows())
    if rows_sha256(rows) != marker.rows_sha256:
        raise _Wrong(index_path, "its rows are not those that the marker was made for")
    start = 0
    for row in rows:
        if row.start != start or (row.status != OK and row.frames):
            raise _Wrong(index_path, f"item {row.id!r} does not begin where the one before it ends")
        start += row.frames
    good = sum(row.status == OK for row in rows)
    if (good, len(rows) - good, start) != (marker.items, marker.failed, marker.frames):
        raise _Wrong(index_path, "its counts are not those of the marker")
    if marker.codes_bytes != start * header.n_q * CODE.itemsize:
        raise _Wrong(codes_path, f"has {marker.codes_bytes} bytes for {start} frames of {header.n_q} codes")
    _check_codes(codes_path, header)
    return np.array([id_hash(row.id) for row in rows], np.uint64)


def _check_bytes(path: Path, n_bytes: int, sha256: str) -> None:
    size = path.stat().st_size if path.exists() else None
    if size != n_bytes:
        raise _Wrong(path, "is missing" if size is None else f"has {size} bytes, its marker says {n_bytes}")
    with open(path, "rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise _Wrong(path, "is damaged: its SHA-256 is not the one in its marker")


def _check_codes(path: Path, header: StoreHeader) -> None:
    if not path.stat().st_size:
        return
    codes = np.memmap(path, CODE, "r").reshape(-1, header.n_q)
    sizes = np.array(header.codebook_sizes)
    for begin in range(0, len(codes), _BLOCK):
        if (codes[begin : begin + _BLOCK].max(axis=0) >= sizes).any():
            raise _Wrong(path, "holds codes that its codebooks do not have")


def _code_again(path: Path, shards: list[int], share: float, settings: Settings) -> Iterator[Fault | None]:
    """Code some recordings again: a fault, or None, for each; which ones depends on their ids only."""
    store, extractor = TokenStore(path), open_extractor(path, settings)
    for shard in shards:
        plan, requests = read_requests(path, shard)
        chosen = [request for request in requests if int(id_hash(request.id)) < share * 2.0**64]
        for request, result in zip(chosen, extractor.for_channels(plan.channels).run(chosen), strict=True):
            if result.error:
                gone = request.id in store or f"{request.id}#0" in store
                yield Fault(request.source, f"could be read once: {result.error}") if gone else None
                continue
            for row, codes in zip(rows_of(request, result), result.codes, strict=True):
                same = row.id in store and np.array_equal(store[row.id].codes, codes)
                yield None if same else Fault(request.source, f"item {row.id!r} gives other codes now")
