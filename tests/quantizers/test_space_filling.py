"""The curve: nested grids, exact search, surrogates."""

import itertools

import numpy as np
import pytest
import torch

from audiocodec.errors import ConfigError
from audiocodec.quantizers import ResidualQuantizer, SFDiVeQ, SFDiVeQDetach
from tests.quantizers.makers import latents


def grid(corners: np.ndarray, sf_bits: int) -> np.ndarray:
    """The alphabet by its definition, point by point."""
    steps = 2**sf_bits
    points = [
        corners[i] + j / steps * (corners[i + 1] - corners[i]) for i in range(len(corners) - 1) for j in range(steps)
    ]
    return np.array([*points, corners[-1]])


@pytest.mark.parametrize("sf_bits", [0, 1, 2, 3])
def test_codes_are_the_nearest_points_of_the_grid(sf_bits):
    quantizer = SFDiVeQ(9, 4, sf_bits=sf_bits).eval()
    points = grid(quantizer.codebook.detach().numpy(), sf_bits)
    assert quantizer.codebook_sizes == (len(points),) == (8 * 2**sf_bits + 1,)
    everything = quantizer.decode(torch.arange(len(points)))
    np.testing.assert_allclose(everything.detach().numpy(), points, rtol=1e-5, atol=1e-6)
    z = latents(500, 4)
    best = np.square(z.numpy()[:, None] - points).sum(axis=-1).argmin(axis=1)
    assert (quantizer.encode(z).numpy() == best).mean() > 0.995  # the rest lies on a border, up to rounding


def test_grids_are_nested_so_more_bits_never_hurt():
    quantizer = SFDiVeQ(17, 4).eval()
    quantizer.init_from_data(latents(2000, 4))
    z, alphabets, errors = latents(1000, 4, seed=8), [], []
    for sf_bits in range(4):
        finer = quantizer.with_sf_bits(sf_bits)
        alphabets.append({tuple(point) for point in finer.decode(torch.arange(*finer.codebook_sizes)).tolist()})
        errors.append((finer(z).z_q - z).square().sum(dim=1))
    for coarse, fine in itertools.pairwise(alphabets):
        assert coarse < fine
    for coarse, fine in itertools.pairwise(errors):
        assert (fine <= coarse + 1e-5).all() and fine.mean() < coarse.mean()


def test_another_rate_shares_the_parameters():
    quantizer = ResidualQuantizer(SFDiVeQ, 2, 9, 4).eval()
    finer = quantizer.with_sf_bits(2)
    assert all(a is b for a, b in zip(quantizer.parameters(), finer.parameters(), strict=True))
    with torch.no_grad():
        quantizer.codebooks()[0].codebook.mul_(2)
    z = latents(20, 4)
    assert torch.equal(finer.decode(finer.encode(z)), finer(z).z_q)
    assert (finer.encode(z) >= 9).any() and (quantizer.encode(z) < 9).all()
    assert quantizer.with_sf_bits(0).encode(z).equal(quantizer.encode(z))


def test_residuals_are_taken_from_the_decodable_point():
    quantizer = ResidualQuantizer(SFDiVeQ, 2, 9, 4).with_sf_bits(2).eval()
    z = latents(50, 4)
    codes = quantizer.encode(z)
    first, second = quantizer.stages
    left = z - first.decode(codes[:, 0])
    assert torch.equal(codes[:, 1], second.encode(left))


@pytest.mark.parametrize("surrogate", ["point", "two-error"])
def test_training_output_lies_on_the_curve_at_one_place_a_segment(surrogate):
    """Without noise z_q is c_i + lambda_i (c_{i+1} - c_i), with one lambda a segment for the whole batch."""
    quantizer = SFDiVeQDetach(9, 4, surrogate=surrogate)
    out = quantizer(latents(400, 4))
    corners = quantizer.codebook.detach()
    along = corners[1:] - corners[:-1]
    share = ((out.z_q[:, None] - corners[:-1]) * along).sum(-1) / along.square().sum(-1)
    gaps = (corners[:-1] + share[..., None].clamp(0, 1) * along - out.z_q[:, None]).norm(dim=-1)
    gap, segment = gaps.min(dim=1)
    assert gap.max() < 1e-5
    places = share.gather(1, segment[:, None])[:, 0]
    for index in segment.unique():
        mine = places[segment == index]
        assert mine.max() - mine.min() < 1e-3
    assert torch.equal(out.codes, segment + (places > 0.5))  # the corner next to it


def test_point_surrogate_has_the_exact_gradient_for_a_squared_error():
    """For fixed latents the codebook's gradient is that of |D_i - z|^2 by the rule of the segment's two ends."""
    quantizer = SFDiVeQDetach(9, 4).double()
    z = latents(300, 4).double()
    torch.manual_seed(2)
    out = quantizer(z)
    (out.z_q - z).square().sum().backward()
    got, quantizer.codebook.grad = quantizer.codebook.grad, None
    torch.manual_seed(2)
    fraction = torch.rand(8, 1, dtype=torch.float64)
    points = quantizer.codebook[:-1] + fraction * (quantizer.codebook[1:] - quantizer.codebook[:-1])
    (points[torch.cdist(z, points).argmin(dim=1)] - z).square().sum().backward()
    torch.testing.assert_close(got, quantizer.codebook.grad)


def test_from_snap_on_training_sees_what_is_deployed():
    quantizer = SFDiVeQDetach(9, 4, sf_bits=1, snap_from=5)
    z = latents(100, 4)
    assert not torch.allclose(quantizer(z).z_q, quantizer.decode(quantizer.encode(z)))
    quantizer.maintain(4)
    assert not quantizer.snapped
    quantizer.maintain(5)
    out = quantizer(z)
    assert torch.equal(out.codes, quantizer.encode(z))
    torch.testing.assert_close(out.z_q, quantizer.decode(out.codes), rtol=1e-5, atol=1e-6)
    resumed = SFDiVeQDetach(9, 4, sf_bits=1, snap_from=5)
    resumed.load_state_dict(quantizer.state_dict())
    assert resumed.snapped


@pytest.mark.filterwarnings("ignore:DiVeQ in")
def test_start_from_data_is_ordered_along_a_path():
    quantizer = SFDiVeQ(32, 2)
    quantizer.init_from_data(latents(2000, 2))
    steps = (quantizer.codebook[1:] - quantizer.codebook[:-1]).norm(dim=1).mean()
    shuffled = quantizer.codebook[torch.randperm(32, generator=torch.Generator().manual_seed(0))]
    assert steps < 0.5 * (shuffled[1:] - shuffled[:-1]).norm(dim=1).mean()


def test_what_does_not_exist_is_refused():
    for bad in (-1, 4):
        with pytest.raises(ConfigError, match="sf_bits must be 0, 1, 2 or 3"):
            SFDiVeQ(9, 4, sf_bits=bad)
        with pytest.raises(ConfigError, match="sf_bits must be 0, 1, 2 or 3"):
            SFDiVeQ(9, 4).with_sf_bits(bad)
    with pytest.raises(ConfigError, match="surrogate must be"):
        SFDiVeQ(9, 4, surrogate="line")
