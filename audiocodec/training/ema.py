"""Averaged weights: the ones that are evaluated and shipped."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class AveragedWeights:
    """Exponential moving average of a module's parameters; its buffers are always the live ones.

    The decay at step t is min(decay, (1 + t) / (10 + t)), so that an early average does not remember the start.

    Args:
        module: whose parameters are averaged.
        decay: share of the old average kept by a step.
    """

    def __init__(self, module: nn.Module, decay: float):
        self.module, self.decay = module, decay
        self.average = {name: p.detach().clone() for name, p in module.named_parameters()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the parameters after optimizer step number `step`, counted from 0."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.average.values()), self._parameters(), weight)

    @torch.no_grad()
    def restart(self, changed: Mapping[str, Tensor]) -> None:
        """Forget the past of rows that were set anew: parameter name -> [rows] bool."""
        parameters = dict(self.module.named_parameters())
        for name, rows in changed.items():
            self.average[name][rows] = parameters[name].detach()[rows]

    def restart_all(self) -> None:
        """Forget the past altogether."""
        self.average = {name: p.detach().clone() for name, p in self.module.named_parameters()}

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within the block the module has the averaged parameters."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def state_dict(self) -> dict[str, Tensor]:
        """The whole module as it would be with averaged parameters: those, and its live buffers."""
        return {**self.module.state_dict(), **self.average}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue from what `state_dict` gave."""
        for name, tensor in self.average.items():
            tensor.copy_(state[name])

    @torch.no_grad()
    def _swap(self) -> None:
        for parameter, average in zip(self._parameters(), self.average.values(), strict=True):
            live = parameter.detach().clone()
            parameter.copy_(average)
            average.copy_(live)

    def _parameters(self) -> list[Tensor]:
        return [p.detach() for p in self.module.parameters()]
