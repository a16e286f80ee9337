"""The search against exhaustive distances in another library, ties, and float64 screened in float32."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from audiocodec.quantizers import nearest as module
from audiocodec.quantizers.nearest import Table, nearest
from tests.quantizers.makers import latents


@given(
    rows=st.integers(0, 700),
    size=st.integers(1, 70),
    dim=st.integers(1, 64),
    seed=st.integers(0, 99),
    wide=st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_finds_what_scipy_finds(rows, size, dim, seed, wide):
    dtype = torch.float64 if wide else torch.float32
    z, points = latents(rows, dim, seed=seed).to(dtype), latents(size, dim, seed=seed + 100).to(dtype)
    codes = nearest(z, Table(points))
    assert codes.shape == (rows,) and codes.dtype == torch.int64
    distances = cdist(z.double().numpy(), points.double().numpy())
    best = distances.min(axis=1) if rows else np.zeros(0)
    found = distances[np.arange(rows), codes.numpy()]
    np.testing.assert_allclose(found, best, rtol=1e-12 if wide else 1e-4, atol=1e-12 if wide else 1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rows", [1, 300])
def test_of_equal_scores_the_lowest_index_wins(dtype, rows):
    """Small whole numbers, so that no order of summation rounds."""
    points = (4 * latents(50, 40)).round().to(dtype)
    points[30] = points[49] = points[7]
    assert (nearest(points[7].expand(rows, -1), Table(points)) == 7).all()


@pytest.mark.parametrize("dim", [5, 40, 128])
def test_in_float64_a_row_is_answered_alike_in_any_company(dim):
    """Alone (a live stream), in a batch, in any order; with twins among the codewords, which a matrix product tells
    apart by where they lie in its tiles."""
    points = latents(101, dim).double()
    points[50:100] = points[:50]
    z = latents(700, dim, seed=5).double()
    together = nearest(z, Table(points))
    alone = torch.cat([nearest(row[None], Table(points)) for row in z])
    assert torch.equal(together, alone)
    shuffle = torch.randperm(700, generator=torch.Generator().manual_seed(0))
    assert torch.equal(nearest(z[shuffle], Table(points)), together[shuffle])
    assert torch.equal(nearest(z[:65], Table(points)), together[:65])
    assert ((together < 50) | (together == 100)).all()


def test_screening_gives_the_float64_answer_where_float32_cannot_tell(monkeypatch):
    """Pairs of codewords closer than float32 resolves, latents on the planes between them, and a huge common offset."""
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(64, 48, generator=generator, dtype=torch.float64)
    twins = base + 1e-7 * torch.randn(64, 48, generator=generator, dtype=torch.float64)
    for offset in (0.0, 1e4):
        points = torch.cat([base, twins]) + offset
        z = (
            (base + twins).repeat(4, 1) / 2
            + offset
            + 1e-9 * torch.randn(256, 48, generator=generator, dtype=torch.float64)
        )
        screened = nearest(z, Table(points))
        coarse = nearest(z.float(), Table(points.float()))
        monkeypatch.setattr(module, "SCREENED_ROWS", 10**9)
        assert torch.equal(screened, nearest(z, Table(points)))
        monkeypatch.undo()
        assert (coarse != screened).any(), "the case is too easy to test anything"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_blocks_of_any_size_give_the_same_answer(dtype, monkeypatch):
    points, whole = latents(50, 40).to(dtype), latents(700, 40, seed=5).to(dtype)
    expected = nearest(whole, Table(points))
    for block in (1, 64, 699, 700):
        monkeypatch.setattr(module, "block_size", lambda *_, block=block: block)
        assert torch.equal(nearest(whole, Table(points)), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tables_whose_rows_of_scores_fill_pages(dtype):
    """They are given columns that are no codewords; none is ever chosen, whatever comes in."""
    points, z = latents(512, 4).to(dtype), latents(80, 4, seed=5).to(dtype)
    expected = cdist(z.numpy(), points.numpy()).argmin(axis=1)
    assert (nearest(z, Table(points)).numpy() == expected).all()
    for strange in (torch.inf, -torch.inf, torch.nan, 1e30):
        z[7] = strange
        codes = nearest(z, Table(points))
        assert (codes >= 0).all() and (codes < 512).all()
        assert (np.delete(codes.numpy(), 7) == np.delete(expected, 7)).all()


def test_blocks_are_bounded_for_tables_of_any_size():
    """Neither a row at a time for a fine grid nor scores without end for a small table."""
    rows, threads = latents(1, 2), torch.get_num_threads()
    blocks = [module.block_size(rows, Table(torch.zeros(size, 2))) // threads for size in (2, 256, 1024, 8185, 65536)]
    assert blocks == sorted(blocks, reverse=True) and blocks[0] == 1024 and blocks[-1] == 64


def test_screening_survives_what_float32_cannot_hold():
    points = latents(20, 40).double() * 1e100
    z = points.repeat(10, 1)
    assert torch.equal(nearest(z, Table(points)), torch.arange(20).repeat(10))


def test_offsets_can_be_any_score():
    weights, bias = latents(9, 5), latents(9, seed=2)
    z = latents(100, 5, seed=3)
    assert torch.equal(nearest(z, Table(weights, -bias)), (z @ weights.T + bias).argmax(dim=1))
