"""The balancer's promise: shares of the gradient follow the weights, not the losses' scales."""

import pytest
import torch

from audiocodec.losses import Balancer


def losses(x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Gradients along two different axes, a million times apart in size."""
    return {"big": 1e3 * x[..., 0].sum(), "small": 1e-3 * x[..., 1].sum()}


def test_scales_do_not_matter_and_weights_do():
    balancer = Balancer({"big": 1.0, "small": 3.0}, decay=0.9)
    x = torch.randn(4, 5, 2, requires_grad=True)
    for _ in range(3):
        gradient = balancer.gradient(losses(x), x)
    norms = gradient.flatten(0, 1).norm(dim=0) / 4**0.5  # per item
    torch.testing.assert_close(norms, torch.tensor([0.25, 0.75]))


def test_sizes_follow_the_mean_over_processes():
    balancer = Balancer({"big": 1.0, "small": 1.0})
    x = torch.randn(1, 5, 2, requires_grad=True)
    alone = balancer.gradient(losses(x), x)
    together = Balancer({"big": 1.0, "small": 1.0}).gradient(losses(x), x, average=lambda norms: norms * 2)
    torch.testing.assert_close(together, alone / 2)


def test_state_continues():
    one = Balancer({"big": 1.0, "small": 1.0}, decay=0.5)
    x = torch.randn(2, 3, 2, requires_grad=True)
    one.gradient({name: 7 * loss for name, loss in losses(x).items()}, x)
    two = Balancer({"big": 1.0, "small": 1.0}, decay=0.5)
    two.load_state_dict(one.state_dict())
    assert torch.equal(one.gradient(losses(x), x), two.gradient(losses(x), x))
    fresh = Balancer({"big": 1.0, "small": 1.0}, decay=0.5)
    assert not torch.equal(one.gradient(losses(x), x), fresh.gradient(losses(x), x))


def test_an_unknown_loss_is_an_error():
    x = torch.randn(1, 2, 2, requires_grad=True)
    with pytest.raises(KeyError, match="small"):
        Balancer({"big": 1.0}).gradient(losses(x), x)
