"""Loss balancer: weights become shares of the gradient, whatever the scale of each loss."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

_EPS = 1e-12


class Balancer:
    """Scales the gradient of every loss at the decoder's output to its share of a common size.

    With g_i the gradient of loss i at the output and <|g_i|> a running mean of its norm (per item, averaged), the
    output receives sum_i w_i / (sum_j w_j) * g_i / <|g_i|>.

    Args:
        weights: loss name -> weight.
        decay: of the running means, started without bias.
    Source: EnCodec, Défossez et al. 2022, arXiv:2210.13438, eq. 5.
    """

    def __init__(self, weights: Mapping[str, float], decay: float = 0.999):
        self.weights, self.decay = dict(weights), decay
        self._sums: dict[str, float] = {}
        self._counts: dict[str, float] = {}

    def gradient(
        self, losses: Mapping[str, Tensor], output: Tensor, average: Callable[[Tensor], Tensor] = lambda norms: norms
    ) -> Tensor:
        """The balanced gradient at `output`; the graph stays, so that `output.backward(gradient)` can follow.

        Args:
            losses: name -> scalar that depends on `output`.
            output: [B, ...] what the losses were computed from.
            average: mean of a vector over processes; all of them must call it alike.
        Returns:
            gradient of the shape of `output`.
        """
        gradients = {
            name: torch.autograd.grad(loss, output, retain_graph=True)[0].float() for name, loss in losses.items()
        }
        norms = average(torch.stack([g.flatten(1).norm(dim=1).mean() for g in gradients.values()])).tolist()
        total_weight = sum(self.weights[name] for name in losses)
        balanced = torch.zeros_like(output, dtype=torch.float32)
        for (name, gradient), norm in zip(gradients.items(), norms, strict=True):
            balanced += self.weights[name] / total_weight / (self._mean(name, norm) + _EPS) * gradient
        return balanced.to(output.dtype)

    def _mean(self, name: str, norm: float) -> float:
        self._sums[name] = self.decay * self._sums.get(name, 0.0) + norm
        self._counts[name] = self.decay * self._counts.get(name, 0.0) + 1
        return self._sums[name] / self._counts[name]

    def state_dict(self) -> dict[str, dict[str, float]]:
        """The running means, as plain numbers."""
        return {"sums": dict(self._sums), "counts": dict(self._counts)}

    def load_state_dict(self, state: Mapping[str, Mapping[str, float]]) -> None:
        """Continue from what `state_dict` gave."""
        self._sums, self._counts = dict(state["sums"]), dict(state["counts"])
