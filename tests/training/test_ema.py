"""Averages: the formula, the swap, the rows that begin anew."""

import pytest
import torch
from torch import nn

from audiocodec.training.ema import AveragedWeights


@pytest.fixture
def net() -> nn.Module:
    net = nn.BatchNorm1d(3)
    with torch.no_grad():
        net.weight.fill_(0.0)
    return net


def set_weight(net: nn.Module, value: float) -> None:
    with torch.no_grad():
        net.weight.fill_(value)


def test_average_follows_its_formula_from_a_quick_start(net):
    ema, expected = AveragedWeights(net, 0.5), 0.0
    for step in range(20):
        set_weight(net, step + 1.0)
        ema.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * (step + 1.0)
    assert ema.average["weight"].tolist() == pytest.approx([expected] * 3)


def test_applied_swaps_and_gives_back_even_after_an_error(net):
    ema = AveragedWeights(net, 0.9)
    set_weight(net, 5.0)
    with pytest.raises(KeyError), ema.applied():
        assert net.weight.tolist() == [0.0] * 3
        raise KeyError
    assert net.weight.tolist() == [5.0] * 3 and ema.average["weight"].tolist() == [0.0] * 3


def test_state_has_averaged_parameters_and_live_buffers(net):
    ema = AveragedWeights(net, 0.9)
    set_weight(net, 5.0)
    net.running_mean.fill_(7.0)
    state = ema.state_dict()
    assert state["weight"].tolist() == [0.0] * 3 and state["running_mean"].tolist() == [7.0] * 3
    other = AveragedWeights(net, 0.9)
    other.load_state_dict(state)
    assert other.average["weight"].tolist() == [0.0] * 3


def test_rows_that_were_set_anew_forget_their_past(net):
    ema = AveragedWeights(net, 0.9)
    set_weight(net, 5.0)
    ema.restart({"weight": torch.tensor([True, False, True])})
    assert ema.average["weight"].tolist() == [5.0, 0.0, 5.0]
    ema.restart_all()
    assert ema.average["weight"].tolist() == [5.0] * 3
