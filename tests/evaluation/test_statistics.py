"""Means, intervals and counts, against scipy and by coverage."""

import math

import numpy as np
import pytest
import scipy.stats

from audiocodec.evaluation.measure import Record
from audiocodec.evaluation.statistics import bootstrap_mean, summarise
from audiocodec.metrics import si_sdr, stoi
from tests.evaluation.fakes import Rounding


def record(file, system="rounding6", **values):
    return Record(file, "0", system, "Rounding", "1", 16000, **{"seconds": 1.0, **values})


def test_the_interval_is_scipys():
    values = np.random.default_rng(3).exponential(size=60)
    mean, low, high = bootstrap_mean(values)
    judge = scipy.stats.bootstrap((values,), np.mean, n_resamples=20000, method="percentile", rng=1).confidence_interval
    assert mean == pytest.approx(values.mean())
    assert (low, high) == pytest.approx((judge.low, judge.high), abs=0.02)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    intervals = [bootstrap_mean(rng.normal(5, 2, 40), seed=seed) for seed in range(100)]
    covered = sum(low <= 5 <= high for _, low, high in intervals)
    assert 87 <= covered <= 99  # 95 are expected; the percentile interval of 40 values is a little narrow


def test_one_seed_one_interval():
    assert bootstrap_mean([1.0, 2.0, 4.0]) == bootstrap_mean([1.0, 2.0, 4.0])
    assert bootstrap_mean([1.0, 2.0, 4.0], seed=1)[0] == pytest.approx(7 / 3)


def test_one_value_and_none():
    assert bootstrap_mean([2.5]) == (2.5, 2.5, 2.5)
    assert all(math.isnan(x) for x in bootstrap_mean([]))


def test_failures_are_in_no_mean_and_in_every_count():
    records = [
        record("a", seconds=2.0, n_bits=6000, encode_s=0.1, decode_s=0.05, scores={stoi.id: 0.9, si_sdr.id: 3.0}),
        record("b", seconds=1.0, n_bits=6000, encode_s=0.1, decode_s=0.01, scores={stoi.id: 0.7, si_sdr.id: None}),
        record("c", seconds=5.0, error="the process died"),
    ]
    (summary,) = summarise(records, [Rounding()], [stoi, si_sdr])
    assert (summary.n_files, summary.n_failed, summary.counted) == (3, 1, "bits of samples")
    assert (
        summary.bitrate == 4000
        and summary.encode_speed == pytest.approx(15)
        and summary.decode_speed == pytest.approx(50)
    )
    assert summary.metrics["stoi"].mean == pytest.approx(0.8)
    assert (summary.metrics["stoi"].n_answered, summary.metrics["stoi"].n_failed) == (2, 1)
    assert (summary.metrics["si_sdr"].mean, summary.metrics["si_sdr"].n_failed) == (3.0, 2)


def test_a_system_that_always_failed_has_no_numbers():
    (summary,) = summarise([record("a", error="no")], [Rounding()], [stoi])
    assert summary.n_failed == 1 and math.isnan(summary.bitrate) and math.isnan(summary.metrics["stoi"].mean)
