"""A whole evaluation: every file of a set through every system, in worker processes, taken up where it stopped."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from ..data.pool import Job, Outcome, Pool, Step
from ..errors import ConfigError
from ..metrics.base import Metric
from .measure import Record, Task, measure
from .results import Key, Store, read
from .systems import System

Report = Callable[[float, float | None], None]
"""Progress: report(done, total), in (file, system) pairs."""


class Recording(Protocol):
    """A line of a manifest (`audiocodec.data.manifest.Entry`)."""

    @property
    def path(self) -> Path: ...
    @property
    def duration(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluation found. `missing`: system or metric name -> why it was not run."""

    records: list[Record]
    systems: list[System]
    metrics: list[Metric]
    missing: dict[str, str]
    sample_rate: int  # Hz, of the comparison
    n_files: int
    seconds: float  # of audio in the set
    wall_s: float
    paths: dict[str, Path]  # file name in results -> recording


def evaluate(
    recordings: Sequence[Recording],
    systems: Sequence[System],
    metrics: Sequence[Metric],
    out: str | Path,
    pool: Pool,
    *,
    sample_rate: int = 16000,
    earlier: Sequence[str | Path] = (),
    report: Report = lambda done, total: None,
) -> Evaluation:
    """Score systems on recordings; scores that `out` already holds are not computed again.

    Args:
        recordings: files of the set.
        systems: codecs at their settings; those that are not on this machine are left out and named.
        metrics: those whose packages are not installed are left out and named.
        out: folder of results.jsonl.
        pool: workers to code in; a pair that kills its worker, or takes too long, counts as failed.
        sample_rate: Hz at which reference and decoded signals are compared; files are resampled to it by soxr HQ.
        earlier: results.jsonl files of other runs, used where file, system and its version are the same. A system
            that is not on this machine is taken from there whole.
        report: called as pairs are done.
    Returns:
        Evaluation: records of these files and systems, failures among them.
    Raises:
        ConfigError: no system or no metric can be run, or a metric needs a higher rate than `sample_rate`.
    """
    start = time.monotonic()
    usable, missing = _usable_metrics(metrics, sample_rate)
    store, paths = Store(out), name_files([recording.path for recording in recordings])
    seconds = {name: recording.duration for name, recording in zip(paths, recordings, strict=True)}
    versions, absent = probe(systems, pool)
    known = {(r.file, r.system): r for path in earlier for r in read(Path(path))} | store.records
    records, tasks = _plan(paths, systems, usable, versions, known, sample_rate)
    n_done = len(records.keys() - {(task.file, task.system.name) for task in tasks})
    report(n_done, n_done + len(tasks))
    for record in _measure_all(tasks, pool, seconds):
        merged = _merge(records.get((record.file, record.system)), record)
        store.add(merged)
        records[record.file, record.system] = merged
        n_done += 1
        report(n_done, n_done + pool.n_unfinished)
    store.tidy()
    absent = _without_earlier(absent, records, list(paths), usable)
    records = {key: record for key, record in records.items() if record.system not in absent}
    if not records:
        raise ConfigError("nothing to evaluate: " + "; ".join(f"{name}: {why}" for name, why in absent.items()))
    return Evaluation(
        records=[records[key] for key in sorted(records)],
        systems=[system for system in systems if system.name not in absent],
        metrics=usable,
        missing=missing | absent,
        sample_rate=sample_rate,
        n_files=len(paths),
        seconds=sum(seconds.values()),
        wall_s=time.monotonic() - start,
        paths=paths,
    )


def probe(systems: Sequence[System], pool: Pool) -> tuple[dict[str, str], dict[str, str]]:
    """Ask every system for its version, in a worker, since loading a broken library can crash.

    Returns:
        (name -> version of those that can run, name -> reason for those that cannot).
    """
    versions, absent = {}, {}
    for system in systems:
        pool.submit(Job(_version, (system,)))
    for outcome in pool.outcomes():
        name = outcome.job.arguments[0].name
        if outcome.error:
            absent[name] = outcome.error
        else:
            versions[name] = outcome.value
    return versions, absent


def name_files(paths: Sequence[Path]) -> dict[str, Path]:
    """Name recordings by their path below their common folder.

    Raises:
        ConfigError: one recording is listed twice.
    """
    absolute = [Path(os.path.abspath(path)) for path in paths]
    root = Path(os.path.commonpath([path.parent for path in absolute])) if absolute else Path()
    names = {path.relative_to(root).as_posix(): path for path in absolute}
    if len(names) < len(absolute):
        raise ConfigError("a recording is listed twice; name each file once")
    return names


