"""Kill -9 at random steps, resume, compare every number with a run that nobody touched.

    python egs/training_proofs/kills.py SPEECH [--seed 0] [-o egs/training_proofs/results/kills.md]

With DiVeQ and with EMA codebooks: discriminators start at step 20, the quantizer's warm-up ends at step 30; the first
kill falls before that, the others after; weights are averaged, items drop codebooks, dead codewords are
replaced. A few minutes on a CPU.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from audiocodec.training.telemetry import read_metrics

ROOT = Path(__file__).resolve().parents[2]
STEPS, GAN, WARMUP, EVERY = 70, 20, 30, 10
KILLS = ((8, 27), (33, 45), (50, 65))  # a random step of each
SETTINGS = [
    f"run.max_steps={STEPS}", f"run.checkpoint_every={EVERY}", f"discriminator.start_step={GAN}",
    f"model.quantizer.warmup={WARMUP}", "model.quantizer.replacement_interval=10", "data.batch_size=2",
    "model.quantizer.replacement_threshold=0.5", "run.quantizer_init_batches=0", "run.validate_every=1000",
    "data.valid=[]", "run.trackers=[]", "run.threads=1",
]  # fmt: skip
NUMBERS = (
    "loss",
    "grad_norm",
    "discriminator",
    "discriminator_grad_norm",
    "adversarial",
    "feature_matching",
    "quantizer",
)


def command(speech: Path, folder: Path, method: str) -> list[str]:
    """The command line of a run that goes on where it stopped."""
    words = [sys.executable, "recipes/train.py", "--config", "conf/smoke.yaml", f"data.train={speech}"]
    return [*words, f"run.dir={folder}", f"model.quantizer.method={method}", *SETTINGS, "--resume", "auto"]


def kill_at(words: list[str], folder: Path, step: int, delay_s: float) -> int:
    """Start, wait until `step` is in metrics.jsonl, then kill; returns the last step that was written."""
    metrics = folder / "metrics.jsonl"
    with subprocess.Popen(words, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        while not metrics.exists() or not any(row["step"] >= step for row in read_metrics(metrics)[-1:]):
            if process.poll() is not None:
                raise SystemExit(f"ended with {process.returncode} before step {step}")
            time.sleep(0.005)
        time.sleep(delay_s)
        process.send_signal(signal.SIGKILL)
    return int(read_metrics(metrics)[-1]["step"])


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    """Everything in the last checkpoint."""
    last = folder / f"checkpoints/step-{STEPS:08d}"
    return {f"{p.stem}/{name}": t for p in sorted(last.glob("*.safetensors")) for name, t in load_file(p).items()}


def compare(speech: Path, folder: Path, method: str, rng: random.Random) -> list[str]:
    """Run both; lines of the report.

    Raises:
        SystemExit: a number differs.
    """
    whole, broken = folder / f"{method}-whole", folder / f"{method}-killed"
    subprocess.run(command(speech, whole, method), cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    killed = []
    for low, high in KILLS:
        step, delay_s = rng.randint(low, high), rng.random() * 0.1
        killed.append(kill_at(command(speech, broken, method), broken, step, delay_s))
    subprocess.run(command(speech, broken, method), cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    one, two = read_metrics(whole / "metrics.jsonl"), read_metrics(broken / "metrics.jsonl")
    pairs = [(a.get(name), b.get(name)) for a, b in zip(one, two, strict=True) for name in NUMBERS]
    different = sum(a != b for a, b in pairs)
    a, b = tensors(whole), tensors(broken)
    unequal = [name for name in a if name not in b or not torch.equal(a[name], b[name])]
    replaced = sum(row.get("replaced", 0) for row in one)
    lines = [
        f"## {method}", "",
        f"Killed after steps {', '.join(map(str, killed))} (checkpoints every {EVERY}). {len(one)} steps, "
        f"{sum(x is not None for x, _ in pairs)} numbers of metrics.jsonl compared, **{different} differ**; "
        f"{len(a)} tensors of the last checkpoint (weights, averages, both optimizers, discriminators, codebook "
        f"statistics) compared bit for bit, **{len(unequal)} differ**. {replaced} dead codewords replaced on the way.",
        "", "| step | loss, not killed | loss, killed three times | discriminator | discriminator, killed |",
        "|---|---|---|---|---|",
    ]  # fmt: skip
    shown = {1, GAN, GAN + 1, WARMUP, WARMUP + 1, STEPS, *killed, *(k + 1 for k in killed)}
    for x, y in zip(one, two, strict=True):
        if x["step"] in shown:
            losses = (x["loss"], y["loss"], x.get("discriminator", "off"), y.get("discriminator", "off"))
            lines.append(f"| {x['step']} | " + " | ".join(map(str, losses)) + " |")
    if different or unequal:
        raise SystemExit("\n".join([*lines, f"different: {unequal[:5]}"]))
    return [*lines, ""]


def main() -> None:
    """Run, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("speech", type=Path)
    parser.add_argument("--seed", type=int, default=0, help="of the steps that are killed")
    parser.add_argument("-o", "--out", type=Path, default=ROOT / "egs/training_proofs/results/kills.md")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    rng = random.Random(options.seed)
    lines = [
        "# Three kills change no number",
        "",
        f"Made by `egs/training_proofs/kills.py` with PyTorch {torch.__version__} on a CPU, fp32, one thread; "
        f"conf/smoke.yaml with discriminators from step {GAN} and a quantizer warm-up until step {WARMUP}.",
        "",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for method in ("diveq", "ema"):
            lines += compare(options.speech.resolve(), Path(folder), method, rng)
    options.out.write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
