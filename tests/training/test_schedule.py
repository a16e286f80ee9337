"""Schedules against their stated shape."""

from itertools import pairwise

import pytest

from audiocodec.config.training import OptimConfig
from audiocodec.training.schedule import lr_factor, scaled_lr


def curve(config: OptimConfig, steps: int = 100) -> list[float]:
    return [lr_factor(config, step, steps) for step in range(steps + 20)]


def test_cosine_rises_then_falls_to_the_floor_and_stays():
    factors = curve(OptimConfig(schedule="cosine", warmup_steps=9, floor=0.1))
    assert factors[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert factors[9] == 1.0 and factors[100] == pytest.approx(0.1) and factors[119] == pytest.approx(0.1)
    assert all(a > b for a, b in pairwise(factors[9:101]))
    assert lr_factor(OptimConfig(schedule="cosine"), 50, 100) == pytest.approx(0.5)


def test_linear_is_constant_then_falls():
    factors = curve(OptimConfig(schedule="linear", decay_start=0.6, floor=0.0))
    assert set(factors[:61]) == {1.0} and factors[80] == pytest.approx(0.5) and factors[100] == 0.0


def test_constant_stays():
    assert set(curve(OptimConfig(schedule="constant"))) == {1.0}


def test_learning_rate_follows_the_batch_only_when_asked():
    assert scaled_lr(OptimConfig(lr=1e-3), 64) == 1e-3
    assert scaled_lr(OptimConfig(lr=1e-3, lr_batch_size=16), 64) == pytest.approx(4e-3)
