"""The nearest-codeword search against exhaustive comparison and against the search of the torch quantizers."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from audiocodec.inference.nearest import Table, nearest
from audiocodec.quantizers import nearest as torch_search


def exhaustive(rows: np.ndarray, points: np.ndarray) -> np.ndarray:
    return np.square(rows[:, None] - points).sum(axis=2).argmin(axis=1)


def torch_nearest(rows: np.ndarray, points: np.ndarray) -> np.ndarray:
    return torch_search.nearest(torch.from_numpy(rows), torch_search.Table(torch.from_numpy(points))).numpy()


@given(n=st.integers(0, 600), k=st.integers(1, 50), dim=st.sampled_from([1, 3, 31, 32, 48]), seed=st.integers(0, 10**6))
def test_finds_the_nearest(n: int, k: int, dim: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, points = rng.normal(size=(n, dim)), rng.normal(size=(k, dim))
    codes = nearest(rows, Table.of(points))
    assert codes.dtype == np.int64
    np.testing.assert_array_equal(codes, exhaustive(rows, points) if n else [])


@pytest.mark.parametrize("dim", [2, 48])
@pytest.mark.parametrize("n", [5, 400])
def test_of_equal_codewords_the_first_wins(n: int, dim: int) -> None:
    rng = np.random.default_rng(1)
    points = np.repeat(rng.normal(size=(20, dim)), 3, axis=0)
    points[[7, 30]] = points[50]
    rows = points[rng.integers(0, 60, n)] + 0.01 * rng.normal(size=(n, dim))
    codes = nearest(rows, Table.of(points))
    first = [int(np.flatnonzero((points == point).all(axis=1))[0]) for point in points]
    assert all(first[code] == code for code in codes)
    np.testing.assert_array_equal(codes, torch_nearest(rows, points))


@pytest.mark.parametrize("gap", [1e-4, 1e-7, 1e-9, 1e-11])
def test_near_ties_that_float32_cannot_see(gap: float) -> None:
    """Two codewords at nearly one distance: where float32 scores are a coin, float64 still decides."""
    rng = np.random.default_rng(2)
    points = rng.normal(size=(40, 48))
    rows = points[rng.integers(0, 40, 400)] + 0.1 * rng.normal(size=(400, 48))
    both = np.concatenate([points, points * (1 + gap)])
    np.testing.assert_array_equal(nearest(rows, Table.of(both)), torch_nearest(rows, both))


def test_rows_do_not_depend_on_their_neighbours() -> None:
    rng = np.random.default_rng(3)
    rows, table = rng.normal(size=(700, 48)), Table.of(rng.normal(size=(200, 48)))
    together = nearest(rows, table)
    np.testing.assert_array_equal(np.concatenate([nearest(row[None], table) for row in rows]), together)
    np.testing.assert_array_equal(nearest(rows[100:350], table), together[100:350])
