"""Simulated channels lose as many packets, in bursts as long, as they say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiocodec.bitstream.channel import GilbertElliott, Uniform, burst_lengths
from audiocodec.errors import ConfigError

MANY = 100_000


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.1, 0.3, 1.0])
def test_uniform_losses_have_their_rate_and_no_memory(rate):
    lost = Uniform(rate).losses(MANY, seed=1)
    assert abs(lost.mean() - rate) < 0.006
    if 0 < rate < 1:
        assert abs(lost[1:][lost[:-1]].mean() - rate) < 0.03  # after a loss no likelier than ever
        assert abs(burst_lengths(lost).mean() - 1 / (1 - rate)) < 0.02


@pytest.mark.parametrize(("rate", "burst"), [(0.01, 1.5), (0.1, 3.0), (0.3, 3.0), (0.3, 8.0), (0.6, 2.0)])
def test_bursts_have_their_rate_and_length(rate, burst):
    channel = GilbertElliott.with_rate(rate, burst)
    lost = channel.losses(MANY, seed=2)
    assert channel.rate == pytest.approx(rate)
    assert abs(lost.mean() - rate) < 0.02
    assert abs(burst_lengths(lost).mean() - burst) < 0.1 * burst


@settings(max_examples=8, deadline=None)
@given(
    to_bad=st.floats(0.01, 0.5), to_good=st.floats(0.05, 1), good=st.floats(0, 0.3), bad=st.floats(0.3, 1)
)  # fmt: skip
def test_both_states_may_lose_some(to_bad, to_good, good, bad):
    channel = GilbertElliott(to_bad, to_good, good, bad)
    assert abs(channel.losses(40_000, seed=3).mean() - channel.rate) < 0.04
    assert good <= channel.rate <= bad


def test_it_begins_as_it_goes_on():
    channel = GilbertElliott.with_rate(0.3, 5)
    first = np.mean([channel.losses(1, seed)[0] for seed in range(3000)])
    assert abs(first - 0.3) < 0.04


def test_the_same_seed_loses_the_same():
    for channel in (Uniform(0.2), GilbertElliott.with_rate(0.2, 3)):
        assert (channel.losses(500, 7) == channel.losses(500, 7)).all()
        assert (channel.losses(500, 7) != channel.losses(500, 8)).any()


def test_lengths_of_bursts():
    assert burst_lengths(np.array([1, 1, 0, 1, 0, 0, 1], dtype=bool)).tolist() == [2, 1, 1]
    assert burst_lengths(np.zeros(4, dtype=bool)).tolist() == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: Uniform(1.1),
        lambda: Uniform(float("nan")),
        lambda: GilbertElliott(0.1, 0.0),
        lambda: GilbertElliott(-0.1, 0.5),
        lambda: GilbertElliott.with_rate(0.1, 0.5),
        lambda: GilbertElliott.with_rate(0.9, 3),  # needs bursts of 9
        lambda: GilbertElliott.with_rate(1.0, 3),
    ],
)
def test_what_no_channel_can_be_is_refused(make):
    with pytest.raises(ConfigError):
        make()
