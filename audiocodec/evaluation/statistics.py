"""From records to one line a system: means over files with bootstrap intervals, and failures counted beside them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..metrics.base import Metric
from .measure import Record
from .systems import System

LEVEL = 0.95
N_RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Interval:
    """Mean of a metric over the files that it could score, and the interval in which it lies.

    `low` and `high` bound the mean with probability `LEVEL`, by bootstrap over files; NaN without an answer.
    """

    mean: float
    low: float
    high: float
    n_answered: int
    n_failed: int  # files without a score: they are in no mean, so this number belongs beside every mean


@dataclass(frozen=True, slots=True)
class Summary:
    """One system over the whole set. Speeds are seconds of audio for one CPU second, on one core."""

    system: str
    family: str
    version: str
    counted: str
    n_files: int
    n_failed: int  # files that gave no audio at all
    bitrate: float  # bit/s: all bits by all seconds
    encode_speed: float
    decode_speed: float
    delay: float  # samples, median over files
    gain_db: float  # mean over files
    metrics: dict[str, Interval]  # metric name -> interval


def bootstrap_mean(values: Sequence[float], level: float = LEVEL, seed: int = 0) -> tuple[float, float, float]:
    """Mean of `values` and the percentile interval of that mean under resampling with replacement.

    Args:
        values: one score a file, finite.
        level: probability that the interval shall cover.
        seed: of the resampling; the same values and seed give the same interval.
    Returns:
        (mean, low, high); NaN for no value, and low = high = mean for one.
    Source: Efron 1979, Bootstrap methods; the percentile interval.
    """
    x = np.asarray(values, np.float64)
    if not len(x):
        return float("nan"), float("nan"), float("nan")
    picks = np.random.default_rng(seed).integers(0, len(x), size=(N_RESAMPLES, len(x)))
    low, high = np.quantile(x[picks].mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return float(x.mean()), float(low), float(high)


def summarise(records: Sequence[Record], systems: Sequence[System], metrics: Sequence[Metric]) -> list[Summary]:
    """One summary a system, in the order of `systems`.

    Args:
        records: of all files through all systems.
        systems: those to summarise; each has at least one record.
        metrics: those to average.
    Returns:
        Summaries.
    """
    return [
        replace(
            _summary([r for r in records if r.system == system.name], metrics),
            family=system.family,
            counted=system.counted,
        )
        for system in systems
    ]


def _summary(records: list[Record], metrics: Sequence[Metric]) -> Summary:
    good = [record for record in records if not record.error]
    seconds = sum(record.seconds for record in good)
    return Summary(
        system=records[0].system,
        family=records[0].family,
        version=records[0].version,
        counted="",
        n_files=len(records),
        n_failed=len(records) - len(good),
        bitrate=_ratio(sum(record.n_bits for record in good), seconds),
        encode_speed=_ratio(seconds, sum(record.encode_s for record in good)),
        decode_speed=_ratio(seconds, sum(record.decode_s for record in good)),
        delay=float(np.median([record.delay for record in good])) if good else float("nan"),
        gain_db=_mean([record.gain_db for record in good if record.gain_db is not None]),
        metrics={metric.name: interval(records, metric) for metric in metrics},
    )


def interval(records: Sequence[Record], metric: Metric) -> Interval:
    """A metric's mean over records, with the number of those that have no score."""
    scores = [record.scores.get(metric.id) for record in records]
    answered = [score for score in scores if score is not None]
    return Interval(*bootstrap_mean(answered), len(answered), len(scores) - len(answered))


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0 else float("nan")


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


@dataclass(frozen=True, slots=True)
class Duel:
    """Two systems on the same files: how much better `ours` is than `theirs`, file by file.

    Intervals of two means may overlap where every single file agrees; this one tells. Positive is better, whichever
    end of the metric is the better one.
    """

    ours: str
    theirs: str
    difference: Interval
    share_won: float  # of the files that both answered


def duels(
    records: Sequence[Record], ours: Sequence[System], theirs: Sequence[System], metric: Metric
) -> list[list[Duel]]:
    """Every system of `theirs` (rows) against every one of `ours` (columns) by one metric.

    Args:
        records: of all files and systems.
        ours: systems whose advantage is asked for.
        theirs: systems to beat.
        metric: by which they are compared.
    Returns:
        A list for each of `theirs`.
    """
    scores: dict[str, dict[str, float]] = {}
    for record in records:
        if (score := record.scores.get(metric.id)) is not None:
            scores.setdefault(record.system, {})[record.file] = score if metric.better == "higher" else -score
    n_files = len({record.file for record in records})
    return [[_duel(a.name, b.name, scores, n_files) for a in ours] for b in theirs]


def _duel(ours: str, theirs: str, scores: dict[str, dict[str, float]], n_files: int) -> Duel:
    a, b = scores.get(ours, {}), scores.get(theirs, {})
    both = sorted(a.keys() & b.keys())
    differences = [a[file] - b[file] for file in both]
    won = _mean([float(difference > 0) for difference in differences])
    return Duel(ours, theirs, Interval(*bootstrap_mean(differences), len(both), n_files - len(both)), won)
