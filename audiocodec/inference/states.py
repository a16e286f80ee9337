"""What streams remember, as values: an array or tensor with the batch first, or a (nested) tuple of them."""

from collections.abc import Callable
from typing import Any


def map_state(function: Callable[..., Any], *states: Any) -> Any:
    """Apply `function` to every array of a state, or to the matching arrays of several alike states."""
    if not isinstance(states[0], tuple):
        return function(*states)
    return tuple(map_state(function, *parts) for parts in zip(*states, strict=True))
