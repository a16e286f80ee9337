"""Stores put together and taken apart. Shards are copied, never coded anew."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..audio.atomic import atomic_output
from ..errors import ConfigError
from .index import OK, Row
from .shards import CODES, DONE, INDEX, read_marker, shard_path
from .store import SHARDS_FOLDER, TokenStore, id_hash
from .writer import TokenWriter, create

Report = Callable[[float, float | None], None]


def merge(paths: Sequence[str | Path], out: str | Path, report: Report = lambda done, total: None) -> TokenStore:
    """Put the shards of several stores into a new one, in the order given; an interrupted merge goes on when repeated.

    Args:
        paths: of the stores, all of one codec.
        out: the new store; files are linked where the file system allows it, so that nothing is copied.
        report: told (shards done, shards in all).
    Raises:
        ModelMismatchError: the stores are of several codecs.
        ConfigError: two items have one id, or `out` holds something else.
    """
    out, stores = Path(out), [TokenStore(path) for path in paths]
    if not stores:
        raise ConfigError("nothing to merge: name one or more stores")
    for store in stores[1:]:
        stores[0].header.check_same(store.header, stores[0].path)
    _check_distinct(stores)
    create(out, stores[0].header)
    folder = out / SHARDS_FOLDER
    wanted = [(store, number) for store in stores for number in store.shard_numbers]
    for to, (store, number) in enumerate(wanted):
        there, marker = read_marker(folder, to), read_marker(store.shards, number)
        if there not in (None, marker):
            raise ConfigError(f"{out}: holds other items already; merge into a new store")
        for suffix in (CODES, INDEX, DONE) if there is None else ():
            _link_or_copy(shard_path(store.shards, number, suffix), shard_path(folder, to, suffix))
        report(to + 1, len(wanted))
    return TokenStore(out)


def split(
    path: str | Path,
    out: str | Path,
    shares: Mapping[str, float],
    *,
    by: str = "id",
    seed: int = 0,
    report: Report = lambda done, total: None,
) -> dict[str, TokenStore]:
    """Deal the items of a store out to several, such as train and valid.

    Where an item goes depends on its key and the seed only: items that come later change nothing for those before.

    Args:
        path: of the store.
        out: folder in which the new stores are made, each under its name.
        shares: of the items, by name; they must sum to 1.
        by: what stays together: "id" (each item goes its own way), "source" (the channels and stretches of a
            recording), or a field of the manifest, such as "speaker".
        seed: another one deals otherwise.
        report: told (items done, items in all).
    Raises:
        ConfigError: shares that do not sum to 1, or an item lacks the field.
    """
    if not shares or min(shares.values()) <= 0 or abs(sum(shares.values()) - 1) > 1e-6:
        raise ConfigError(f"shares {dict(shares)}: expected numbers above 0 that sum to 1")
    if bad := [name for name in shares if not name or name in (".", "..") or os.sep in name]:
        raise ConfigError(f"{bad[0]!r}: the name of a part becomes the name of a folder")
    store, bounds = TokenStore(path), np.cumsum(list(shares.values()))
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(TokenWriter(Path(out) / name, store.header)) for name in shares]
        for done, (row, codes) in enumerate(_rows(store)):
            draw = _draw(_key(row, by), seed)
            part = min(int(np.searchsorted(bounds, draw, side="right")), len(writers) - 1)
            writers[part].put(row, codes)
            report(done + 1, len(store) + store.n_failed)
    return {name: TokenStore(Path(out) / name) for name in shares}


def _rows(store: TokenStore) -> Iterator[tuple[Row, np.ndarray | None]]:
    for shard in store.shard_numbers:
        for row in store.index(shard).rows():
            codes = store.shard_codes(shard)[row.start : row.start + row.frames].T
            yield row, codes if row.status == OK else None


def _key(row: Row, by: str) -> str:
    if by in ("id", "source"):
        return str(getattr(row, by))
    if by not in row.fields:
        known = ", ".join(["id", "source", *sorted(row.fields)])
        raise ConfigError(f"item {row.id!r} has no field {by!r} to be split by; it has {known}")
    return str(row.fields[by])


def _draw(key: str, seed: int) -> float:
    """A number in [0, 1) that a key and a seed decide."""
    digest = hashlib.blake2b(f"{seed} {key}".encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "little") / 2.0**64


def _check_distinct(stores: Sequence[TokenStore]) -> None:
    def hashes(store: TokenStore, shard: int) -> np.ndarray:
        return np.array([id_hash(key) for key in store.ids(shard)], np.uint64)

    places = [(store, shard) for store in stores for shard in store.shard_numbers]
    values, counts = np.unique(
        np.concatenate([np.zeros(0, np.uint64), *(hashes(*place) for place in places)]), return_counts=True
    )
    if (counts > 1).any():
        twice = values[counts > 1][0]
        store, key = next((s, k) for s, n in places for k in s.ids(n) if id_hash(k) == twice)
        raise ConfigError(f"{store.path}: id {key!r} is that of another item too; ids are unique in a store")


def _link_or_copy(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another disk, or no links there
        with open(source, "rb") as old, atomic_output(target) as new:
            shutil.copyfileobj(old, new)
