"""A training run of a few milliseconds a step: two codebooks of 16, tiny discriminators, synthetic recordings."""

import sys
from pathlib import Path
from typing import Any

import soundfile
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from safetensors.torch import load_file

from audiocodec.config.loader import validate
from audiocodec.config.training import TrainConfig
from audiocodec.training.telemetry import read_metrics
from audiocodec.training.trainer import Trainer
from tests.tiny import make_wav

ROOT = Path(__file__).resolve().parents[2]


def make_recordings(folder: Path, count: int = 4, seconds: float = 0.8) -> Path:
    """`count` WAV files of noisy chirps, 16 kHz mono."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        wav = make_wav(seconds + 0.1 * number, seed=number)[0, 0]
        soundfile.write(folder / f"{number}.wav", wav.numpy(), 16000, subtype="PCM_16")
    return folder


def settings(folder: Path) -> dict[str, Any]:
    """A run in `folder`/run over recordings in `folder`/data, made where they are missing."""
    if not (folder / "data").exists():
        make_recordings(folder / "data")
    network = {
        "kind": "spectral",
        "hop_length": 320,
        "latent_dim": 8,
        "width": 16,
        "encoder_depth": 1,
        "decoder_depth": 1,
    }
    return {
        "model": {"network": network, "quantizer": {"n_q": 2, "codebook_size": 16, "replacement_interval": 3}},
        "data": {"train": str(folder / "data"), "segment_s": 0.16, "batch_size": 4, "workers": 0},
        "loss": {"mel": 1, "mel_windows": [64, 256], "mel_bins": [8, 16], "adversarial": 0.1, "feature_matching": 0.1},
        "optim": {"lr": 1e-3, "warmup_steps": 2, "ema_decay": 0.9},
        "discriminator": {
            "start_step": 4, "warmup_steps": 1, "periods": [2], "period_channels": [4, 4], "stft_windows": [64],
            "stft_channels": 2,
        },
        "run": {
            "dir": str(folder / "run"), "max_steps": 12, "checkpoint_every": 4, "validate_every": 100, "trackers": [],
            "device": "cpu", "quantizer_init_batches": 1, "log_every": 4,
        },
    }  # fmt: skip


def make_config(folder: Path, **changes: Any) -> TrainConfig:
    """The settings with `section__key=value` changes."""
    tree = settings(folder)
    for path, value in changes.items():
        *sections, key = path.split("__")
        place = tree
        for section in sections:
            place = place.setdefault(section, {})
        place[key] = value
    return validate(TrainConfig, tree, "test")


def accelerator(mixed_precision: str = "no") -> Accelerator:
    """One for the CPU, whatever precision the last one in this process had."""
    AcceleratorState._reset_state(reset_partial_state=True)
    return Accelerator(cpu=True, mixed_precision=mixed_precision)


def run(config: TrainConfig, resume: str = "") -> int:
    """Train in this process."""
    return Trainer(config, accelerator(config.run.mixed_precision), resume).run()


def losses(config: TrainConfig) -> list[float]:
    """The loss of every step, after checking that none is missing or written twice."""
    rows = read_metrics(Path(config.run.dir) / "metrics.jsonl")
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))
    return [row["loss"] for row in rows]


def final_tensors(config: TrainConfig) -> dict[str, torch.Tensor]:
    """Every tensor of the last checkpoint, under `file/name`."""
    folder = Path(config.run.dir) / "checkpoints" / f"step-{config.run.max_steps:08d}"
    return {f"{p.stem}/{name}": t for p in sorted(folder.glob("*.safetensors")) for name, t in load_file(p).items()}


def command(config_file: Path, *arguments: str) -> list[str]:
    """The command line that trains in another process."""
    return [sys.executable, str(ROOT / "recipes/train.py"), "--config", str(config_file), *arguments]
