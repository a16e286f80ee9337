"""Learning-rate schedules: plain functions of the step, so there is no scheduler state to save."""

import math

from ..config.training import OptimConfig


def lr_factor(config: OptimConfig, step: int, max_steps: int) -> float:
    """Share of the full learning rate at a step.

    Args:
        config: `schedule`, `warmup_steps`, `decay_start`, `floor`.
        step: 0 for the first step of the run.
        max_steps: length of the run; later steps stay at the floor.
    Returns:
        rises evenly over the warm-up, then
        cosine: half a cosine from 1 to `floor` at the end;
        linear: 1 until `decay_start` of the run, then evenly down to `floor`;
        constant: 1.
    """
    if step < config.warmup_steps:
        return (step + 1) / (config.warmup_steps + 1)
    if config.schedule == "constant":
        return 1.0
    begin = config.warmup_steps
    if config.schedule == "linear":
        begin = max(begin, int(config.decay_start * max_steps))
    done = min(1.0, max(0.0, (step - begin) / max(1, max_steps - begin)))
    fall = done if config.schedule == "linear" else (1 - math.cos(math.pi * done)) / 2
    return 1 - (1 - config.floor) * fall


def scaled_lr(config: OptimConfig, batch_size: int) -> float:
    """Learning rate for a batch size: as configured, or in proportion to `lr_batch_size` where that is given."""
    return config.lr * (batch_size / config.lr_batch_size if config.lr_batch_size else 1.0)
