"""Parts of a vector with codebooks of their own."""

import pytest
import torch

from audiocodec.errors import ConfigError, ShapeError
from audiocodec.quantizers import FSQ, DiVeQ, DiVeQDetach, ProductQuantizer
from tests.quantizers.makers import latents


def test_each_part_is_coded_by_its_own_codebook():
    quantizer, z = ProductQuantizer(DiVeQ, 3, 16, 12).eval(), latents(2, 12, 7)
    codes = quantizer.encode(z)
    assert codes.shape == (2, 3, 7)
    for index, part in enumerate(quantizer.parts):
        mine = z[:, 4 * index : 4 * index + 4]
        assert torch.equal(codes[:, index], part.encode(mine))
        assert torch.equal(quantizer.decode(codes)[:, 4 * index : 4 * index + 4], part.decode(codes[:, index]))


def test_parts_may_be_scalars_without_starving_the_encoder(recwarn):
    """One estimator acts on the whole vector: the encoder keeps (D - 1) / D of the gradient's energy, not nothing."""
    quantizer = ProductQuantizer(DiVeQDetach, 8, 4, 8).double()
    assert not recwarn.list
    z = latents(500, 8).double().requires_grad_()
    g = latents(500, 8, seed=3).double()
    (quantizer(z).z_q * g).sum().backward()
    kept = z.grad.square().sum() / g.square().sum()
    assert abs(float(kept) - 7 / 8) < 0.02


def test_errors_of_parts_add_up_to_that_of_the_whole():
    quantizer, z = ProductQuantizer(DiVeQ, 3, 16, 12).eval(), latents(200, 12)
    out = quantizer(z)
    total = (out.z_q - z).square().sum() / (z - z.mean(dim=0)).square().sum()
    torch.testing.assert_close(out.metrics["relative_error"].sum(), total.detach())


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="cannot be split into 5"):
        ProductQuantizer(DiVeQ, 5, 16, 12)
    with pytest.raises(ConfigError, match="codebook of their own"):
        ProductQuantizer(FSQ, 2, 16, 12)
    with pytest.raises(ShapeError, match="product of 2 parts cannot decode 3"):
        ProductQuantizer(DiVeQ, 2, 16, 12).decode(torch.zeros(1, 3, 5, dtype=torch.int64))
