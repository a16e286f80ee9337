"""Speed of training by configuration: seconds of audio a second, and where the time of a step goes.

    python -m benchmarks.training                                     every configuration in conf/
    python -m benchmarks.training speech_16k --rounds 20 --data DIR --out docs/results
    python -m benchmarks.training dac_24k --batch 2 data.workers=0    smaller batches, other settings

Data is read, resampled and cropped in line here, as no run does it: its share is the most that a run could wait for.
Where a configuration has `data.cache`, crops come from a cache, as in its runs. The generator's share is forward and
backward pass and optimizer; losses are the reconstruction terms, forward and backward; discriminators are what a step
costs more once they are on. Parts are timed in turn, round by round, so that a busy moment hits all of them; medians.
`--out` adds to what earlier calls wrote there, so that configurations can be measured one by one.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from audiocodec.config.loader import load
from audiocodec.config.training import TrainConfig
from audiocodec.data.corpus import CachedCorpus, Corpus, FileCorpus, build_cache
from audiocodec.data.dataset import CropDataset
from audiocodec.data.manifest import collect
from audiocodec.training.state import build_state
from audiocodec.training.steps import TrainStep

CONF = Path(__file__).resolve().parents[1] / "conf"


def measure(config: TrainConfig, data: str, rounds: int, cache: str) -> dict[str, Any]:
    """Time the parts of a step.

    Args:
        config: of a run.
        data: folder or manifest.
        rounds: in which every part is timed once, after one that is not.
        cache: folder for the decoded corpus where the configuration wants one.
    Returns:
        seconds of each part (medians), their shares of a step, and seconds of audio a second.
    """
    AcceleratorState._reset_state(reset_partial_state=True)  # one process measures several precisions
    accelerator = Accelerator(mixed_precision=config.run.mixed_precision)
    device, rows = accelerator.device, range(config.data.batch_size)
    dataset = _dataset(config, data, cache)
    state = build_state(config, device)
    state.codec.quantizer.reservoir = None  # as after the warm-up
    step = TrainStep(config, state, accelerator)
    wav = torch.from_numpy(dataset.batch(0, rows).wav).to(device)
    kept = torch.full((len(wav),), config.model.quantizer.n_q, device=device)
    numbers = iter(range(10**9))

    def generator() -> None:
        with accelerator.autocast():
            out = state.codec(wav, kept)
        (out.wav.float().square().mean() + out.quantized.loss).backward()
        state.optimizer.step()
        state.optimizer.zero_grad()

    def losses() -> None:
        fake = (wav + 1e-3).requires_grad_()
        torch.stack(list(step.reconstruction(fake, wav).values())).sum().backward()

    def whole(number: int) -> Callable[[], None]:
        def run() -> None:
            state.step = number
            assert step([wav], [kept], [0], 1.0).finite

        return run

    calls = {"data": lambda: dataset.batch(next(numbers), rows), "generator": generator, "losses": losses}
    calls["alone"] = whole(-1)
    if config.adversarial:
        calls["total"] = whole(config.discriminator.adversary_step)
    seconds = interleaved(calls, rounds, device)
    alone = seconds.pop("alone")
    total = seconds.pop("total", alone)
    if config.adversarial:
        seconds["discriminators"] = total - alone
    batch_s = config.data.batch_size * config.segment_s
    return {
        "parameters": sum(p.numel() for p in state.codec.parameters()),
        "batch": config.data.batch_size,
        "batch_s": round(batch_s, 3),
        "precision": config.run.mixed_precision,
        "cache": bool(config.data.cache),
        "step_s": round(total, 4),
        "audio_per_s": round(batch_s / total, 2),
        "audio_per_s_without_discriminators": round(batch_s / alone, 2),
        "seconds": {name: round(value, 5) for name, value in seconds.items()},
        "shares": {name: round(value / total, 4) for name, value in seconds.items()},
    }


def interleaved(calls: dict[str, Callable[[], Any]], rounds: int, device: torch.device) -> dict[str, float]:
    """Median seconds of each call."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds + 1):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            if device.type == "cuda":
                torch.cuda.synchronize()
            seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(values[1:]) for name, values in seconds.items()}


