"""NumPy operations against torch's, and against exact values where torch is not exact either."""

import math

import numpy as np
import pytest
import torch

from audiocodec.inference.ops import REACH, ArrayOps

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("dtype", "error"), [("float64", 4e-15), ("float32", 2e-6)])
def test_gelu(dtype: str, error: float) -> None:
    x = np.concatenate([np.linspace(-12, 12, 100_003), [0.0, -0.0, REACH, -REACH, 1e-300, 40.0, -40.0]])
    x = x.astype(dtype)[None, None]
    exact = [value * math.erfc(-value * math.sqrt(0.5)) / 2 for value in x[0, 0].tolist()]
    y = ArrayOps(dtype).gelu(x)
    assert y.dtype == dtype and y.shape == x.shape
    np.testing.assert_allclose(y[0, 0], exact, rtol=0, atol=error)
    np.testing.assert_allclose(y, torch.nn.functional.gelu(torch.from_numpy(x)).numpy(), rtol=0, atol=error)


def test_gelu_of_what_is_not_a_number_is_none() -> None:
    with np.errstate(all="raise"):
        assert np.isnan(ArrayOps("float64").gelu(np.full((1, 1, 1), np.nan))).all()


def test_layer_norm() -> None:
    x, weight, bias = RNG.normal(3, 2, (2, 5, 24)), RNG.normal(size=24), RNG.normal(size=24)
    parameters = [torch.from_numpy(array) for array in (weight, bias)]
    expected = torch.nn.functional.layer_norm(torch.from_numpy(x), (24,), *parameters)
    np.testing.assert_allclose(ArrayOps("float64").layer_norm(x, weight, bias, 1e-5), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("stride", "dilation", "taps"), [(1, 1, 7), (1, 3, 3), (4, 1, 8), (5, 2, 6)])
def test_conv(stride: int, dilation: int, taps: int) -> None:
    x, weight, bias = RNG.normal(size=(2, 6, 61)), RNG.normal(size=(4, 6, taps)), RNG.normal(size=4)
    expected = torch.nn.functional.conv1d(*map(torch.from_numpy, (x, weight, bias)), stride, dilation=dilation)
    y = ArrayOps("float64").conv(x.transpose(0, 2, 1), weight.transpose(2, 1, 0), bias, stride, dilation)
    np.testing.assert_allclose(y.transpose(0, 2, 1), expected, rtol=0, atol=1e-13)


def test_depthwise() -> None:
    x, weight, bias = RNG.normal(size=(2, 6, 20)), RNG.normal(size=(6, 1, 5)), RNG.normal(size=6)
    expected = torch.nn.functional.conv1d(*map(torch.from_numpy, (x, weight, bias)), groups=6)
    y = ArrayOps("float64").depthwise(x.transpose(0, 2, 1), weight[:, 0].T, bias)
    np.testing.assert_allclose(y.transpose(0, 2, 1), expected, rtol=0, atol=1e-13)
