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
    blend: tuple[str | Path, float] | None = None,
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
        blend: folder of the model that the run began from, and its share (0 to 1) in the weights that are written. A
            mean of a model before and after fine-tuning is often better than both.
    Returns:
        `folder`, loadable by Codec.from_pretrained.
    Raises:
        ConfigError: there is no checkpoint, or a share outside of 0 to 1.
        ModelMismatchError: it is damaged, or the other model has other weights.
    Source: of `blend`: Wortsman et al. 2021, "Robust fine-tuning of zero-shot models", arXiv:2109.01903, eq. 1.
    """
    source = _find(Path(checkpoint))
    if fault := checkpoints.check(source):
        raise ModelMismatchError(f"{source}: {fault}; export another checkpoint")
    tree = checkpoints.read_config(source)["model"]
    codec = Codec(validate(CodecConfig, tree, str(source)).with_beam(beam))
    codec.load_state_dict(safetensors.torch.load_file(source / f"{'ema' if averaged else 'model'}.safetensors"))
    if blend is not None:
        _blend(codec, *blend)
    written = codec.save_pretrained(folder, dtype)
    for name in _COMPANIONS if companions else ():
        if (source / name).exists():  # a run without discriminators has none
            shutil.copyfile(source / name, written / name)
    return written


@torch.no_grad()
def _blend(codec: Codec, other: str | Path, share: float) -> None:
    if not 0 <= share <= 1:
        raise ConfigError(f"a share of {share:g} of {other}: expected 0 to 1")
    theirs, ours = Codec.from_pretrained(other).state_dict(), codec.state_dict()
    if {name: value.shape for name, value in theirs.items()} != {name: value.shape for name, value in ours.items()}:
        raise ModelMismatchError(f"{other}: has other weights than the checkpoint; both must be of one architecture")
    for name, value in ours.items():
        if value.is_floating_point():
            value.lerp_(theirs[name], share)


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