def _dataset(config: TrainConfig, data: str, cache: str) -> CropDataset:
    entries, rate, channels = collect([data]), config.model.sample_rate, config.model.channels
    corpus: Corpus = FileCorpus(entries, rate, channels)
    if config.data.cache:
        build_cache(cache, entries, rate, channels)
        corpus = CachedCorpus(cache, entries, rate, channels)
    return CropDataset(corpus, config.data, config.segment_samples, 0)


def _make_recordings(folder: str) -> str:
    """Ten recordings of 20 s at 48 kHz, the dearest to resample."""
    rng = np.random.default_rng(0)
    for number in range(10):
        soundfile.write(f"{folder}/{number}.flac", rng.uniform(-0.1, 0.1, 20 * 48000), 48000)
    return folder


def table(results: dict[str, dict[str, Any]]) -> str:
    """The results as Markdown."""
    parts = ("data", "generator", "losses", "discriminators")
    lines = ["| configuration | parameters | batch | s of audio a second | " + " | ".join(parts) + " | measured |"]
    lines.append("|" + "---|" * (len(parts) + 5))
    for name, r in sorted(results.items()):
        shares = [f"{r['shares'][part]:.1%}" if part in r["shares"] else "off" for part in parts]
        shares[0] += " (cache)" if r["cache"] else " (files)"
        size = f"{r['batch']} x {r['batch_s'] / r['batch']:.2f} s, {r['precision']}"
        cells = [name, f"{r['parameters'] / 1e6:.1f} M", size, f"{r['audio_per_s']:.3g}", *shares, r["measured"]]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def report(results: dict[str, dict[str, Any]], out: Path) -> None:
    """Write training_speed.json and training_speed.md, the results of earlier calls kept."""
    out.mkdir(parents=True, exist_ok=True)
    file = out / "training_speed.json"
    together = {**(json.loads(file.read_text()) if file.exists() else {}), **results}
    file.write_text(json.dumps(together, indent=1) + "\n")
    docstring = (__doc__ or "").partition("\n\n")[2].partition("\n\n")[2].strip()
    (out / "training_speed.md").write_text(f"# Speed of training\n\n{docstring}\n\n{table(together)}\n")


def main() -> None:
    """Measure, print a table, write it down where wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", help="names of configurations, and key=value settings for all of them")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--short", action="store_true", help="two rounds, batches of at most 2")
    parser.add_argument("--batch", type=int, help="no batch larger than this, for what is meant for a GPU")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--data", help="recordings; default: noise at 48 kHz")
    parser.add_argument("--hardware", default=platform.processor() or platform.machine(), help="its name in the table")
    parser.add_argument("-o", "--out", type=Path, help="folder for training_speed.json and training_speed.md")
    options = parser.parse_intermixed_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    names = [word for word in options.what if "=" not in word] or sorted(path.stem for path in CONF.glob("*.yaml"))
    cap = 2 if options.short else options.batch
    where = (
        torch.cuda.get_device_name() if torch.cuda.is_available() else f"{options.threads} of {os.cpu_count()} cores"
    )
    where = f"{datetime.date.today()}, {options.hardware}, {where}, torch {torch.__version__}"
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        data = options.data or _make_recordings(folder)
        for name in names:
            settings = [word for word in options.what if "=" in word]
            config = load(TrainConfig, CONF / f"{name}.yaml", settings)
            if cap and cap < config.data.batch_size:
                config = load(TrainConfig, CONF / f"{name}.yaml", [*settings, f"data.batch_size={cap}"])
            result = measure(config, data, 2 if options.short else options.rounds, f"{folder}/cache")
            results[name] = {**result, "measured": where}
            print(table({name: results[name]}), flush=True)
    if options.out:
        report(results, options.out)


if __name__ == "__main__":
    main()
