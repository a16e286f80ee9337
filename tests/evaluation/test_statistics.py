"""Means, intervals and counts, against scipy and by coverage."""

import math

import numpy as np
import pytest
import scipy.stats

from audiocodec.evaluation.measure import Record
from audiocodec.evaluation.statistics import bootstrap_mean, duels, summarise
from audiocodec.metrics import mel_distance, si_sdr, stoi
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


def test_a_duel_sees_what_intervals_of_means_do_not():
    """Files differ by far more than systems, yet one system is better on every file."""
    levels = np.random.default_rng(0).normal(10, 5, 40)
    records = [record(str(n), "rounding6", scores={si_sdr.id: level}) for n, level in enumerate(levels)]
    records += [
        record(str(n), "rounding8", scores={si_sdr.id: level + 0.1 + 0.01 * n}) for n, level in enumerate(levels)
    ]
    ((duel,),) = duels(records, [Rounding(bits=8)], [Rounding(bits=6)], si_sdr)
    assert duel.share_won == 1 and duel.difference.mean == pytest.approx(0.295) and duel.difference.low > 0.2
    means = summarise(records, [Rounding(bits=6), Rounding(bits=8)], [si_sdr])
    assert means[0].metrics["si_sdr"].high > means[1].metrics["si_sdr"].low


def test_a_duel_by_a_distance_turns_the_sign_and_counts_files_that_one_of_them_failed():
    records = [record(file, "rounding6", scores={mel_distance.id: 1.0}) for file in "ab"]
    records += [record("a", "rounding8", scores={mel_distance.id: 0.4}), record("b", "rounding8", error="died")]
    ((duel,),) = duels(records, [Rounding(bits=8)], [Rounding(bits=6)], mel_distance)
    assert duel.difference.mean == pytest.approx(0.6)
    assert (duel.difference.n_answered, duel.difference.n_failed) == (1, 1)
