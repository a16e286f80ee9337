"""Change the quantizer of a trained codec: EMA codebooks, then DiVeQ on the same codewords, then SF-DiVeQ on a path.

    python egs/training_proofs/swap.py TRAIN VALID [-o egs/training_proofs/results/swap.md]

TRAIN and VALID are folders or manifests of speech. Every stage starts from the checkpoint of the one before
(`run.init_from`); a run of the old method over the same steps stands beside each, so that the gain of training on is
not taken for a gain of the new quantizer. The small network of conf/smoke.yaml, no discriminators; minutes on a CPU.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from audiocodec.codec import Codec
from audiocodec.training.telemetry import read_metrics

ROOT = Path(__file__).resolve().parents[2]
FIRST, NEXT = 240, 90  # steps of the first stage, and of each that follows
SETTINGS = [
    "loss.adversarial=0", "loss.feature_matching=0", "run.trackers=[]", "run.threads=1", "data.batch_size=4",
    "data.valid_items=8", "data.valid_segment_s=4", "run.validate_every=100000", "optim.lr=2e-3",
    "optim.ema_decay=0.98",
]  # fmt: skip


@dataclass(frozen=True)
class Stage:
    """One run: `method` from the codec that `start` left, or from nothing."""

    name: str
    method: str
    start: str = ""

    @property
    def steps(self) -> int:
        """Of this run."""
        return NEXT if self.start else FIRST


STAGES = (
    Stage("EMA, from nothing", "ema"),
    Stage("EMA goes on", "ema", "EMA, from nothing"),
    Stage("EMA to DiVeQ", "diveq", "EMA, from nothing"),
    Stage("DiVeQ goes on", "diveq", "EMA to DiVeQ"),
    Stage("DiVeQ to SF-DiVeQ", "sf_diveq", "EMA to DiVeQ"),
)


def train(stage: Stage, train: str, valid: str, folders: dict[str, Path], folder: Path) -> tuple[list[str], str]:
    """Run a stage; the table's cells, and what the program said about the start."""
    run = folders[stage.name] = folder / stage.method / str(len(folders))
    words = [
        sys.executable,
        "recipes/train.py",
        "--config",
        "conf/smoke.yaml",
        f"data.train={train}",
        f"data.valid={valid}",
    ]
    words += [f"run.dir={run}", f"model.quantizer.method={stage.method}", f"run.max_steps={stage.steps}", *SETTINGS]
    words += [f"run.checkpoint_every={stage.steps}", f"run.log_every={stage.steps // 3}"]
    if stage.start:
        words.append(f"run.init_from={folders[stage.start]}/checkpoints/step-{_by_name(stage.start).steps:08d}")
    done = subprocess.run(words, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    said = "; ".join(line.replace(str(folder), "TMP") for line in done.stderr.splitlines() if "start" in line)
    rows = read_metrics(run / "metrics.jsonl")
    first, last = sum(r["loss"] for r in rows[:20]) / 20, rows[-1]
    valid_figures, used = last["valid"], last["codebooks"]["usage"]
    codec = Codec.from_pretrained(run / f"checkpoints/step-{stage.steps:08d}")
    cells = [stage.name, str(stage.steps), f"{first:.3f}", f"{sum(r['loss'] for r in rows[-20:]) / 20:.3f}"]
    cells += [
        f"{valid_figures[name]:.3f}" for name in ("loss", "mel_distance", "pesq_wb", "stoi") if name in valid_figures
    ]
    return [*cells, " ".join(f"{u:.2f}" for u in used), " ".join(f"{s:.2f}" for s in order(codec))], said


def order(codec: Codec) -> list[float]:
    """By codebook: mean distance of neighbours in the order of the codewords, against that of all pairs."""
    out = []
    for codebook in codec.quantizer.codebooks():
        words = codebook.codebook.detach()
        neighbours = (words[1:] - words[:-1]).norm(dim=1).mean()
        out.append(float(neighbours / torch.pdist(words).mean()))
    return out


def _by_name(name: str) -> Stage:
    return next(stage for stage in STAGES if stage.name == name)


def main() -> None:
    """Run all stages, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train")
    parser.add_argument("valid")
    parser.add_argument("-o", "--out", type=Path, default=ROOT / "egs/training_proofs/results/swap.md")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    lines = [
        "# A trained codec changes its quantizer", "",
        f"Made by `egs/training_proofs/swap.py`, PyTorch {torch.__version__}, one seed. Training losses are means "
        "of 20 steps; validation is by averaged weights on recordings that no run trains on. *Order*: mean distance of "
        "neighbours in the codebook against that of all pairs; about 1 where they lie in no order, less on a path.",
        "", "| run | steps | first loss | last loss | valid loss | mel distance | PESQ-WB | STOI | usage | order |",
        "|" + "---|" * 10,
    ]  # fmt: skip
    notes: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        folders: dict[str, Path] = {}
        for stage in STAGES:
            cells, said = train(stage, options.train, options.valid, folders, Path(folder))
            lines.append(f"| {' | '.join(cells)} |")
            notes += [f"- {stage.name}: {said}"] if said else []
            print(lines[-1], flush=True)
    options.out.write_text("\n".join([*lines, "", "What the program said at the starts:", "", *notes, ""]))


if __name__ == "__main__":
    main()
