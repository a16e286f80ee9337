"""Validation: averaged weights on whole recordings that training never sees, judged by losses and by ear models."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor

from .. import metrics
from ..config.training import TrainConfig
from ..data.corpus import FileCorpus
from ..data.manifest import Entry
from ..errors import AudioError
from ..losses import ReconstructionLoss
from .state import TrainState

METRICS = (metrics.mel_distance, metrics.pesq_wb, metrics.stoi, metrics.si_sdr)
HIGHER_IS_BETTER = {metric.name for metric in METRICS if metric.better == "higher"}


class Validator:
    """Holds this process's share of the validation recordings.

    Args:
        config: of the run.
        entries: all validation recordings.
        rank, world: this process's number, and how many there are.
    Raises:
        AudioError: a recording cannot be read.
    """

    def __init__(self, config: TrainConfig, entries: Sequence[Entry], rank: int = 0, world: int = 1):
        self.config = config
        model, data = config.model, config.data
        self.loss = ReconstructionLoss(config.loss, model.sample_rate)
        corpus = FileCorpus(entries, model.sample_rate, model.channels)
        chosen = np.unique(np.linspace(0, len(entries) - 1, min(data.valid_items, len(entries))).round().astype(int))
        longest = int(data.valid_segment_s * model.sample_rate)
        shortest = config.loss.longest_window
        self.wavs: dict[int, np.ndarray] = {}
        for number in chosen[rank::world]:
            length = min(longest, int(corpus.lengths[number]))
            if length < shortest:
                raise AudioError(f"{entries[number].path}: {length} samples are too short to validate on")
            self.wavs[int(number)] = corpus.crop(int(number), 0, length)
        self.metrics = [m for m in METRICS if not m.missing()]

    @torch.no_grad()
    def __call__(
        self, state: TrainState, device: torch.device, samples: int
    ) -> tuple[dict[str, list[float]], dict[str, np.ndarray]]:
        """Judge this process's recordings with averaged weights.

        Args:
            state: of the run; put back as it was.
            device: where it lies.
            samples: recordings returned as sound.
        Returns:
            name -> [sum, count] over recordings with an answer, `@n` where fewer than all codebooks were used; and
            name -> [C, L], some recordings before and after.
        """
        totals: dict[str, list[float]] = {}
        sounds: dict[str, np.ndarray] = {}
        codec, n_q_all = state.codec, self.config.model.quantizer.n_q
        was_training = codec.training
        with state.ema.applied():
            codec.eval()
            for n_q in self.config.run.validate_n_q or (n_q_all,):
                suffix = "" if n_q == n_q_all else f"@{n_q}"
                for number, wav in self.wavs.items():
                    real = torch.from_numpy(wav)[None].to(device)
                    fake = codec(real, n_q).wav.float()
                    for name, value in self._judge(fake, real).items():
                        total = totals.setdefault(name + suffix, [0.0, 0.0])
                        if np.isfinite(value):
                            total[0] += value
                            total[1] += 1
                    if number in list(self.wavs)[:samples]:
                        sounds[f"recording_{number}/decoded{suffix}"] = fake[0].cpu().numpy()
                        sounds[f"recording_{number}/original"] = wav
            codec.train(was_training)
        return totals, sounds

    def _judge(self, fake: Tensor, real: Tensor) -> Mapping[str, float]:
        terms = self.loss(fake, real)
        out = {"loss": float(sum(getattr(self.config.loss, name) * value for name, value in terms.items()))}
        out |= {name: float(value) for name, value in terms.items()}
        x, y = fake[0].mean(0).cpu().numpy(), real[0].mean(0).cpu().numpy()
        return out | {metric.name: metric(y, x, self.config.model.sample_rate) for metric in self.metrics}


def merge(totals: dict[str, list[float]], accelerator: Accelerator) -> dict[str, float]:
    """Means over the recordings of all processes, from each process's [sum, count]."""
    together: dict[str, list[float]] = {}
    for part in gather_object([totals]):
        for name, (value, count) in part.items():
            total = together.setdefault(name, [0.0, 0.0])
            total[0] += value
            total[1] += count
    return {name: value / count for name, (value, count) in sorted(together.items()) if count}
