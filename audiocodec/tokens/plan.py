"""Who codes what: a plan cuts a list of recordings into shards, before anything is coded and for every engine alike.

    plans/0000.jsonl     the requests, one a line, in order
    plans/0000.json      where in that file each shard begins, and the settings that decide codes

Which recordings make a shard depends on the list alone, never on workers, batches or speed; therefore the same bytes
come out whoever does the work. A worker reads only the lines of its own shard.
"""

import hashlib
import json
import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np

from ..audio.atomic import atomic_output
from ..errors import BitstreamError, ConfigError
from .loading import Channels
from .requests import Request
from .shards import finished
from .store import SHARDS_FOLDER, TokenStore, id_hash

PLANS_FOLDER = "plans"
SHARDS_WANTED = 64  # of a small corpus: enough to share out, and little is lost when one is interrupted
MIN_SHARD_S, MAX_SHARD_S = 360.0, 36_000.0
MAX_SHARD_ITEMS = 50_000


@dataclass(frozen=True)
class Plan:
    """Shards `first` to `first + len(starts) - 1` of a store.

    Args:
        model: name, folder or hub id of the codec.
        channels: see `Extractor`.
        lines_sha256: of the file of requests.
        first: number of its first shard.
        starts: byte of the file at which each shard's requests begin.
        counts: requests of each shard.
        seconds: of audio of each shard, as far as known beforehand.
    """

    model: str
    channels: Channels
    lines_sha256: str
    first: int
    starts: tuple[int, ...]
    counts: tuple[int, ...]
    seconds: tuple[float, ...]

    @property
    def shards(self) -> range:
        """Numbers of its shards."""
        return range(self.first, self.first + len(self.starts))

    @property
    def total_seconds(self) -> float:
        """Of audio, as far as known beforehand."""
        return sum(self.seconds)

    def wants(self, other: Self, cut_too: bool) -> bool:
        """Whether two plans want the same of the same recordings, in the same shards if `cut_too`."""
        same = (self.channels, self.lines_sha256) == (other.channels, other.lines_sha256)
        return same and (not cut_too or self.starts == other.starts)


def make_plan(
    path: Path,
    requests: Iterable[Request],
    model: str,
    channels: Channels = "split",
    shard_seconds: float | None = None,
    append: bool = False,
) -> Plan:
    """Plan the work of a store; where the same is planned already, nothing happens.

    Args:
        path: of the store, which is there.
        requests: what is to be coded.
        model: name, folder or hub id of the codec.
        channels: see `Extractor`.
        shard_seconds: of audio in a shard; default: a 64th of all, but from 6 minutes to 10 hours.
        append: whether this comes on top of what is planned already.
    Returns:
        the plan.
    Raises:
        ConfigError: two requests have one id, or the store is planned otherwise and this is not to be appended.
    """
    folder = path / PLANS_FOLDER
    folder.mkdir(exist_ok=True)
    earlier = read_plans(path)
    number = len(earlier)
    first = max([0, *(plan.shards.stop for plan in earlier), *(shard + 1 for shard in finished(path / SHARDS_FOLDER))])
    try:
        with atomic_output(_plan_path(path, number, ".jsonl"), overwrite=True) as lines:
            plan = _write_lines(lines, requests, path, model, channels, shard_seconds, first)
            if same := [old for old in earlier if plan.wants(old, cut_too=shard_seconds is not None)]:
                raise _PlannedAlready(same[0])  # the lines are thrown away
            if earlier and not append:
                raise ConfigError(
                    f"{path}: is planned from other recordings or settings than these; to add these on top: --append; "
                    "to go on with what is planned: `audiocodec tokens run`; else choose another store"
                )
            _check_ids(lines, path, number)
    except _PlannedAlready as found:
        return found.plan
    with atomic_output(_plan_path(path, number, ".json"), overwrite=True) as file:  # last: now the plan is there
        file.write((json.dumps(asdict(plan)) + "\n").encode())
    return plan


class _PlannedAlready(Exception):
    def __init__(self, plan: Plan):
        self.plan = plan


def _write_lines(
    lines: BinaryIO,
    requests: Iterable[Request],
    path: Path,
    model: str,
    channels: Channels,
    wanted: float | None,
    first: int,
) -> Plan:
    digest, seconds, ends = hashlib.sha256(), array("d"), array("Q", [0])
    for request in requests:
        line = request.to_line().encode()
        lines.write(line)
        digest.update(line)
        seconds.append(request.seconds)
        ends.append(ends[-1] + len(line))
    if not seconds:
        raise ConfigError(f"{path}: there is nothing to code")
    bounds = cut(seconds, wanted)
    return Plan(
        model=model,
        channels=channels,
        lines_sha256=digest.hexdigest(),
        first=first,
        starts=tuple(ends[start] for start in bounds[:-1]),
        counts=tuple(int(n) for n in np.diff(bounds)),
        seconds=tuple(round(sum(seconds[a:b]), 3) for a, b in pairwise(bounds)),
    )


