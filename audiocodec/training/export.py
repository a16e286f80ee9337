"""From a checkpoint to a folder that can be shipped: configuration and averaged weights."""

import shutil
from pathlib import Path

import safetensors.torch
import torch

from ..codec import Codec
from ..config.codec import CodecConfig
from ..config.loader import validate
from ..errors import ConfigError, ModelMismatchError
from . import checkpoints
from .state import TrainState


def export_state(state: TrainState, folder: str | Path, dtype: torch.dtype = torch.float32) -> Path:
    """Save the codec with averaged weights as `Codec.from_pretrained` loads it; training is not disturbed.

    Args:
        state: of a run.
        folder: made where it does not exist.
        dtype: of the stored weights.
    """
    with state.ema.applied():
        return state.codec.save_pretrained(folder, dtype)


_COMPANIONS = (
    "discriminators.safetensors",
    "optimizer.safetensors",
    "discriminator_optimizer.safetensors",
    "train.json",
)


def export_checkpoint(
    checkpoint: str | Path,
    folder: str | Path,
    *,
    averaged: bool = True,
    dtype: torch.dtype = torch.float32,
    companions: bool = False,
    beam: int | None = None,
) -> Path:
    """Turn a checkpoint, or the best (else newest) one of a run's folder, into a folder that can be shipped.

    Args:
        checkpoint: a checkpoint folder, or the folder of a run.
        folder: made where it does not exist.
        averaged: averaged weights rather than those of the last step.
        dtype: of the stored weights.
        companions: also discriminators, moments of both optimizers and the run's configuration, so that others can go
            on training with `run.init_from` and `run.init_companions`.
        beam: paths that encoding shall follow; None: as many as in training.
    Returns:
        `folder`, loadable by Codec.from_pretrained.
    Raises:
        ConfigError: there is no checkpoint.
        ModelMismatchError: it is damaged.
    """
    source = _find(Path(checkpoint))
    if fault := checkpoints.check(source):
        raise ModelMismatchError(f"{source}: {fault}; export another checkpoint")
    tree = checkpoints.read_config(source)["model"]
    codec = Codec(validate(CodecConfig, tree, str(source)).with_beam(beam))
    codec.load_state_dict(safetensors.torch.load_file(source / f"{'ema' if averaged else 'model'}.safetensors"))
    written = codec.save_pretrained(folder, dtype)
    for name in _COMPANIONS if companions else ():
        if (source / name).exists():  # a run without discriminators has none
            shutil.copyfile(source / name, written / name)
    return written


def _find(path: Path) -> Path:
    if (path / "manifest.json").exists():
        return path
    run = checkpoints.Checkpoints(path / "checkpoints", keep_last=1)
    best = run.best()
    for candidate in [run.path(best)] if best is not None else []:
        if candidate.exists():
            return candidate
    if newest := next(reversed(list(run)), None):
        return newest
    raise ConfigError(f"{path}: neither a checkpoint nor the folder of a run with checkpoints")
