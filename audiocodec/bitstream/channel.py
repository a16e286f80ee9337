"""Channels that lose packets, simulated: independent losses, and losses in bursts by the model of Gilbert and Elliott.

lost = GilbertElliott.with_rate(0.1, mean_burst=3).losses(n_packets, seed=0)     # [n_packets] bool
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError


@dataclass(frozen=True, slots=True)
class Uniform:
    """Every packet is lost with the same probability, whatever became of the others.

    Args:
        rate: probability of loss, 0 to 1.
    Raises:
        ConfigError: `rate` is no probability.
    """

    rate: float

    def __post_init__(self) -> None:
        _check(rate=self.rate)

    def losses(self, n_packets: int, seed: int) -> NDArray[np.bool_]:
        """Return which packets are lost, [n_packets]; the same for the same seed."""
        return np.random.default_rng(seed).random(n_packets) < self.rate


@dataclass(frozen=True, slots=True)
class GilbertElliott:
    """A channel that is now good, now bad, each for a geometric number of packets.

    Args:
        good_to_bad: probability that a good channel is bad for the next packet, 0 to 1.
        bad_to_good: probability that a bad channel is good for the next packet, above 0, up to 1.
        loss_good: probability of loss while it is good.
        loss_bad: probability of loss while it is bad; 1 and `loss_good` 0 make it the model of Gilbert.
    Raises:
        ConfigError: a probability that is none, or a bad channel that never ends.
    Source: E. N. Gilbert 1960, "Capacity of a burst-noise channel"; E. O. Elliott 1963, "Estimates of error rates for
        codes on burst-noise channels", Bell System Technical Journal 39 and 42.
    """

    good_to_bad: float
    bad_to_good: float
    loss_good: float = 0.0
    loss_bad: float = 1.0

    def __post_init__(self) -> None:
        names = ("good_to_bad", "bad_to_good", "loss_good", "loss_bad")
        _check(**{name: getattr(self, name) for name in names})
        if not self.bad_to_good:
            raise ConfigError("bad_to_good must be above 0: a bad channel would stay bad for ever")

    @classmethod
    def with_rate(cls, rate: float, mean_burst: float) -> Self:
        """The model of Gilbert with a given loss rate.

        Args:
            rate: share of packets lost in the long run, 0 to below 1.
            mean_burst: mean number of packets lost in a row, at least max(1, rate / (1 - rate)).
        Raises:
            ConfigError: no channel has this rate with bursts so short.
        """
        _check(rate=rate)
        shortest = max(1.0, rate / (1 - rate) if rate < 1 else np.inf)
        if mean_burst < shortest:
            raise ConfigError(
                f"mean_burst must be at least {shortest:g} for a loss rate of {rate:g}, got {mean_burst:g}"
            )
        return cls(rate / (1 - rate) / mean_burst, 1 / mean_burst)

    @property
    def rate(self) -> float:
        """Share of packets lost in the long run."""
        bad = self.good_to_bad / (self.good_to_bad + self.bad_to_good)
        return bad * self.loss_bad + (1 - bad) * self.loss_good

    def losses(self, n_packets: int, seed: int) -> NDArray[np.bool_]:
        """Return which packets are lost, [n_packets]; the same for the same seed. It begins in its long-run state."""
        rng = np.random.default_rng(seed)
        steps, fates = rng.random(n_packets), rng.random(n_packets)
        bad = np.empty(n_packets, dtype=bool)
        now = bool(rng.random() < self.good_to_bad / (self.good_to_bad + self.bad_to_good))
        for i, step in enumerate(steps):
            bad[i] = now
            now = step >= self.bad_to_good if now else step < self.good_to_bad
        return fates < np.where(bad, self.loss_bad, self.loss_good)


Channel = Uniform | GilbertElliott


def burst_lengths(lost: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the lengths of all runs of lost packets, in order."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], lost, [False]]).astype(np.int8)))
    return edges[1::2] - edges[::2]


def _check(**probabilities: float) -> None:
    for name, value in probabilities.items():
        if not 0 <= value <= 1:
            raise ConfigError(f"{name} must be 0 to 1, got {value:g}")
