"""Metrics against their definitions."""

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from audiocodec.quantizers import STE, telemetry
from tests.quantizers.makers import latents


def test_usage_perplexity_and_bits_follow_scipys_entropy():
    counts = torch.tensor([[5, 0, 3, 2], [0, 0, 9, 0], [1, 1, 1, 1]])
    metrics = telemetry.usage_metrics(counts)
    bits = [entropy(row, base=2) for row in counts.numpy()]
    np.testing.assert_allclose(metrics["effective_bits"], bits, atol=1e-6)
    np.testing.assert_allclose(metrics["perplexity"], 2 ** np.array(bits), rtol=1e-6)
    assert metrics["usage"].tolist() == [0.75, 0.25, 1.0]


def test_relative_error_is_energy_left_over_variance():
    quantizer, z = STE(16, 4).eval(), latents(300, 4) + 5
    out = quantizer(z)
    expected = (z - out.z_q).square().sum(1).mean() / z.var(dim=0, correction=0).sum()
    torch.testing.assert_close(out.metrics["relative_error"][0], expected.detach())


def test_masked_statistics_are_those_of_the_kept_rows():
    rows, kept = latents(100, 4), torch.rand(100, generator=torch.Generator().manual_seed(0)) > 0.4
    rows[~kept] = 1e6
    torch.testing.assert_close(telemetry.spread(rows, kept), telemetry.spread(rows[kept], None))
    torch.testing.assert_close(telemetry.energy(rows, kept), telemetry.energy(rows[kept], None))
    codebook = latents(10, 4, seed=2)
    torch.testing.assert_close(
        telemetry.misalignment(rows, codebook, kept), telemetry.misalignment(rows[kept], codebook, None)
    )
    none = torch.zeros(100, dtype=torch.bool)
    assert telemetry.energy(rows, none) == 0 and torch.isfinite(telemetry.misalignment(rows, codebook, none))


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (2.0, 1.0), (0.0, 0.5)])
def test_misalignment_is_zero_where_codewords_lie_as_latents_do(shift, scale):
    """Mean off by s in each dimension gives s^2, width off by a factor a gives (1 - a)^2, in variances."""
    rows, codebook = latents(500, 4), scale * latents(500, 4, seed=7) + shift
    assert abs(float(telemetry.misalignment(rows, codebook, None)) - (shift**2 + (1 - scale) ** 2)) < 0.2 * (
        0.1 + shift
    )


def test_metrics_carry_no_gradient():
    out = STE(16, 4)(latents(30, 4).requires_grad_())
    assert not any(value.requires_grad for value in out.metrics.values())
