"""Gradients against closed forms, in float64."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd.functional import jacobian

from audiocodec.quantizers.estimators import diveq, diveq_segment, rotate, straight_through, substitute_noise

D = 6
IDENTITY = torch.eye(D, dtype=torch.float64)


def pair(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    draw = torch.randn(2, 1, D, generator=generator, dtype=torch.float64)
    return draw[0], draw[1]


def jacobians(estimator, z: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    """d z_q / d z and d z_q / d q, each [D, D]."""
    return tuple(part.reshape(D, D) for part in jacobian(estimator, (z, q)))


def test_straight_through_is_the_identity_to_the_latent_and_nothing_to_the_codeword():
    z, q = pair()
    torch.testing.assert_close(straight_through(z, q), q)
    to_z, to_q = jacobians(straight_through, z, q)
    assert torch.equal(to_z, IDENTITY) and torch.equal(to_q, torch.zeros_like(to_q))


@pytest.mark.parametrize("seed", range(5))
def test_diveq_shares_the_gradient_between_latent_and_codeword(seed):
    """d z_q / d z = I - u u^T and d z_q / d q = u u^T with u the direction of the error."""
    z, q = pair(seed)
    u = ((q - z) / (q - z).norm()).reshape(D, 1)
    torch.testing.assert_close(diveq(z, q), q)
    to_z, to_q = jacobians(diveq, z, q)
    torch.testing.assert_close(to_z, IDENTITY - u @ u.T)
    torch.testing.assert_close(to_q, u @ u.T)
    assert math.isclose(float(to_q.trace()), 1) and math.isclose(float(to_z.trace()), D - 1)


@pytest.mark.parametrize("noise", [0.01, 0.3])
def test_noisy_diveq_moves_along_the_noisy_direction(noise):
    """With the noisy direction v the Jacobians are I - v u^T and v u^T; the output stays at the error's distance."""
    z, q = pair(3)

    def noisy(z: Tensor, q: Tensor) -> Tensor:
        torch.manual_seed(7)
        return diveq(z, q, noise)

    length = (q - z).norm()
    v = ((noisy(z, q) - z) / length).reshape(D, 1)
    u = ((q - z) / length).reshape(D, 1)
    torch.testing.assert_close(v.norm(), torch.ones((), dtype=torch.float64))
    to_z, to_q = jacobians(noisy, z, q)
    torch.testing.assert_close(to_z, IDENTITY - v @ u.T)
    torch.testing.assert_close(to_q, v @ u.T)


@given(scale=st.floats(1e-6, 1e6), noise=st.floats(0.001, 0.1))
@settings(max_examples=20, deadline=None)
def test_diveq_noise_is_relative_to_the_error(scale, noise):
    """The expected squared angle is noise^2 (D - 1) / D whatever the size of the error."""
    torch.manual_seed(0)
    z = torch.zeros(4000, D, dtype=torch.float64)
    q = torch.full_like(z, scale)
    off = (diveq(z, q, noise) - q).norm(dim=1) / q.norm(dim=1)
    assert math.isclose(float(off.square().mean()), noise**2 * (D - 1) / D, rel_tol=0.1)


def test_diveq_refuses_a_second_derivative_instead_of_giving_a_wrong_one():
    z, q = pair()
    z.requires_grad_()
    (first,) = torch.autograd.grad(diveq(z, q).sum(), z, create_graph=True)
    with pytest.raises(RuntimeError):
        first.sum().backward()


def test_errors_of_zero_give_zero_and_no_nan():
    for estimator in (diveq, substitute_noise, rotate, straight_through):
        z = torch.tensor([[1.0, 2.0], [0.0, 0.0]], requires_grad=True)
        q = z.detach().clone().requires_grad_()
        out = estimator(z, q)
        torch.testing.assert_close(out, q)
        out.sum().backward()
        assert torch.isfinite(z.grad).all()


@pytest.mark.parametrize("fraction", [0.0, 0.25, 1.0])
def test_two_error_form_follows_its_equation(fraction):
    """d z_q / d start = (1 - f) a a^T, d z_q / d end = f b b^T, and the rest goes to the latent."""
    z, start = pair(1)
    end = pair(2)[1]
    f = torch.full((1, 1), fraction, dtype=torch.float64)
    torch.testing.assert_close(diveq_segment(z, start, end, f), start + fraction * (end - start))
    parts = jacobian(lambda z, a, b: diveq_segment(z, a, b, f), (z, start, end))
    to_z, to_start, to_end = (part.reshape(D, D) for part in parts)
    a = ((start - z) / (start - z).norm()).reshape(D, 1)
    b = ((end - z) / (end - z).norm()).reshape(D, 1)
    torch.testing.assert_close(to_start, (1 - fraction) * a @ a.T)
    torch.testing.assert_close(to_end, fraction * b @ b.T)
    torch.testing.assert_close(to_z, IDENTITY - (1 - fraction) * a @ a.T - fraction * b @ b.T)


@pytest.mark.parametrize("seed", range(5))
def test_rotation_trick_is_the_published_reflection_formula(seed):
    """|q| / |z| (I - 2 w w^T + 2 t u^T): a scaled rotation that takes the latent to the codeword."""
    z, q = pair(seed)
    u, t = (z / z.norm()).reshape(D, 1), (q / q.norm()).reshape(D, 1)
    w = (u + t) / (u + t).norm()
    rotation = IDENTITY - 2 * w @ w.T + 2 * t @ u.T
    torch.testing.assert_close(rotate(z, q), q)
    to_z, to_q = jacobians(rotate, z, q)
    scale = q.norm() / z.norm()
    torch.testing.assert_close(to_z, scale * rotation)
    assert torch.equal(to_q, torch.zeros_like(to_q))
    # the formula itself against what it is to be: orthogonal, without reflection, and u -> t
    torch.testing.assert_close(rotation @ rotation.T, IDENTITY)
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones((), dtype=torch.float64))
    torch.testing.assert_close(rotation @ u, t)


def test_rotation_trick_of_opposite_vectors_is_finite_and_exact():
    z = torch.tensor([[1.0, -2.0, 0.5]], requires_grad=True)
    out = rotate(z, -3 * z.detach())
    torch.testing.assert_close(out, -3 * z.detach())
    out.sum().backward()
    assert torch.isfinite(z.grad).all()


def test_noise_substitution_keeps_the_length_and_teaches_by_it():
    """d z_q / d q = n u^T: the codeword learns from the length of its error along a random direction n."""
    z, q = pair(4)

    def substituted(z: Tensor, q: Tensor) -> Tensor:
        torch.manual_seed(3)
        return substitute_noise(z, q)

    error = substituted(z, q) - z
    torch.testing.assert_close(error.norm(), (q - z).norm())
    n, u = (error / error.norm()).reshape(D, 1), ((q - z) / (q - z).norm()).reshape(D, 1)
    to_z, to_q = jacobians(substituted, z, q)
    torch.testing.assert_close(to_q, n @ u.T)
    torch.testing.assert_close(to_z, IDENTITY - n @ u.T)


def test_noise_substitution_points_everywhere():
    torch.manual_seed(0)
    z, q = torch.zeros(20_000, 3), torch.tensor([[2.0, 0.0, 0.0]]).expand(20_000, 3)
    noise = substitute_noise(z, q)
    assert noise.mean(dim=0).abs().max() < 0.05
    torch.testing.assert_close(noise.square().mean(dim=0), torch.full((3,), 4 / 3), rtol=0.05, atol=0)