def _version(system: System, step: Step) -> str:
    step("version")
    return system.version()


def _usable_metrics(metrics: Sequence[Metric], sample_rate: int) -> tuple[list[Metric], dict[str, str]]:
    for metric in metrics:
        if metric.sample_rate and metric.sample_rate > sample_rate:
            raise ConfigError(
                f"{metric.name} is defined at {metric.sample_rate} Hz, above the comparison's {sample_rate} Hz; "
                f"leave it out or compare at --sample-rate {metric.sample_rate} or more"
            )
    lacking = {metric.name: metric.missing() for metric in metrics}
    missing = {name: f"not installed: pip install {' '.join(names)}" for name, names in lacking.items() if names}
    usable = [metric for metric in metrics if not lacking[metric.name]]
    if not usable:
        raise ConfigError(f"no metric can be run: {missing}")
    return usable, missing


def _plan(
    paths: dict[str, Path],
    systems: Sequence[System],
    metrics: Sequence[Metric],
    versions: dict[str, str],
    known: dict[Key, Record],
    sample_rate: int,
) -> tuple[dict[Key, Record], list[Task]]:
    """What is known already, and what is left to do: whole pairs, or metrics that a known pair lacks."""
    records, tasks = {}, []
    for name, path in paths.items():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        for system in systems:
            old, version = known.get((name, system.name)), versions.get(system.name)
            if old and _still_good(old, digest, version, sample_rate):
                records[name, system.name] = old
            done = records[name, system.name].scores if (name, system.name) in records else {}
            wanted = tuple(metric.name for metric in metrics if metric.id not in done)
            if wanted and version is not None:
                tasks.append(Task(name, str(path), digest, system, version, wanted, sample_rate))
    return records, tasks


def _without_earlier(
    absent: dict[str, str], records: dict[Key, Record], files: list[str], metrics: Sequence[Metric]
) -> dict[str, str]:
    """Those of the absent systems for which earlier results cannot stand in, since a file or a metric is not there."""
    reasons = {}
    for name, why in absent.items():
        found = [records[file, name] for file in files if (file, name) in records]
        lacking = [metric.name for metric in metrics if any(metric.id not in record.scores for record in found)]
        if not found:
            reasons[name] = why
        elif len(found) < len(files):
            reasons[name] = f"{why}; earlier results hold only {len(found)} of {len(files)} files"
        elif lacking:
            reasons[name] = f"{why}; earlier results lack {', '.join(lacking)}"
    return reasons


def _still_good(record: Record, digest: str, version: str | None, sample_rate: int) -> bool:
    """Whether an old record is of the same signals; `version` None: the system cannot be run here to compare."""
    return (
        not record.error
        and record.file_sha256 == digest
        and record.version == (version or record.version)
        and record.sample_rate == sample_rate
    )


def _merge(old: Record | None, new: Record) -> Record:
    """The new record with the scores that the old one had beside it: only metrics not yet known were measured."""
    if old is None or new.error:
        return new
    scores, reasons = old.scores | new.scores, old.reasons | new.reasons
    return replace(new, scores=dict(sorted(scores.items())), reasons=dict(sorted(reasons.items())))


def _measure_all(tasks: list[Task], pool: Pool, seconds: dict[str, float]) -> Iterator[Record]:
    """Yield a record for each task. One that died inside a metric is tried again without that metric."""
    for task in tasks:
        pool.submit(Job(measure, (task,)))
    for outcome in pool.outcomes():
        task = outcome.job.arguments[0]
        if not outcome.error:
            yield outcome.value
        elif outcome.died and outcome.step in task.metrics:
            crashed = {**task.crashed, outcome.step: outcome.error}
            pool.submit(Job(measure, (replace(task, crashed=crashed),)))
        else:
            yield _failure(task, outcome, seconds[task.file])


def _failure(task: Task, outcome: Outcome, seconds: float) -> Record:
    where = f" (while: {outcome.step})" if outcome.step else ""
    return Record(
        file=task.file,
        file_sha256=task.file_sha256,
        system=task.system.name,
        family=task.system.family,
        version=task.version,
        sample_rate=task.sample_rate,
        seconds=seconds,
        error=outcome.error + where,
    )
