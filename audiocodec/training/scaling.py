"""Loss scaling for fp16, one scaler a network: an overflow in one does not hold up the other."""

from collections.abc import Iterable

import torch
from torch import nn

_FIRST = 2.0**16
_LOWEST = 1.0
_GROW_AFTER = 2000  # steps without overflow


class LossScaler:
    """Multiplies a loss before its backward pass so that small fp16 gradients do not vanish, and undoes it after.

    Args:
        enabled: without fp16 the scale is 1 for ever.
    Source: Micikevicius et al. 2018, arXiv:1710.03740, sec. 3.2 (dynamic scaling).
    """

    def __init__(self, enabled: bool):
        self.enabled = enabled
        self.scale = _FIRST if enabled else 1.0
        self._good = 0

    @property
    def exhausted(self) -> bool:
        """Whether gradients overflow even unscaled: then they are not finite for another reason."""
        return self.scale <= _LOWEST

    @torch.no_grad()
    def unscale(self, parameters: Iterable[nn.Parameter]) -> None:
        """Bring the gradients of a scaled loss back to size, in place."""
        if self.enabled:
            torch._foreach_mul_([p.grad for p in parameters if p.grad is not None], 1 / self.scale)

    def update(self, finite: bool) -> None:
        """Halve the scale after an overflow, double it after a long time without."""
        if not self.enabled:
            return
        self._good = self._good + 1 if finite else 0
        if not finite:
            self.scale = max(_LOWEST, self.scale / 2)
        elif self._good >= _GROW_AFTER:
            self.scale, self._good = self.scale * 2, 0

    def state_dict(self) -> dict[str, float]:
        """Scale and steps since it changed."""
        return {"scale": self.scale, "good": self._good}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Continue from what `state_dict` gave, where this run scales at all."""
        if self.enabled:
            self.scale, self._good = state["scale"], int(state["good"])
