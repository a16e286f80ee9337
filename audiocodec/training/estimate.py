"""What a run will cost, from a few steps of it: speed, memory, time to finish."""

import resource
import statistics
import sys
import tempfile
import time

import torch
from accelerate import Accelerator

from ..config.training import TrainConfig
from .trainer import Trainer

_WARM_UP, _MEASURED = 2, 5  # steps


def estimate(config: TrainConfig, accelerator: Accelerator) -> str:
    """Train a few steps without and with discriminators, in a folder that is thrown away.

    Args:
        config: of the run.
        accelerator: as for the run.
    Returns:
        lines for the user; validation and checkpoints are not counted.
    """
    run, batch_s = config.run, config.data.batch_size * config.segment_s
    with tempfile.TemporaryDirectory() as folder:
        quiet = {"dir": folder, "trackers": ()}
        sections = {"run": run.model_copy(update=quiet), "data": config.data.model_copy(update={"valid": ()})}
        probe = config.model_copy(update=sections)
        trainer = Trainer(probe, accelerator)
        trainer.state.codec.train()
        trainer.state.codec.quantizer.reservoir = None  # nearly all of a run comes after the warm-up: quantize
        plain = _seconds_per_step(trainer, 0)
        contested = _seconds_per_step(trainer, config.discriminator.adversary_step) if config.adversarial else plain
        trainer.display.close()
    alone = min(config.discriminator.adversary_step, run.max_steps) if config.adversarial else run.max_steps
    total_s = alone * plain + (run.max_steps - alone) * contested
    lines = [f"without discriminators: {_speed(plain, batch_s)}"] if alone else []
    lines += [f"with discriminators: {_speed(contested, batch_s)}"] if alone < run.max_steps else []
    return "\n".join([*lines, f"peak memory: {_memory()}", f"{run.max_steps} steps take {_clock(total_s)}"])


def _seconds_per_step(trainer: Trainer, first: int) -> float:
    trainer.state.step = first
    seconds = []
    for step in range(first, first + _WARM_UP + _MEASURED):
        began = time.perf_counter()
        trainer._step(trainer._load(step))
        if trainer.accelerator.device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[_WARM_UP:])


def _speed(seconds: float, batch_s: float) -> str:
    return f"{1 / seconds:.2f} steps/s, {batch_s / seconds:.1f} s of audio a second"


def _memory() -> str:
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return f"{torch.cuda.max_memory_allocated() / 2**30:.2f} GiB on the device"
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return f"{kib / 2**20:.2f} GiB"


def _clock(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min"
