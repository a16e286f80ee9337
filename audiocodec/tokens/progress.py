"""How far a run is, how fast it goes, where its time goes, and how it ended."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from .engines import Failed
from .extraction import Timings
from .plan import pending, read_plans
from .shards import read_marker
from .store import SHARDS_FOLDER, TokenStore
from .work import Report

_SHOWN = 10  # failures named in a summary; `audiocodec tokens info --failures` names all


@dataclass
class Progress:
    """Counts what an engine reports.

    Args:
        planned_hours: of audio in all shards of the run.
        shards: of the run.
    """

    planned_hours: float
    shards: int
    begin: float = field(default_factory=time.perf_counter)
    done: int = 0
    done_hours: float = 0.0
    failed_items: int = 0
    failed_shards: list[Failed] = field(default_factory=list)
    timings: Timings = field(default_factory=Timings)
    worker_seconds: float = 0.0
    processor_seconds: float = 0.0

    def add(self, result: Report | Failed) -> None:
        """Take in what came of a shard."""
        self.done += 1
        if isinstance(result, Failed):
            self.failed_shards.append(result)
            return
        self.failed_items += result.marker.failed
        if not result.was_there:
            self.done_hours += result.marker.seconds / 3600
            self.timings += result.timings
            self.worker_seconds += result.wall_seconds
            self.processor_seconds += result.processor_seconds

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.perf_counter() - self.begin

    @property
    def hours_a_minute(self) -> float:
        """Of audio."""
        return 60 * self.done_hours / self.seconds

    @property
    def left_s(self) -> float | None:
        """Estimated time to go; None before the first shard."""
        return (self.shards - self.done) * self.seconds / self.done if self.done else None

    def line(self) -> str:
        """One line for a log or beside a bar."""
        left = "" if self.left_s is None else f", {clock(self.left_s)} to go"
        failures = f", {self.failed_items} items failed" if self.failed_items else ""
        return f"{self.done}/{self.shards} shards, {self.hours_a_minute:.2f} h of audio a minute{left}{failures}"

    def where_time_went(self) -> str:
        """The time in which workers had a shard in hand, and its parts in per cent."""
        if not self.worker_seconds:
            return "nothing was left to do"
        t = self.timings
        known = (("encoding", t.encoding), ("waiting for audio", t.waiting), ("writing", t.writing))
        parts = [f"{name} {100 * seconds / self.worker_seconds:.1f} %" for name, seconds in known]
        decoding = f"decoding took {100 * t.decoding / self.worker_seconds:.1f} % of it beside"
        times = f"workers' time {self.worker_seconds:.1f} s, processor time {self.processor_seconds:.1f} s"
        return f"{times}: {', '.join(parts)}; {decoding}"


def planned_hours(path: Path, shards: list[int]) -> float:
    """Hours of audio in shards of a store, as far as known before they are coded."""
    wanted = set(shards)
    plans = read_plans(path)
    return sum(s for plan in plans for n, s in zip(plan.shards, plan.seconds, strict=True) if n in wanted) / 3600


def summary(path: Path, progress: Progress) -> str:
    """What a user should know at the end: what is there, how fast it came, what failed."""
    store, missing = TokenStore(path), pending(path)
    lines = [
        f"{path}: {len(store)} items, {store.hours:.2f} h, {len(store.shard_numbers)} shards"
        + (f", {len(missing)} shards are missing: run the same command again" if missing else ", complete"),
        f"this run: {progress.done_hours:.2f} h of audio in {clock(progress.seconds)}, "
        f"{60 * progress.hours_a_minute:.1f} h an hour; {progress.where_time_went()}",
        f"store hash {store.hash}",
    ]
    lines += [f"shard {failed.shard} failed: {failed.error}" for failed in progress.failed_shards]
    if store.n_failed:
        lines.append(f"{store.n_failed} items failed:")
        for number, row in enumerate(store.failures()):
            if number == _SHOWN:
                lines.append(f"  ... `audiocodec tokens info {path} --failures` lists all")
                break
            lines.append(f"  {row.error}")
    return "\n".join(lines)


def forget_failures(path: Path) -> list[int]:
    """Take the markers off shards with failed items, so that these are coded again; return their numbers."""
    folder, numbers = path / SHARDS_FOLDER, []
    planned = [shard for plan in read_plans(path) for shard in plan.shards]
    for shard in planned:
        marker = read_marker(folder, shard)
        if marker is not None and marker.failed:
            (folder / f"{shard:06d}.done").unlink()
            numbers.append(shard)
    return numbers


def clock(seconds: float) -> str:
    """`1:02:03` or `2:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
