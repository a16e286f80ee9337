"""Checkpoints that are whole or absent: written beside, synced, checked by hash, then renamed. Nothing is pickled.

A checkpoint is a folder `step-00001000`:

    config.json  model.safetensors      the codec, loadable by Codec.from_pretrained
    ema.safetensors                     the same with averaged weights
    discriminators.safetensors          where the run has them
    *optimizer.safetensors              moments by parameter name
    state.json                          counters, random streams need none (data/seeding.py)
    train.json                          the resolved configuration of the run
    manifest.json                       size and SHA-256 of every file, versions
"""

import contextlib
import hashlib
import json
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from .. import __version__
from ..config.training import TrainConfig
from ..errors import ModelMismatchError
from .state import TrainState

_PREFIX = "step-"
_MANIFEST = "manifest.json"
_BEST = "best.json"


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: `checkpoints` in the run's folder.
        keep_last: newest checkpoints kept; the best one is kept besides.
    """

    def __init__(self, folder: Path, keep_last: int):
        self.folder, self.keep_last = folder, keep_last

    def save(self, state: TrainState, config: TrainConfig) -> Path:
        """Write a checkpoint of the present step, then remove what is no longer kept.

        Raises:
            OSError: it cannot be written, for example on a full disk; older checkpoints are untouched.
        """
        final = self.path(state.step)
        if final.exists() and not check(final):
            return final
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f".{final.name}.{os.getpid()}"
        try:
            draft.mkdir()
            files = {
                "config.json": _json(config.model.model_dump(mode="json")),
                "train.json": _json(config.model_dump(mode="json")),
                "state.json": _json(state.numbers()),
            }
            for stem, tensors in state.tensors().items():
                files[f"{stem}.safetensors"] = safetensors.torch.save(_storable(tensors))
            sums = {
                name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()
            }
            versions = {"audiocodec": __version__, "torch": torch.__version__, "python": platform.python_version()}
            files[_MANIFEST] = _json({"step": state.step, "files": sums, "versions": versions})
            for name, data in files.items():
                _write(draft / name, data)
            _sync(draft)
            shutil.rmtree(final, ignore_errors=True)  # only a damaged one can be there
            os.rename(draft, final)
            _sync(self.folder)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        self._prune()
        return final

    def mark_best(self, step: int, figure: float) -> None:
        """Remember that the checkpoint of this step is the best so far."""
        draft = self.folder / f".{_BEST}.{os.getpid()}"
        _write(draft, _json({"step": step, "figure": figure}))
        os.replace(draft, self.folder / _BEST)
        self._prune()

    def best(self) -> int | None:
        """Step of the best checkpoint, where one was marked."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            return int(json.loads((self.folder / _BEST).read_text())["step"])
        return None

    def latest(self, warn: Callable[[str], None]) -> Path | None:
        """The newest undamaged checkpoint; a damaged one is passed over with a warning."""
        for path in reversed(list(self)):
            if not (fault := check(path)):
                return path
            warn(f"{path}: {fault}; trying the one before")
        return None

    def path(self, step: int) -> Path:
        """Where the checkpoint of a step lies."""
        return self.folder / f"{_PREFIX}{step:08d}"

    def __iter__(self) -> Iterator[Path]:
        """Checkpoint folders by step, oldest first."""
        found = self.folder.glob(f"{_PREFIX}*") if self.folder.is_dir() else ()
        return iter(sorted(p for p in found if p.name.removeprefix(_PREFIX).isdigit()))

    def remove_drafts(self) -> None:
        """Remove what a killed process left half-written; call when no other process writes here."""
        if self.folder.is_dir():
            for draft in self.folder.glob(f".{_PREFIX}*"):
                shutil.rmtree(draft, ignore_errors=True)

    def _prune(self) -> None:
        paths, best = list(self), self.best()
        kept = {*paths[-self.keep_last :], self.path(best) if best is not None else None}
        for path in paths:
            if path not in kept:
                shutil.rmtree(path, ignore_errors=True)


def check(folder: Path) -> str:
    """Compare a checkpoint with its manifest; '' if it is whole, else what is wrong."""
    try:
        files = json.loads((folder / _MANIFEST).read_text())["files"]
        for name, expected in files.items():
            with open(folder / name, "rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != expected["sha256"]:
                    return f"{name} is damaged"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"incomplete ({error})"
    return ""


def load(folder: Path, state: TrainState) -> None:
    """Put a checkpoint into a state built from the same model configuration.

    Raises:
        ModelMismatchError: the checkpoint is damaged, or of another model.
    """
    if fault := check(folder):
        raise ModelMismatchError(f"{folder}: {fault}; resume from another checkpoint, or start anew without --resume")
    try:
        tensors = {p.stem: safetensors.torch.load_file(p) for p in sorted(folder.glob("*.safetensors"))}
        state.load(tensors, json.loads((folder / "state.json").read_text()))
    except (KeyError, RuntimeError, ValueError, safetensors.SafetensorError) as error:
        reason = " ".join(str(error).split())
        raise ModelMismatchError(f"{folder}: does not fit this configuration: {reason}") from error


def read_config(folder: Path) -> dict[str, Any]:
    """The resolved configuration that a checkpoint was trained with, as a plain mapping."""
    tree: dict[str, Any] = json.loads((folder / "train.json").read_text())
    return tree


def _storable(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _json(tree: Any) -> bytes:
    return (json.dumps(tree, indent=2) + "\n").encode()


def _write(path: Path, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
