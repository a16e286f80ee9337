"""Codes in a subspace."""

import torch

from audiocodec.quantizers import DiVeQ, Factorised, ResidualQuantizer
from audiocodec.quantizers.factorised import principal_axes
from tests.quantizers.makers import latents


def test_start_from_data_finds_the_subspace_that_holds_the_latents():
    basis = torch.linalg.qr(latents(16, 3))[0]
    z = latents(2000, 3, seed=4) @ basis.T + 7
    plain, factorised = DiVeQ(64, 16).eval(), Factorised(DiVeQ(64, 4), 16).eval()
    for quantizer in (plain, factorised):
        quantizer.init_from_data(z)
    errors = [float(q(z).metrics["relative_error"]) for q in (plain, factorised)]
    assert errors[1] < 1.05 * errors[0] < 0.2


def test_principal_axes_are_orthonormal_and_largest_first():
    rows = latents(5000, 5) * torch.tensor([1.0, 5.0, 2.0, 0.5, 3.0])
    axes = principal_axes(rows, 3)
    torch.testing.assert_close(axes @ axes.T, torch.eye(3), atol=1e-5, rtol=0)
    assert axes.abs().argmax(dim=1).tolist() == [1, 4, 2]
    more = principal_axes(rows, 7)
    assert more.shape == (7, 5) and (more[5:] == 0).all()


def test_wraps_a_whole_stack_too():
    """The way to `joint` wiring in a subspace."""
    stack = ResidualQuantizer(DiVeQ, 3, 12, 4, wiring="joint")
    low, down, up = latents(10, 8), torch.nn.Linear(8, 4), torch.nn.Linear(4, 8)
    out = up(stack(down(low)).z_q)
    out.sum().backward()
    assert down.weight.grad.abs().sum() > 0