def cut(seconds: Sequence[float], shard_seconds: float | None = None) -> list[int]:
    """Cut a list into shards of about equal length.

    Args:
        seconds: of each recording, in order.
        shard_seconds: see `make_plan`.
    Returns:
        bounds: shard i holds recordings bounds[i] to bounds[i + 1] - 1.
    """
    if shard_seconds is None:
        shard_seconds = min(max(sum(seconds) / SHARDS_WANTED, MIN_SHARD_S), MAX_SHARD_S)
    if not shard_seconds > 0:
        raise ConfigError(f"shards of {shard_seconds} s: expected more than 0")
    bounds, held = [0], 0.0
    for number, length in enumerate(seconds):
        if number > bounds[-1] and (held + length > shard_seconds or number - bounds[-1] >= MAX_SHARD_ITEMS):
            bounds.append(number)
            held = 0.0
        held += length
    return [*bounds, len(seconds)]


def read_plans(path: Path) -> list[Plan]:
    """The plans of a store, in order; none for one that was filled otherwise.

    Raises:
        BitstreamError: a plan cannot be understood.
    """
    plans: list[Plan] = []
    while (file := _plan_path(path, len(plans), ".json")).exists():
        try:
            tree = json.loads(file.read_text(encoding="utf-8"))
            lists = {key: tuple(tree[key]) for key in ("starts", "counts", "seconds")}
            plans.append(Plan(**{**tree, **lists}))
        except (ValueError, TypeError, KeyError) as error:
            raise BitstreamError(f"{file}: is no plan of a token store ({error})") from None
    return plans


def read_requests(path: Path, shard: int) -> tuple[Plan, list[Request]]:
    """The requests of one shard, and the plan that they are of.

    Args:
        path: of the store.
        shard: number of the shard.
    Raises:
        ConfigError: no plan has this shard.
        BitstreamError: the file of requests is damaged.
    """
    for number, plan in enumerate(read_plans(path)):
        if shard in plan.shards:
            position = shard - plan.first
            file = _plan_path(path, number, ".jsonl")
            try:
                with open(file, "rb") as lines:
                    lines.seek(plan.starts[position])
                    return plan, [Request.from_line(lines.readline()) for _ in range(plan.counts[position])]
            except (ValueError, TypeError) as error:
                raise BitstreamError(f"{file}: is damaged at shard {shard} ({error})") from None
    raise ConfigError(f"{path}: no plan has a shard {shard}")


def pending(path: Path) -> list[int]:
    """Numbers of the shards that are planned and not finished."""
    done = set(finished(path / SHARDS_FOLDER))
    return [shard for plan in read_plans(path) for shard in plan.shards if shard not in done]


def _check_ids(lines: BinaryIO, path: Path, number: int) -> None:
    """Refuse an id that comes twice in the file of requests, or is in the store already."""
    store = TokenStore(path) if number or finished(path / SHARDS_FOLDER) else None
    hashes = array("Q")  # 8 bytes an id: tens of millions fit into memory
    for request in _all_requests(lines):
        hashes.append(int(id_hash(request.id)))
        if store is not None and request.id in store:
            raise ConfigError(f"{request.id!r}: an item of {path} has this id already; give other ids in a manifest")
    values, counts = np.unique(np.frombuffer(hashes, np.uint64), return_counts=True)
    suspects = set(values[counts > 1].tolist())
    seen: dict[str, str] = {}
    for request in _all_requests(lines) if suspects else ():
        if int(id_hash(request.id)) in suspects:
            if request.id in seen:
                both = f"{seen[request.id]} and {request.path}"
                raise ConfigError(f"{request.id!r}: this id would be of {both}; give ids in a manifest")
            seen[request.id] = request.path
    lines.seek(0, os.SEEK_END)


def _all_requests(lines: BinaryIO) -> Iterator[Request]:
    lines.seek(0)
    for line in lines:
        yield Request.from_line(line)


def _plan_path(path: Path, number: int, suffix: str) -> Path:
    return path / PLANS_FOLDER / f"{number:04d}{suffix}"
