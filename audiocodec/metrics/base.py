"""What a metric is: a named, versioned definition that answers with a number or says why it cannot.

A metric compares a decoded signal with its reference. `metric(reference, degraded, sample_rate)` gives a float, NaN
where the definition has no answer; `metric.score(...)` gives the reason too. A failure is never turned into a number:
a codec that decodes silence must not score "PESQ 1.0", it must be counted as failed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

import numpy as np
import soxr
from numpy.typing import NDArray

from ..errors import CodecError, ShapeError

Signal = NDArray[np.float32]
DISTRIBUTIONS = {"visqol": "visqol-python", "xls_r_sqa": "xls-r-sqa==0.1.0"}  # import name -> what pip calls it


class NoScoreError(CodecError):
    """A metric has no answer for this pair of signals; the message says why."""


@dataclass(frozen=True, slots=True)
class Score:
    """One answer: `value`, or NaN with a `reason`."""

    value: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric under the one name, version and rate by which tables quote it.

    Two numbers may be compared only where `id` is the same. `sample_rate` is the rate in Hz at which both signals are
    compared, after resampling by soxr (quality HQ); None means the rate they come with.
    """

    name: str
    version: str
    label: str
    definition: str
    better: Literal["higher", "lower"]
    function: Callable[[Signal, Signal, int], float]
    sample_rate: int | None = 16000
    unit: str = ""
    packages: tuple[str, ...] = ()  # import names of what it needs beyond numpy and soxr

    @property
    def id(self) -> str:
        """Name, rate and version in one word, as result files store it."""
        rate = f"{self.sample_rate}hz" if self.sample_rate else "comparison"
        return f"{self.name}@{rate}/{self.version}"

    def missing(self) -> list[str]:
        """What pip would have to install for this metric."""
        return [DISTRIBUTIONS.get(name, name.replace("_", "-")) for name in self.packages if find_spec(name) is None]

    def __call__(self, reference: Signal, degraded: Signal, sample_rate: int) -> float:
        """The score as a plain number, NaN where there is none. See `score`."""
        return self.score(reference, degraded, sample_rate).value

    def score(self, reference: Signal, degraded: Signal, sample_rate: int) -> Score:
        """Compare a decoded signal with its reference.

        Args:
            reference: [L] float32 in [-1, 1].
            degraded: [L] float32, already aligned (`audiocodec.metrics.alignment`); levels are left as they are.
            sample_rate: of both, Hz.
        Returns:
            Score: the value, or NaN and a reason.
        Raises:
            ShapeError: the signals are not one-dimensional or differ in length; that is the caller's mistake.
        """
        reference, degraded = as_signal(reference, "reference"), as_signal(degraded, "degraded")
        if reference.shape != degraded.shape:
            raise ShapeError(
                f"{self.name}: reference has {len(reference)} samples, degraded {len(degraded)}; "
                "bring them to one length first with audiocodec.metrics.alignment.align"
            )
        try:
            _check_content(reference, degraded)
            rate = self.sample_rate or sample_rate
            value = self.function(resample(reference, sample_rate, rate), resample(degraded, sample_rate, rate), rate)
        except NoScoreError as error:
            return Score(float("nan"), str(error))
        if not np.isfinite(value):
            return Score(float("nan"), f"{self.name} came out as {value}")
        return Score(float(value))


def as_signal(samples: NDArray[np.floating], role: str) -> Signal:
    """Check that `samples` is [L] and give it as contiguous float32; `role` names it in the error message."""
    array = np.ascontiguousarray(samples, dtype=np.float32)
    if np.ndim(samples) != 1:
        raise ShapeError(f"{role} must be one channel, [L]; got shape {list(np.shape(samples))}: measure each channel")
    return array


def resample(signal: Signal, from_rate: int, to_rate: int) -> Signal:
    """Resample [L] from one rate (Hz) to another by soxr HQ, the same for reference and decoded signals."""
    if from_rate == to_rate:
        return signal
    return np.asarray(soxr.resample(signal, from_rate, to_rate, quality="HQ"), np.float32)


def _check_content(reference: Signal, degraded: Signal) -> None:
    """Refuse what no metric can judge, with the reason that the failure table will show."""
    if not len(reference):
        raise NoScoreError("no samples")
    if not np.isfinite(reference).all():
        raise NoScoreError("the reference holds NaN or infinite samples")
    if not np.isfinite(degraded).all():
        raise NoScoreError("the decoded signal holds NaN or infinite samples")
    if not reference.any():
        raise NoScoreError("the reference is silent")
    if not degraded.any():
        raise NoScoreError("the decoded signal is silent")
