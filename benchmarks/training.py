"""Speed of training by configuration: seconds of audio a second, and where the time goes.

    python -m benchmarks.training                                     every configuration in conf/
    python -m benchmarks.training speech_16k --steps 20 --threads 2 --data DIR -o results.json
    python -m benchmarks.training dac_24k data.batch_size=4           with other settings

Data is read, resampled and cropped in line here, as no run does it: its share is the most that a run could wait for.
The generator's share is forward and backward pass and optimizer; losses are the reconstruction terms, forward and
backward; discriminators are what a step costs more once they are on.
"""

import argparse
import json
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
from audiocodec.data.corpus import FileCorpus
from audiocodec.data.dataset import CropDataset
from audiocodec.data.manifest import collect
from audiocodec.training.state import build_state
from audiocodec.training.steps import TrainStep

CONF = Path(__file__).resolve().parents[1] / "conf"


def measure(config: TrainConfig, data: str, steps: int) -> dict[str, Any]:
    """Time the parts of a step.

    Args:
        config: of a run.
        data: folder or manifest.
        steps: timed of each part, after one that is not.
    Returns:
        seconds of each part (medians), their shares of a step, and seconds of audio a second.
    """
    AcceleratorState._reset_state(reset_partial_state=True)  # one process measures several precisions
    accelerator = Accelerator(mixed_precision=config.run.mixed_precision)
    device, rows = accelerator.device, range(config.data.batch_size)
    dataset = CropDataset(
        FileCorpus(collect([data]), config.model.sample_rate, config.model.channels),
        config.data,
        config.segment_samples,
        0,
    )
    state = build_state(config, device)
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

    parts = {
        "data": _time(lambda: dataset.batch(next(numbers), rows), steps, device),
        "generator": _time(generator, steps, device),
        "losses": _time(losses, steps, device),
    }
    total = alone = _time(whole(-1), steps, device)
    if config.adversarial:
        total = _time(whole(config.discriminator.adversary_step), steps, device)
        parts["discriminators"] = total - alone
    batch_s = config.data.batch_size * config.segment_s
    return {
        "parameters": sum(p.numel() for p in state.codec.parameters()),
        "batch_s": round(batch_s, 3),
        "step_s": round(total, 4),
        "audio_per_s": round(batch_s / total, 2),
        "audio_per_s_without_discriminators": round(batch_s / alone, 2),
        "seconds": {name: round(value, 5) for name, value in parts.items()},
        "shares": {name: round(value / total, 4) for name, value in parts.items()},
    }


def _time(function: Callable[[], Any], steps: int, device: torch.device) -> float:
    """Median seconds of a call."""
    seconds = []
    for _ in range(steps + 1):
        began = time.perf_counter()
        function()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


def _make_recordings(folder: str) -> str:
    """Ten recordings of 20 s at 48 kHz, the dearest to resample."""
    rng = np.random.default_rng(0)
    for number in range(10):
        soundfile.write(f"{folder}/{number}.flac", rng.uniform(-0.1, 0.1, 20 * 48000), 48000)
    return folder


def main() -> None:
    """Measure, print a table, write JSON where wanted."""
    parser = argparse.ArgumentParser(description="Speed of training.")
    parser.add_argument("what", nargs="*", help="names of configurations, and key=value settings for all of them")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--data", help="recordings; default: noise at 48 kHz")
    parser.add_argument("-o", "--out", type=Path, help="JSON file")
    options = parser.parse_intermixed_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    names = [word for word in options.what if "=" not in word] or sorted(path.stem for path in CONF.glob("*.yaml"))
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        data = options.data or _make_recordings(folder)
        for name in names:
            config = load(TrainConfig, CONF / f"{name}.yaml", [word for word in options.what if "=" in word])
            results[name] = result = measure(config, data, options.steps)
            shares = ", ".join(f"{part} {share:.1%}" for part, share in result["shares"].items())
            print(
                f"{name}: {result['audio_per_s']} s of audio a second ({result['step_s']} s a step); {shares}",
                flush=True,
            )
    if options.out:
        device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {options.threads} threads"
        report = {"torch": torch.__version__, "device": device, "results": results}
        options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
