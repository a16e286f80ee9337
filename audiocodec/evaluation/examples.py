"""The files that a codec does worst on, as pictures and sound beside the original: jobs for the report."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..data.pool import Job, Pool, Step
from ..metrics.base import Metric, resample
from .measure import Record, code, load
from .media import data_uri, flac, spectrogram
from .own import OwnCodec
from .run import Evaluation
from .systems import System

MAX_S = 12.0  # of each recording that goes into the page


@dataclass(frozen=True, slots=True)
class Clip:
    """One signal for the page: `label` of its system ("original" for the reference), scores by metric name."""

    label: str
    bitrate: float | None  # bit/s of the whole file
    scores: dict[str, float | None]
    audio: str  # data URI, empty where the system cannot be run here or failed
    picture: str  # data URI


@dataclass(frozen=True, slots=True)
class Example:
    """One recording through every system."""

    file: str
    seconds: float
    clips: list[Clip]


@dataclass(frozen=True, slots=True)
class StageUse:
    """How one codebook was used over the whole set."""

    stage: int  # from 1
    size: int
    used: int  # entries chosen at least once
    bits: float  # entropy of the choice, bits a frame
    full_bits: float  # log2(size)


def worst_files(evaluation: Evaluation, metric: Metric, count: int) -> list[str]:
    """Names of the recordings with the worst mean score over our codecs (over all systems where none is ours).

    A file that a system failed on counts as worse than any score.
    """
    judged = [s.name for s in evaluation.systems if isinstance(s, OwnCodec)] or [s.name for s in evaluation.systems]
    sign = 1.0 if metric.better == "higher" else -1.0
    badness: dict[str, list[float]] = {}
    for record in evaluation.records:
        if record.system in judged:
            score = record.scores.get(metric.id)
            badness.setdefault(record.file, []).append(-np.inf if score is None else sign * score)
    return sorted(badness, key=lambda file: (np.mean(badness[file]), file))[:count]


def make_examples(evaluation: Evaluation, files: Sequence[str], pool: Pool) -> list[Example]:
    """Code `files` again with every system, for sound and pictures.

    Args:
        evaluation: gives systems, paths and scores.
        files: names as in its records.
        pool: workers to do it in.
    Returns:
        One example a file, clips in the order of the systems, the original first.
    """
    scored = {(record.file, record.system): record for record in evaluation.records}
    for file in files:
        path = str(evaluation.paths[file])
        for system in (None, *evaluation.systems):
            pool.submit(Job(_media, (file, path, system, evaluation.sample_rate)))
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for outcome in pool.outcomes():
        file, _, system, _ = outcome.job.arguments
        found[file, system.name if system else ""] = outcome.value or ("", "")
    examples = []
    for file in files:
        clips = [Clip("original", None, {}, *found[file, ""])]
        for system in evaluation.systems:
            record = scored[file, system.name]
            scores = {metric.name: record.scores.get(metric.id) for metric in evaluation.metrics}
            clips.append(Clip(system.name, _bitrate(record), scores, *found[file, system.name]))
        examples.append(Example(file, scored[file, evaluation.systems[0].name].seconds, clips))
    return examples


def codebook_use(evaluation: Evaluation, pool: Pool) -> tuple[dict[str, list[StageUse]], dict[str, str]]:
    """Use of each codebook over the set, from the bytes that our codecs write.

    Returns:
        (family -> stages, of the highest bitrate evaluated; what could not be counted -> why).
    """
    highest: dict[str, OwnCodec] = {}
    for system in evaluation.systems:
        if isinstance(system, OwnCodec) and system.bitrate >= getattr(highest.get(system.family), "bitrate", 0):
            highest[system.family] = system
    paths = [str(path) for path in evaluation.paths.values()]
    for system in highest.values():
        pool.submit(Job(_count_codes, (paths, system, evaluation.sample_rate)))
    use, faults = {}, {}
    for outcome in pool.outcomes():
        family = outcome.job.arguments[1].family
        if outcome.error:
            faults[f"use of the codebooks of {family}"] = outcome.error
        else:
            use[family] = [_stage_use(stage, counts) for stage, counts in enumerate(outcome.value, start=1)]
    return use, faults


def _media(file: str, path: str, system: System | None, sample_rate: int, step: Step) -> tuple[str, str]:
    """(sound, picture) of a recording, decoded by `system` if given, as data URIs."""
    step("read")
    signal = load(path, sample_rate)
    if system:
        step("code")
        aligned, _ = code(signal, sample_rate, system)
        signal = aligned.signal
    step("picture")
    cut = signal[: int(MAX_S * sample_rate)]
    return data_uri(flac(cut, sample_rate), "audio/flac"), data_uri(spectrogram(cut, sample_rate), "image/jpeg")


def _count_codes(paths: list[str], system: OwnCodec, sample_rate: int, step: Step) -> list[list[int]]:
    """Per stage, how often each codeword stands in the files that the codec writes."""
    counts: list[list[int]] = []
    for path in paths:
        step(path)
        sizes, codes = system.codes(resample(load(path, sample_rate), sample_rate, system.sample_rate))
        counts = counts or [[0] * size for size in sizes]
        for total, stage in zip(counts, codes, strict=True):
            for index, n in enumerate(np.bincount(stage, minlength=len(total))):
                total[index] += int(n)
    return counts


def _stage_use(stage: int, counts: list[int]) -> StageUse:
    share = np.asarray(counts, np.float64) / max(1, sum(counts))
    present = share[share > 0]
    bits = float(-(present * np.log2(present)).sum()) + 0.0
    return StageUse(stage, len(counts), len(present), bits, float(np.log2(len(counts))))


def _bitrate(record: Record) -> float | None:
    return record.n_bits / record.seconds if record.seconds and not record.error else None
