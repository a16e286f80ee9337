"""Compress a speech recording, decompress it, and show what it cost and how it sounds: `make demo`.

Every figure is measured in this run: bytes on disk, bit rates from them, times of whole calls, PESQ and STOI against
the recording. `python egs/demo/demo.py --help` names the options (another recording, another model).
"""

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib import mlab
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

import audiocodec
from audiocodec.audio.io import read_audio, write_audio
from audiocodec.errors import CodecError
from audiocodec.metrics import Metric, pesq_wb, stoi

ROOT = Path(__file__).resolve().parents[2]
SPECTROGRAM_RANGE_DB = 80  # below the loudest point of the recording: what the colours span


@dataclass(frozen=True)
class Trial:
    """The recording at one bit rate: files, times and decoded samples."""

    n_q: int
    compressed: Path
    decoded: Path
    n_bytes: int
    encode_s: float
    decode_s: float
    wav: np.ndarray  # [C, L] float32 at the recording's rate


def main() -> None:
    """Run the demo; exit 1 with one line if the recording or the model cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=Path, nargs="?", default=ROOT / "egs/samples/librispeech_2002.flac")
    parser.add_argument("--model", default="speech-16k", help="name of a shipped model, or a model's folder")
    parser.add_argument("--out", type=Path, default=ROOT / "out/demo", help="folder for the results")
    options = parser.parse_args()
    try:
        run(options.recording, options.model, options.out)
    except (CodecError, OSError) as error:
        sys.exit(f"demo: error: {error}")


def run(recording: Path, model: str, out: Path) -> None:
    """Make all files of the demo under `out` and print the table."""
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # as the command line does; speeds are those of one core
    codec = audiocodec.Codec.from_pretrained(model)
    original, sample_rate = read_audio(recording)
    audiocodec.decompress(audiocodec.compress(original, sample_rate=sample_rate, model=codec), model=codec)  # warm up
    quarters = sorted({max(1, codec.n_q // part) for part in (1, 2, 4)}, reverse=True)
    trials = [code(recording, codec, n_q, out) for n_q in quarters]
    picture = out / f"{recording.stem}.png"
    draw(original, trials, sample_rate, picture)

    seconds = original.shape[1] / sample_rate
    console = Console()
    console.print(table(original, trials, sample_rate, title=f"{recording.name}, {seconds:.2f} s, model {codec.name}"))
    console.print("Speeds are of whole calls, from file to file, on one CPU core. Listen and look:")
    files = [recording, *(path for trial in trials for path in (trial.compressed, trial.decoded)), picture]
    for path in files:
        console.print(f"  {display(path)}", highlight=False, soft_wrap=True)


def code(recording: Path, codec: "audiocodec.Codec", n_q: int, out: Path) -> Trial:
    """Compress `recording` with the first `n_q` codebooks, decompress it, and keep both files."""
    compressed, decoded = (out / f"{recording.stem}_{n_q}q{suffix}" for suffix in (".anc", ".wav"))
    start = time.perf_counter()
    compressed.write_bytes(audiocodec.compress(recording, model=codec, n_q=n_q))
    middle = time.perf_counter()
    wav, sample_rate = audiocodec.decompress(compressed, model=codec)
    write_audio(decoded, wav, sample_rate, overwrite=True)
    end = time.perf_counter()
    return Trial(n_q, compressed, decoded, compressed.stat().st_size, middle - start, end - middle, wav)


def table(original: np.ndarray, trials: list[Trial], sample_rate: int, title: str) -> Table:
    """Lay out the figures: a column a trial."""
    seconds = original.shape[1] / sample_rate
    pcm_bytes = 2 * original.size
    rows: list[tuple[str, list[str]]] = [
        ("codebooks", [str(trial.n_q) for trial in trials]),
        ("bytes on disk", [f"{trial.n_bytes}" for trial in trials]),
        ("kbit/s, measured", [f"{trial.n_bytes * 8 / seconds / 1000:.2f}" for trial in trials]),
        ("16-bit PCM / file", [f"{pcm_bytes / trial.n_bytes:.1f}" for trial in trials]),
        ("encoding speed", [f"{seconds / trial.encode_s:.1f} x real time" for trial in trials]),
        ("decoding speed", [f"{seconds / trial.decode_s:.1f} x real time" for trial in trials]),
        ("PESQ-WB (1 to 4.64)", [score(pesq_wb, original, trial.wav, sample_rate) for trial in trials]),
        ("STOI (0 to 1)", [score(stoi, original, trial.wav, sample_rate) for trial in trials]),
    ]
    layout = Table(title=title, show_header=False)
    for name, cells in rows:
        layout.add_row(name, *cells)
    return layout


def score(metric: Metric, original: np.ndarray, decoded: np.ndarray, sample_rate: int) -> str:
    """Return the mean of `metric` over channels, or the reason why there is none."""
    if metric.missing():
        return f"needs {', '.join(metric.missing())}"
    scores = [metric.score(*pair, sample_rate) for pair in zip(original, decoded, strict=True)]
    reasons = [one.reason for one in scores if one.reason]
    return reasons[0] if reasons else f"{np.mean([one.value for one in scores]):.3f}"


def draw(original: np.ndarray, trials: list[Trial], sample_rate: int, path: Path) -> None:
    """Draw the spectrograms of the recording and of every trial, one below another, on one colour scale in dB."""
    decoded = [(f"decoded from {trial.n_bytes} bytes ({trial.n_q} codebooks)", trial.wav) for trial in trials]
    signals = [("original", original), *decoded]
    levels = [spectrogram_db(wav.mean(axis=0), sample_rate) for _, wav in signals]
    top = levels[0].max()
    figure = Figure(figsize=(11, 2.6 * len(signals)))
    axes = figure.subplots(len(signals), sharex=True, sharey=True)
    extent = (0.0, original.shape[1] / sample_rate, 0.0, sample_rate / 2000)
    for axis, (name, _), level in zip(axes, signals, levels, strict=True):
        limits = {"vmin": top - SPECTROGRAM_RANGE_DB, "vmax": top}
        image = axis.imshow(level, origin="lower", aspect="auto", extent=extent, cmap="magma", **limits)
        axis.set_title(name, loc="left", fontsize=10)
        axis.set_ylabel("kHz")
    axes[-1].set_xlabel("s")
    figure.colorbar(image, ax=axes, label="dB", pad=0.01)
    figure.savefig(path, dpi=110, bbox_inches="tight")


def spectrogram_db(wav: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return the power spectral density of wav [L] in dB, [frequencies, times], of 32 ms windows every 8 ms."""
    window = round(0.032 * sample_rate)
    power, _, _ = mlab.specgram(wav, NFFT=window, Fs=sample_rate, noverlap=window - window // 4)
    return 10 * np.log10(np.asarray(power) + 1e-14)


def display(path: Path) -> str:
    """Return `path` as seen from the repository's root, where it lies in it."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    main()
