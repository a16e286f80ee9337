"""Causal layers. Each has `init_state(like)` and `step(x, state) -> (y, state)`; `forward` is one step over all."""
