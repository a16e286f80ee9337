"""Drawn in training, argmax when deployed."""

import math

import pytest
import torch

from audiocodec.quantizers import GumbelSoftmax
from tests.quantizers.makers import latents


@pytest.mark.parametrize("logits", ["linear", "distance"])
def test_deployed_codes_are_the_argmax_and_nothing_is_drawn(logits):
    quantizer, z = GumbelSoftmax(12, 4, logits=logits).eval(), latents(200, 4)
    expected = quantizer.logits(z).argmax(dim=1)
    state = torch.get_rng_state()
    assert torch.equal(quantizer.encode(z), expected) and torch.equal(quantizer(z).codes, expected)
    assert torch.equal(torch.get_rng_state(), state)
    if logits == "distance":
        assert torch.equal(expected, torch.cdist(z, quantizer.codebook).argmin(dim=1))


def test_training_draws_from_the_softmax():
    torch.manual_seed(0)
    quantizer = GumbelSoftmax(3, 2)
    z = latents(1, 2)
    drawn = quantizer(z.expand(20_000, -1)).codes
    share = torch.bincount(drawn, minlength=3) / len(drawn)
    torch.testing.assert_close(share, quantizer.logits(z).softmax(dim=1)[0], rtol=0, atol=0.015)


def test_forward_is_a_codeword_and_backward_a_soft_mixture():
    quantizer = GumbelSoftmax(5, 3).double()
    z = latents(7, 3).double().requires_grad_()
    torch.manual_seed(1)
    out = quantizer(z)
    assert torch.equal(out.z_q, quantizer.codebook[out.codes])
    g = latents(7, 3, seed=4).double()
    (out.z_q * g).sum().backward()
    expected = torch.zeros_like(quantizer.codebook).index_add_(0, out.codes, g)
    torch.testing.assert_close(quantizer.codebook.grad, expected)
    torch.manual_seed(1)
    gumbel = -torch.log(-torch.log(torch.rand(7, 5, dtype=torch.float64)))
    other = z.detach().clone().requires_grad_()
    soft = ((quantizer.logits(other) + gumbel) / quantizer.temperature).softmax(dim=1)
    ((soft @ quantizer.codebook.detach()) * g).sum().backward()
    torch.testing.assert_close(z.grad, other.grad)


def test_loss_is_the_divergence_from_the_uniform_distribution():
    quantizer, z = GumbelSoftmax(5, 3, kl_weight=2.0), latents(7, 3)
    p = quantizer.logits(z).softmax(dim=1)
    uniform = torch.full((5,), 0.2)
    expected = (
        2
        * torch.distributions.kl_divergence(
            torch.distributions.Categorical(p), torch.distributions.Categorical(uniform)
        ).mean()
    )
    torch.testing.assert_close(quantizer(z).loss, expected)


def test_temperature_falls_exponentially_and_is_part_of_the_state():
    quantizer = GumbelSoftmax(5, 3, temperature=(1.0, 0.01), temperature_steps=100)
    for step, expected in ((1, 0.01**0.01), (50, 0.1), (100, 0.01), (500, 0.01)):
        quantizer.maintain(step)
        assert math.isclose(float(quantizer.temperature), expected, rel_tol=1e-5)
    resumed = GumbelSoftmax(5, 3)
    resumed.load_state_dict(quantizer.state_dict())
    assert torch.equal(resumed.temperature, quantizer.temperature)


def test_linear_logits_start_from_the_cells_of_the_codebook():
    quantizer, z = GumbelSoftmax(12, 4), latents(500, 4)
    quantizer.init_from_data(z)
    assert torch.equal(quantizer.encode(z), torch.cdist(z, quantizer.codebook).argmin(dim=1))
