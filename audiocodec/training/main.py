"""The command line of recipes/train.py: reads the configuration before anything heavy is imported."""

import argparse
import os
import sys
from collections.abc import Sequence

from ..config.loader import load
from ..config.training import TrainConfig
from ..errors import CodecError, ConfigError


def main(arguments: Sequence[str] | None = None) -> int:
    """Train or export.

    Args:
        arguments: as on the command line; None takes those.
    Returns:
        exit code: 0 done, 1 the input's fault, 2 wrong usage, 130 or 143 stopped by a signal and resumable.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _export(given[1:]) if given[:1] == ["export"] else _train(given)
    except CodecError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1


def _train(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="train.py",
        description="Train a codec. `train.py export RUN OUT` makes a shippable folder of a run's weights.",
    )
    parser.add_argument("--config", required=True, help="YAML file, for example conf/speech_16k.yaml")
    parser.add_argument(
        "--resume", default="", metavar="auto|CHECKPOINT", help="go on from the newest or from this checkpoint"
    )
    parser.add_argument(
        "--estimate", action="store_true", help="measure a few steps, print speed, memory and time, end"
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="settings laid over the file, optim.lr=3e-4")
    options = parser.parse_intermixed_args(arguments)
    config = load(TrainConfig, options.config, options.overrides)

    if config.run.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    from .launch import launch

    return launch(config, options.resume, estimate_only=options.estimate)


def _export(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="train.py export", description="Make a shippable folder of averaged weights.")
    parser.add_argument(
        "checkpoint", help="a checkpoint folder, or a run's folder: its best, else its newest checkpoint"
    )
    parser.add_argument("out", help="folder to write config.json and model.safetensors to")
    parser.add_argument("--raw", action="store_true", help="weights of the last step instead of averaged ones")
    parser.add_argument("--half", action="store_true", help="store 16-bit floats: half the size, rounded weights")
    parser.add_argument(
        "--companions", action="store_true", help="also discriminators and optimizers, for others to go on training"
    )
    parser.add_argument("--beam", type=int, help="paths that encoding shall follow; default: as many as in training")
    parser.add_argument(
        "--blend", nargs=2, metavar=("MODEL", "SHARE"), help="mix in a share of what the run began from: MODEL 0.5"
    )
    options = parser.parse_args(arguments)
    import torch

    from .export import export_checkpoint

    dtype = torch.float16 if options.half else torch.float32
    folder = export_checkpoint(
        options.checkpoint,
        options.out,
        averaged=not options.raw,
        dtype=dtype,
        companions=options.companions,
        beam=options.beam,
        blend=(options.blend[0], _share(options.blend[1])) if options.blend else None,
    )
    print(folder)
    return 0


def _share(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"--blend MODEL SHARE: {text!r} is no number; expected 0 to 1") from None
