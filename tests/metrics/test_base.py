"""What every metric promises: a number, or NaN with a reason; never a score for a failure."""

import numpy as np
import pytest
import soxr

from audiocodec.errors import ConfigError, ShapeError
from audiocodec.metrics import Metric, pesq_wb
from audiocodec.metrics.catalogue import METRICS, choose

RATE = 16000
QUICK = [metric for metric in METRICS.values() if not metric.missing() and not metric.name.startswith("visqol")]
noise = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)


def with_one(value):
    signal = noise.copy()
    signal[5000] = value
    return signal


@pytest.mark.parametrize("metric", QUICK, ids=lambda m: m.name)
@pytest.mark.parametrize(
    ("reference", "degraded", "reason"),
    [
        (noise, np.zeros_like(noise), "decoded signal is silent"),
        (np.zeros_like(noise), noise, "reference is silent"),
        (noise, with_one(np.nan), "NaN or infinite"),
        (noise, with_one(np.inf), "NaN or infinite"),
        (noise[:0], noise[:0], "no samples"),
        (noise[:1], noise[:1], ""),
    ],
    ids=["silent output", "silent reference", "nan", "inf", "empty", "one sample"],
)
def test_what_cannot_be_judged_gives_nan_and_a_reason(metric, reference, degraded, reason):
    score = metric.score(reference, degraded, RATE)
    assert np.isnan(score.value) and np.isnan(metric(reference, degraded, RATE))
    assert score.reason and reason in score.reason


def test_lengths_that_differ_are_the_callers_mistake():
    with pytest.raises(ShapeError, match=r"16000 samples, degraded 15999.*align"):
        pesq_wb(noise, noise[1:], RATE)


def test_channels_are_the_callers_mistake():
    with pytest.raises(ShapeError, match=r"one channel.*\[1, 16000\]"):
        pesq_wb(noise[None], noise[None], RATE)


def test_signals_are_compared_at_the_metrics_rate():
    seen = []

    def remember(reference, degraded, sample_rate):
        seen.append((reference, sample_rate))
        return 0.0

    metric = Metric("probe", "1", "probe", "", "lower", remember, sample_rate=8000)
    metric(noise, noise, RATE)
    ((reference, rate),) = seen
    assert rate == 8000 and metric.id == "probe@8000hz/1"
    np.testing.assert_allclose(reference, soxr.resample(noise, RATE, 8000, quality="HQ"), atol=1e-7)


def test_a_value_that_is_no_number_is_no_score():
    metric = Metric("probe", "1", "probe", "", "lower", lambda reference, degraded, rate: float("inf"))
    assert metric.score(noise, noise, RATE).reason == "probe came out as inf"


def test_choose_takes_groups_and_names_once_and_in_order():
    assert [metric.name for metric in choose("stoi, pesq_wb,stoi")] == ["stoi", "pesq_wb"]
    assert choose("core")[0].name == "pesq_wb"
    assert {metric.name for metric in choose("all")} == METRICS.keys()


@pytest.mark.parametrize("text", ["", " , ", "pesq", "core,nosuch"])
def test_choose_refuses_what_it_does_not_know(text):
    with pytest.raises(ConfigError, match="known: pesq_wb"):
        choose(text)


def test_ids_are_unique():
    assert len({metric.id for metric in METRICS.values()}) == len(METRICS)
