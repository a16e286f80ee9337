"""The toy: an autoencoder of log-mel frames of real speech with one vector quantizer in its middle."""

from functools import lru_cache, partial
from pathlib import Path

import soundfile
import torch
from contenders import EVERYONE, STEPS
from torch import Tensor, nn

from audiocodec.audio.spectral import mel_filterbank
from audiocodec.quantizers import Quantized, Quantizer, ResidualQuantizer, SFDiVeQ

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
N_MELS, WINDOW_S, HOP_S, TOP_HZ = 40, 0.032, 0.0025, 8000
LATENT_DIM, WIDTH = 8, 96
HELD_OUT = 0.25  # the last quarter of each recording
FAR = 10.0  # standard deviations of the latents


@lru_cache(maxsize=1)
def speech_frames() -> tuple[Tensor, Tensor]:
    """Log-mel frames of the two speech samples, each band standardised: train and held-out, [N, 40]."""
    train, test = [], []
    for name in ("librispeech_2002.flac", "kerstin_0347.flac"):
        wav, rate = soundfile.read(SAMPLES / name, dtype="float32")
        window = round(WINDOW_S * rate)
        pieces = torch.from_numpy(wav).unfold(0, window, round(HOP_S * rate)) * torch.hann_window(window)
        filters = torch.from_numpy(mel_filterbank(rate, window, N_MELS, f_max_hz=TOP_HZ))
        mels = torch.log10((torch.fft.rfft(pieces).abs() @ filters.T).clamp_min(1e-3))
        cut = round(len(mels) * (1 - HELD_OUT))
        train.append(mels[:cut])
        test.append(mels[cut:])
    mean, std = torch.cat(train).mean(dim=0), torch.cat(train).std(dim=0)
    return (torch.cat(train) - mean) / std, (torch.cat(test) - mean) / std


class Autoencoder(nn.Module):
    """Two small perceptrons and a quantizer."""

    def __init__(self, quantizer: Quantizer):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(N_MELS, WIDTH), nn.GELU(), nn.Linear(WIDTH, LATENT_DIM))
        self.quantizer = quantizer
        self.decoder = nn.Sequential(nn.Linear(LATENT_DIM, WIDTH), nn.GELU(), nn.Linear(WIDTH, N_MELS))

    def forward(self, x: Tensor) -> tuple[Tensor, Quantized]:
        out = self.quantizer(self.encoder(x))
        return self.decoder(out.z_q), out


def train(
    name: str,
    codebook_size: int,
    seed: int,
    *,
    stages: int = 1,
    wiring: str = "per_stage",
    lr: float = 2e-3,
    batch_size: int = 256,
    far: bool = False,
    steps: int = STEPS,
    **options: object,
) -> Autoencoder:
    """An autoencoder trained on speech frames; a function of its arguments.

    Args:
        name: key of EVERYONE; `options` go to the method.
        stages, wiring: more than one stage makes a residual stack.
        far: start all codewords in one place, FAR standard deviations off the latents, instead of by k-means.
    """
    frames, _ = speech_frames()
    torch.manual_seed(seed)
    make = partial(EVERYONE[name].make, seed=seed, **options)
    quantizer: Quantizer = make(codebook_size, LATENT_DIM)
    if stages > 1:
        quantizer = ResidualQuantizer(make, stages, codebook_size, LATENT_DIM, wiring=wiring, seed=seed)
    model = Autoencoder(quantizer)
    with torch.no_grad():
        latents = model.encoder(frames)
        quantizer.init_from_data(latents)
        if far:
            for codebook in quantizer.codebooks():
                place = latents.mean(dim=0) + FAR * latents.std(dim=0)
                codebook.codebook.copy_(place + 0.01 * torch.randn_like(codebook.codebook))
                if name == "EMA":
                    codebook.mean_sum.copy_(codebook.codebook)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=0.02 * lr)
    for step in range(1, steps + 1):
        batch = frames[torch.randint(len(frames), (batch_size,))]
        decoded, out = model(batch)
        optimizer.zero_grad()
        ((decoded - batch).square().mean() + out.loss).backward()
        optimizer.step()
        schedule.step()
        quantizer.maintain(step, optimizer, max_steps=steps)
    return model.eval()


@torch.no_grad()
def error_db(model: Autoencoder, sf_bits: int | None = None) -> float:
    """Held-out mean squared error in dB below the variance of the frames, through codes; lower is better."""
    _, frames = speech_frames()
    quantizer = model.quantizer
    if sf_bits is not None:
        assert isinstance(quantizer, SFDiVeQ | ResidualQuantizer)
        quantizer = quantizer.with_sf_bits(sf_bits)
    decoded = model.decoder(quantizer.decode(quantizer.encode(model.encoder(frames))))
    return float(10 * torch.log10((decoded - frames).square().mean() / frames.var(dim=0).mean()))


@torch.no_grad()
def held_out_metrics(model: Autoencoder) -> dict[str, float]:
    """The quantizer's own telemetry on held-out latents, averaged over stages."""
    metrics = model.quantizer(model.encoder(speech_frames()[1])).metrics
    return {name: float(value.mean()) for name, value in metrics.items()}


@torch.no_grad()
def alignment(model: Autoencoder) -> dict[str, float]:
    """Where the codewords of a single codebook lie among the latents of all frames.

    off_latents: share of codewords whose nearest latent is further off than 99 % of latents are from theirs.
    energy_distance: sqrt((2 E|c - z| - E|c - c'| - E|z - z'|) / E|z - z'|), each codeword counted once.
    energy_distance_by_use: the same, each codeword counted as often as it is used: what a decoder sees.
    """
    latents = model.encoder(torch.cat(speech_frames()))[::2]
    codewords = model.quantizer.codebooks()[0].codebook
    among = torch.cdist(latents, latents)
    closest = among.fill_diagonal_(torch.inf).min(dim=1).values
    among.fill_diagonal_(0)
    across = torch.cdist(codewords, latents)
    off = across.min(dim=1).values > torch.quantile(closest, 0.99)
    counts = torch.bincount(model.quantizer.encode(latents), minlength=len(codewords))
    spread = among.mean()

    def distance(weights: Tensor) -> float:
        cross, inner = (weights @ across).mean(), weights @ torch.cdist(codewords, codewords) @ weights
        return float(((2 * cross - inner - spread).clamp_min(0) / spread).sqrt())

    even = torch.full((len(codewords),), 1 / len(codewords))
    return {
        "off_latents": float(off.float().mean()),
        "energy_distance": distance(even),
        "energy_distance_by_use": distance(counts / counts.sum()),
    }
