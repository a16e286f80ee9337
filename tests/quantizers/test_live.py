"""The search for few rows answers as the search for many, near-ties and every kind of stage included."""

import pytest
import torch

from audiocodec.quantizers import FSQ, DiVeQ, ResidualQuantizer, SFDiVeQ, paths
from tests.quantizers.makers import latents


def frozen(method, n_q=4, size=50, dim=12, **options) -> ResidualQuantizer:
    torch.manual_seed(0)
    quantizer = ResidualQuantizer(method, n_q, size, dim, **options).double().eval().requires_grad_(False)
    quantizer.init_from_data(latents(400, dim))
    return quantizer


@pytest.mark.parametrize("options", [{}, {"codebook_dim": 5}])
@pytest.mark.parametrize("method", [DiVeQ, SFDiVeQ])
def test_held_tables_change_no_code(method, options):
    quantizer = frozen(method, **options)
    z = latents(300, 12, seed=1).double()
    before = quantizer.encode(z)
    quantizer.hold_tables(torch.float64)
    assert torch.equal(quantizer.encode(z), before)
    for size in (1, 3, 64):
        assert torch.equal(torch.cat([quantizer.encode(some) for some in z.split(size)]), before)
        assert torch.equal(quantizer.encode(z[:size], 2), before[:size, :2])


@pytest.mark.parametrize("beam", [2, 5])
def test_held_tables_change_no_path(beam):
    quantizer = frozen(DiVeQ, size=30).with_beam(beam)
    z = latents(300, 12, seed=1).double()
    before = quantizer.encode(z)
    assert not torch.equal(before, quantizer.with_beam(1).encode(z))
    quantizer.hold_tables(torch.float64)
    assert torch.equal(quantizer.encode(z), before)
    assert torch.equal(torch.cat([quantizer.encode(some) for some in z.split(1)]), before)
    assert torch.equal(quantizer.encode(z, 2), quantizer.with_beam(beam).encode(z, 2))


def test_paths_that_float32_cannot_tell_apart_are_decided_in_float64():
    quantizer = frozen(DiVeQ, n_q=3).with_beam(4)
    with torch.no_grad():
        for stage in quantizer.stages:
            stage.codebook[25:] = stage.codebook[:25] + 1e-8 * torch.randn(25, 12, dtype=torch.float64)
    z = latents(200, 12, seed=4).double()
    tables = quantizer.points(3, torch.float64)
    offsets = [torch.linalg.vecdot(table, table) / 2 for table in tables]
    plain = paths._best_paths(z, tables, offsets, 4, None)  # every score in float64
    assert torch.equal(quantizer.encode(z), plain)
    quantizer.hold_tables(torch.float64)
    assert torch.equal(quantizer.encode(z), plain)


def test_near_ties_are_decided_in_float64():
    """Latents closer to the plane between two codewords than float32 can tell."""
    quantizer = frozen(DiVeQ, n_q=2)
    with torch.no_grad():
        for stage in quantizer.stages:
            stage.codebook[25:] = stage.codebook[:25] + 1e-9 * torch.randn(25, 12, dtype=torch.float64)
    z = quantizer.stages[0].codebook[:25] + 1e-10 * latents(25, 12).double()
    before = quantizer.encode(z)
    coarse = torch.cdist(z.float(), quantizer.stages[0].codebook.float()).argmin(dim=1)
    assert (coarse != before[:, 0]).any(), "the case is too easy to test anything"
    quantizer.hold_tables(torch.float64)
    assert quantizer._live is not None
    assert torch.equal(quantizer.encode(z), before)


def test_stages_without_tables_keep_their_own_search():
    quantizer = ResidualQuantizer(FSQ, 2, 25, 6).double().eval()
    quantizer.hold_tables(torch.float64)
    assert quantizer._live is None
