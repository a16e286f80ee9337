"""Moving averages against their definition."""

import numpy as np
import torch

from audiocodec.quantizers import EMA, Replacement
from audiocodec.quantizers.ema import SMOOTHING
from tests.quantizers.makers import latents


def test_updates_follow_the_definition():
    quantizer = EMA(6, 3, decay=0.9)
    n, w = np.ones(6), quantizer.codebook.numpy().copy()
    c = w.copy()
    for step in range(1, 6):
        z = latents(40, 3, seed=step)
        codes = quantizer(z).codes.numpy()
        expected = np.square(z.numpy()[:, None] - c).sum(-1).argmin(1)
        assert (codes == expected).all()
        one_hot = np.eye(6)[codes]
        n = 0.9 * n + 0.1 * one_hot.sum(0)
        w = 0.9 * w + 0.1 * one_hot.T @ z.numpy()
        c = w / ((n + SMOOTHING) / (n.sum() + 6 * SMOOTHING) * n.sum())[:, None]
        quantizer.maintain(step)
        np.testing.assert_allclose(quantizer.codebook.numpy(), c, rtol=1e-4, atol=1e-5)


def test_several_forward_passes_before_a_step_are_one_update():
    """Gradient accumulation, or a discriminator pass beside the generator's, must not speed the averages up."""
    z = latents(60, 3)
    torch.manual_seed(0)
    whole = EMA(6, 3)
    torch.manual_seed(0)
    parts = EMA(6, 3)
    whole(z)
    for part in z.split(20):
        parts(part)
    whole.maintain(1)
    parts.maintain(1)
    torch.testing.assert_close(whole.codebook, parts.codebook)
    before = whole.codebook.clone()
    whole.maintain(2)  # a step without any training pass
    assert torch.equal(whole.codebook, before)


def test_replaced_codewords_stay_where_they_were_put():
    """The code released with DiVeQ keeps the averages of dead rows, which pull the codeword back one step later."""
    quantizer = EMA(4, 2, replacement=Replacement(interval=1, evidence=1))
    with torch.no_grad():
        quantizer.codebook[3] = 100.0
        quantizer.mean_sum[3] = 100.0
    z = latents(200, 2)
    quantizer(z)
    assert quantizer.maintain(1)["replaced"] == 1
    placed = quantizer.codebook[3].clone()
    assert placed.norm() < 5
    quantizer.replacement = Replacement(interval=0)
    quantizer(z)
    quantizer.maintain(2)
    assert (quantizer.codebook[3] - placed).norm() < 0.5


def test_unused_codewords_rest_instead_of_shrinking_to_zero():
    quantizer = EMA(4, 2, decay=0.5, replacement=Replacement(interval=0))
    with torch.no_grad():
        quantizer.codebook[3] = 100.0
        quantizer.mean_sum[3] = 100.0
    for step in range(1, 60):
        quantizer(latents(50, 2, seed=step))
        quantizer.maintain(step)
    assert (quantizer.codebook[3] - 100).abs().max() < 1


def test_the_optimizer_sees_no_codebook():
    quantizer = EMA(4, 2)
    assert list(quantizer.parameters()) == [] and list(quantizer.codebook_parameters()) == []
    assert {"codebook", "mean_count", "mean_sum"} < set(quantizer.state_dict())
