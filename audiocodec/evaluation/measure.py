"""One file through one system, and every metric of what came out: the job that worker processes run."""

import os
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import soundfile

from ..data.pool import Step
from ..errors import AudioError
from ..metrics.alignment import Aligned, align
from ..metrics.base import Signal, resample
from ..metrics.catalogue import METRICS
from .systems import Coded, System


@dataclass(frozen=True, slots=True)
class Task:
    """One cell of the evaluation: a file, a system, the metrics by name, and those known to crash on it."""

    file: str  # name in results, unique in the set
    path: str
    file_sha256: str  # first 16 hex digits
    system: System
    version: str  # what system.version() answered
    metrics: tuple[str, ...]
    sample_rate: int  # Hz at which decoded and reference signals are compared
    crashed: dict[str, str] = field(default_factory=dict)  # metric name -> reason, not to be tried again


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of one file through one system. Scores are None, with a reason, where a metric has no answer.

    `error` is set, and nothing else, where the system gave no audio at all.
    """

    file: str
    file_sha256: str
    system: str
    family: str
    version: str  # of the library or weights that ran
    sample_rate: int  # Hz, of the comparison
    seconds: float
    n_bits: int = 0
    delay: int = 0  # samples at sample_rate that the decoded signal came late, removed
    delay_by: str = ""
    length_difference: int = 0  # samples
    gain_db: float | None = None
    correlation: float | None = None
    scores: dict[str, float | None] = field(default_factory=dict)  # metric id -> value
    reasons: dict[str, str] = field(default_factory=dict)  # metric id -> why there is no value
    error: str = ""
    encode_s: float = 0.0  # CPU seconds
    decode_s: float = 0.0


def measure(task: Task, step: Step) -> Record:
    """Code one file with one system and score the result.

    Args:
        task: what to do.
        step: told what is done next, so that a crash can be laid at its door.
    Returns:
        Record.
    Raises:
        AudioError: the file cannot be read.
        Exception: whatever the codec under test raises.
    """
    step("read")
    reference = load(task.path, task.sample_rate)
    step("code")
    aligned, coded = code(reference, task.sample_rate, task.system)
    scores: dict[str, float | None] = {}
    reasons: dict[str, str] = {}
    for metric in (METRICS[name] for name in task.metrics):
        step(metric.name)
        if metric.name in task.crashed:
            value, reason = float("nan"), task.crashed[metric.name]
        else:
            score = metric.score(reference, aligned.signal, task.sample_rate)
            value, reason = score.value, score.reason
        scores[metric.id] = None if reason else value
        if reason:
            reasons[metric.id] = reason
    return Record(
        file=task.file,
        file_sha256=task.file_sha256,
        system=task.system.name,
        family=task.system.family,
        version=task.version,
        sample_rate=task.sample_rate,
        seconds=len(reference) / task.sample_rate,
        n_bits=coded.n_bits,
        delay=aligned.delay,
        delay_by=aligned.by,
        length_difference=aligned.length_difference,
        gain_db=_finite(aligned.gain_db),
        correlation=_finite(aligned.correlation),
        encode_s=coded.encode_s,
        decode_s=coded.decode_s,
        scores=scores,
        reasons=reasons,
    )


def load(path: str, sample_rate: int) -> Signal:
    """Read a recording as one channel at one rate.

    Args:
        path: audio file; several channels are averaged.
        sample_rate: Hz wanted; resampled by soxr HQ.
    Returns:
        [L] float32, not to be written to.
    Raises:
        AudioError: the file cannot be read.
    """
    try:
        return _load(path, os.stat(path).st_mtime_ns, sample_rate)
    except (soundfile.SoundFileError, OSError) as error:
        raise AudioError(f"{path}: not a readable recording: {error}") from None


@lru_cache(maxsize=4)  # every codec asks for the same recordings, one after the other
def _load(path: str, mtime_ns: int, sample_rate: int) -> Signal:
    """`load`, remembered as long as the file is the same."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    signal = resample(np.ascontiguousarray(samples.mean(axis=1)), rate, sample_rate)
    signal.flags.writeable = False  # it is shared by every task of this file
    return signal


def code(reference: Signal, sample_rate: int, system: System) -> tuple[Aligned, Coded]:
    """Send a signal through a system and lay what comes back over it.

    Args:
        reference: [L] float32 at `sample_rate` Hz.
        sample_rate: Hz; the system gets its own rate and what it gives is brought back, both by soxr HQ.
        system: codec under test.
    Returns:
        (Aligned, Coded).
    """
    _warm_up(system)
    coded = system.code(resample(reference, sample_rate, system.sample_rate))
    return align(reference, resample(coded.signal, system.sample_rate, sample_rate), sample_rate), coded


@lru_cache(maxsize=64)
def _warm_up(system: System) -> None:
    """Load libraries and weights outside the clock, on a tenth of a second of quiet noise."""
    noise = np.random.default_rng(0).normal(0, 0.01, system.sample_rate // 10).astype(np.float32)
    system.decode(system.encode(noise))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
