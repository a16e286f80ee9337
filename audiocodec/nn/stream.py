"""State in, state out: the one idea by which offline, chunked and streamed computation are the same code."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from ..inference.states import map_state as map_state

State = Any  # a Tensor with the batch first, or a (possibly empty) tuple of States


class Streamable(nn.Module):
    """A causal layer: what it remembers between steps is an argument and a result, never hidden in the module."""

    def init_state(self, like: Tensor) -> State:
        """Return the state before the first sample, for the batch size, dtype and device of `like`."""
        return ()

    def pack(self) -> bool:
        """Take the form for inference on a CPU in float32 (packed.py), for good; return whether there is one."""
        return False

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Process the next piece of a signal; pieces of any size give what the whole would have given."""
        return self.forward(x), state

    def forward(self, x: Tensor) -> Tensor:
        """Process a whole signal: one step from the initial state."""
        return self.step(x, self.init_state(x))[0]


class Delayed(Streamable):
    """A Streamable whose output lags: its first `delay` samples belong before the signal."""

    delay: int = 0  # samples


class Pointwise(Streamable):
    """Makes a layer without memory (an activation, a 1x1 map) a Streamable."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer; nothing is remembered."""
        return self.layer(x)


class Chain(Streamable):
    """Streamable layers one after the other; its state is the tuple of theirs."""

    def __init__(self, layers: Iterable[Streamable]):
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def init_state(self, like: Tensor) -> State:
        """See Streamable."""
        return tuple(layer.init_state(like) for layer in self.layers)  # type: ignore[operator]

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """See Streamable."""
        after = []
        for layer, before in zip(self.layers, state, strict=True):
            x, new = layer.step(x, before)  # type: ignore[operator]
            after.append(new)
        return x, tuple(after)


def batch_size_of(state: State) -> int:
    """Streams side by side in a state."""
    return len(state) if isinstance(state, Tensor) else next(batch_size_of(part) for part in state if len(part))
