"""The scalar grid."""

import math

import pytest
import torch

from audiocodec.config.quantizer import fsq_levels
from audiocodec.quantizers import FSQ
from audiocodec.quantizers.fsq import ScalarGrid
from tests.quantizers.makers import latents


@pytest.mark.parametrize("levels", [(2,), (3, 2), (8, 5, 5, 5)])
def test_every_code_is_its_own_point_and_finds_itself(levels):
    grid = ScalarGrid(levels)
    codes = torch.arange(math.prod(levels))
    points = grid.lookup(codes, torch.float64)
    assert len(torch.unique(points, dim=0)) == len(codes)
    assert points.min() == -1 and points.max() == 1
    assert torch.equal(grid.search(torch.atanh(points * 0.999), None), codes)  # inside the cell, by far


def test_cells_divide_the_range_evenly():
    grid = ScalarGrid((5,))
    values = torch.linspace(-0.9999, 0.9999, 9999)
    counts = torch.bincount(grid.search(torch.atanh(values)[:, None], None))
    assert counts.max() - counts.min() <= 2


def test_gradient_is_that_of_the_bounded_value():
    grid = ScalarGrid((7, 4)).double()
    rows = latents(20, 2).double().requires_grad_()
    step = grid.train_stage(rows, rows, None)
    torch.testing.assert_close(step.z_q, grid.lookup(step.codes, torch.float64))
    step.z_q.sum().backward()
    slope = torch.tensor([7 / 6, 4 / 3]) * (1 - torch.tanh(rows.detach()) ** 2)
    torch.testing.assert_close(rows.grad, slope)


def test_start_from_data_uses_the_whole_grid():
    quantizer, z = FSQ(256, 8), latents(4000, 8) * torch.tensor([4.0, 3, 2, 1, 0.5, 0.5, 0.2, 0.1]) + 5
    quantizer.init_from_data(z)
    quantizer.eval()
    metrics = quantizer(z).metrics
    assert metrics["usage"] > 0.98 and metrics["effective_bits"] > 0.95 * math.log2(252)
    assert metrics["relative_error"] < 0.35 and "misalignment" not in metrics


@pytest.mark.parametrize("size", [2, 3, 7, 9, 16, 100, 256, 1000, 1024, 4096, 65536])
def test_levels_fill_the_wanted_size(size):
    levels = fsq_levels(size)
    assert math.prod(levels) <= size and math.prod(levels) >= (0.9 * size if size > 8 else size)
    assert all(2 <= level <= 8 for level in levels)
    assert fsq_levels(1024) == (8, 5, 5, 5)  # the paper's choice for 2^10
