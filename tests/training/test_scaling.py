"""Loss scaling: what overflows lowers the scale, what does not brings it back."""

import torch
from torch import nn

from audiocodec.training.scaling import LossScaler


def test_scale_halves_on_overflow_and_doubles_after_a_long_time():
    scaler = LossScaler(enabled=True)
    first = scaler.scale
    scaler.update(False)
    assert scaler.scale == first / 2
    for _ in range(2000):
        scaler.update(True)
    assert scaler.scale == first
    for _ in range(40):
        scaler.update(False)
    assert scaler.scale == 1.0 and scaler.exhausted


def test_unscale_is_the_inverse_and_state_continues():
    scaler = LossScaler(enabled=True)
    parameter = nn.Parameter(torch.zeros(3))
    parameter.grad = torch.ones(3) * scaler.scale
    scaler.unscale([parameter, nn.Parameter(torch.zeros(1))])
    assert parameter.grad.tolist() == [1.0] * 3
    scaler.update(False)
    other = LossScaler(enabled=True)
    other.load_state_dict(scaler.state_dict())
    assert other.scale == scaler.scale


def test_without_fp16_nothing_is_scaled():
    scaler = LossScaler(enabled=False)
    scaler.update(False)
    scaler.load_state_dict({"scale": 8.0, "good": 0})
    assert scaler.scale == 1.0
