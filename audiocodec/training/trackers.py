"""Trackers (TensorBoard, W&B, trackio) through Accelerate: those wanted and installed; none may end a run."""

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import Accelerator
from accelerate.tracking import GeneralTracker

from ..config.training import TrainConfig


class Trackers:
    """Sends scalars, sounds and pictures of the main process to every tracker that is there.

    Args:
        accelerator: made by `accelerator_trackers(...)` as `log_with`.
        config: of the run; stored by the trackers.
        step: optimizer steps done; TensorBoard forgets later ones.
        warn: told once when a tracker fails, which is then left out.
    """

    def __init__(self, accelerator: Accelerator, config: TrainConfig, step: int, warn: Callable[[str], None]):
        self._warn, self._sample_rate = warn, config.model.sample_rate
        self._trackers: list[GeneralTracker] = []
        for name in list(accelerator.log_with):
            accelerator.trackers, accelerator.log_with = (
                [],
                [name],
            )  # one by one: a failing tracker must not take the others along
            # TensorBoard would turn settings into an event folder of their own at every start, and the name of the
            # project into a folder; config.yaml has the settings anyway.
            board = _name(name) == "tensorboard"
            settings = None if board else _flat(config.model_dump(mode="json"))
            kwargs = {"tensorboard": {"purge_step": step + 1}} if step else {}
            try:
                accelerator.init_trackers("" if board else "audiocodec", config=settings, init_kwargs=kwargs)
                self._trackers += accelerator.trackers if accelerator.is_main_process else []
            except Exception as error:  # its network or server may be down; training goes on
                warn(f"{_name(name)} is off: {error}")
        accelerator.trackers = list(self._trackers)  # those are ended with the run

    def scalars(self, row: Mapping[str, Any], step: int) -> None:
        """Log the numbers of a row; lists give one curve an entry, mappings a group."""
        self._each(lambda tracker: tracker.log(_flat(row), step=step))

    def sound(self, name: str, wav: np.ndarray, step: int) -> None:
        """Log a recording [C, L] as sound and as spectrogram."""
        mono = np.ascontiguousarray(wav.mean(axis=0), np.float32)

        def log(tracker: GeneralTracker) -> None:
            if tracker.name == "tensorboard":
                tracker.tracker.add_audio(name, mono, step, self._sample_rate)
                tracker.tracker.add_image(name, _picture(mono), step, dataformats="HW")
            elif tracker.name in ("wandb", "trackio"):
                kinds = importlib.import_module(tracker.name)
                picture = np.repeat((255 * _picture(mono))[..., None].astype(np.uint8), 3, axis=2)
                sound = kinds.Audio(mono, sample_rate=self._sample_rate)
                tracker.tracker.log({name: sound, f"{name} spectrogram": kinds.Image(picture)}, step=step)

        self._each(log)

    def _each(self, log: Callable[[GeneralTracker], None]) -> None:
        for tracker in list(self._trackers):
            try:
                log(tracker)
            except Exception as error:
                self._trackers.remove(tracker)
                self._warn(f"{tracker.name} is off: {error}")


def installed(wanted: tuple[str, ...], folder: Path) -> dict[str, Any]:
    """Arguments for `Accelerator` that turn on those of the wanted trackers that are installed."""
    packages = {"tensorboard": "tensorboard", "wandb": "wandb", "trackio": "trackio"}
    found = [name for name in wanted if importlib.util.find_spec(packages[name])]
    return {"log_with": found or None, "project_dir": str(folder)}


def _name(kind: Any) -> str:
    """Of a kind of tracker: one of Accelerate's enumeration, or a tracker object."""
    return kind.name if isinstance(kind, GeneralTracker) else str(kind)


def _flat(row: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    out: dict[str, float] = {}
    for key, value in row.items():
        if isinstance(value, Mapping):
            out |= _flat(value, f"{prefix}{key}/")
        elif isinstance(value, list):
            out |= {f"{prefix}{key}/{number + 1}": v for number, v in enumerate(value)}
        elif isinstance(value, int | float):
            out[f"{prefix}{key}"] = value
    return out


def _picture(wav: np.ndarray, window: int = 512) -> np.ndarray:
    """Log-magnitude spectrogram [frequency, time] in 0..1, low frequencies at the bottom, 80 dB of range."""
    hop = window // 4
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(wav, (0, window)), window)[::hop]
    power_db = 20 * np.log10(np.abs(np.fft.rfft(frames * np.hanning(window))) + 1e-6)
    picture: np.ndarray = ((power_db.T[::-1] - power_db.max()) / 80 + 1).clip(0, 1)
    return picture
