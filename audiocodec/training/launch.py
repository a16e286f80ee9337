"""Setting the machine up for a run: threads, determinism, processes, precision."""

from datetime import timedelta
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs

from ..config.training import TrainConfig
from ..errors import ConfigError
from .estimate import estimate
from .trackers import installed
from .trainer import Trainer

_STUCK = timedelta(minutes=30)  # a process that waits longer for the others gives up with an error


def launch(config: TrainConfig, resume: str = "", estimate_only: bool = False) -> int:
    """Train in this process, one of those that `accelerate launch` started, or the only one.

    Args:
        config: the whole experiment.
        resume: see Trainer.
        estimate_only: measure a few steps and say what the run will cost, instead of running it.
    Returns:
        exit code, see Trainer.run.
    """
    run = config.run
    if run.threads:
        torch.set_num_threads(run.threads)
    if run.deterministic:
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined] # a costly aid
        torch.backends.cudnn.benchmark = False
    torch.set_flush_denormal(True)  # digital silence would otherwise be a hundred times slower on a CPU
    accelerator = Accelerator(
        cpu=run.device == "cpu",
        mixed_precision=run.mixed_precision,
        kwargs_handlers=[InitProcessGroupKwargs(timeout=_STUCK)],
        **installed(run.trackers, Path(run.dir)),
    )
    if run.mixed_precision == "fp16" and accelerator.device.type == "cpu":
        raise ConfigError("run.mixed_precision=fp16 needs a GPU; on a CPU use bf16 or no")
    if estimate_only:
        print(estimate(config, accelerator))
        return 0
    return Trainer(config, accelerator, resume).run()
