"""What a user sees when something goes wrong in training: each fault is made for real, its output written down.

    python egs/training_proofs/faults.py SPEECH [-o egs/training_proofs/results/faults.md]

SPEECH is a folder of recordings. Takes a few minutes on a CPU. The full disk needs Linux with user namespaces
(`unshare`), for a small file system in memory.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from audiocodec.data import manifest
from audiocodec.training.telemetry import read_metrics

ROOT = Path(__file__).resolve().parents[2]
QUIET = ["data.valid=[]", "run.trackers=[]", "run.threads=1", "loss.adversarial=0", "loss.feature_matching=0"]


class Faults:
    """Runs commands and keeps what they print.

    Args:
        folder: for everything that is made.
        speech: recordings, copied from there.
    """

    def __init__(self, folder: Path, speech: Path):
        self.folder, self.lines = folder, []
        self.data = folder / "data"
        self.data.mkdir()
        for entry in manifest.collect([str(speech)])[:8]:
            shutil.copy(entry.path, self.data)
        self.names = sorted(p.name for p in self.data.iterdir())

    def title(self, text: str) -> None:
        """Begin a section."""
        self.lines += ["", f"## {text}", ""]
        print(text, file=sys.stderr)

    def train(self, *settings: str, wait: int = 0, small_disk: str = "", resume: bool = False) -> None:
        """Train with conf/smoke.yaml; after `wait` steps send SIGTERM; on a disk of `small_disk` bytes where given."""
        run = self.folder / "run"
        words = ["recipes/train.py", "--config", "conf/smoke.yaml", f"run.dir={run}", *settings]
        words += ["--resume", "auto"] if resume else []
        command = [sys.executable, *words, *QUIET]
        if small_disk:
            run.parent.mkdir(exist_ok=True)
            mount = f'mkdir -p {run}; mount -t tmpfs -o size={small_disk} tmpfs {run} && exec "$@"'
            command = ["unshare", "-Urm", "sh", "-c", mount, "sh", *command]
        began = time.monotonic()
        with subprocess.Popen(
            command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        ) as process:
            if wait:
                while not (run / "metrics.jsonl").exists() or len(read_metrics(run / "metrics.jsonl")) < wait:
                    assert process.poll() is None, process.stderr.read()
                    time.sleep(0.05)
                process.send_signal(signal.SIGTERM)
            said = process.communicate()[1]
        seconds = time.monotonic() - began
        shown = " ".join(w for w in words if not w.startswith("run.dir="))
        self.lines += ["```", f"$ python {self._short(shown)}{'   # SIGTERM after a while' if wait else ''}"]
        self.lines += [self._short(line) for line in said.splitlines() if line.strip()]
        self.lines += ["```", "", f"Exit code {process.returncode}."]
        print(f"  {seconds:.0f} s, exit code {process.returncode}", file=sys.stderr)

    def end(self) -> None:
        """Forget the run."""
        shutil.rmtree(self.folder / "run", ignore_errors=True)

    def _short(self, text: str) -> str:
        return text.replace(str(self.folder), "TMP").replace(str(ROOT) + "/", "")


def main() -> None:
    """Make every fault in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("speech", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=ROOT / "egs/training_proofs/results/faults.md")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        faults = Faults(Path(folder), options.speech)
        for fault in (wrong_keys, empty_manifest, damaged_recordings, mostly_damaged, sigterm, diverging, full_disk):
            fault(faults)
            faults.end()
    head = "# What the user sees\n\nMade by `egs/training_proofs/faults.py`; TMP is a temporary folder.\n"
    options.out.write_text(head + "\n".join(faults.lines) + "\n")
    print(options.out)


def wrong_keys(faults: Faults) -> None:
    """Several mistakes in one command line, all told at once."""
    faults.title("Wrong keys and values")
    faults.train(
        f"data.train={faults.data}", "optim.lrr=3e-4", "model.quantizer.n_q=eight", "loss.mell=1", "run.nan_limit=0"
    )


def empty_manifest(faults: Faults) -> None:
    """A manifest without a line, and one with malformed lines."""
    faults.title("Empty and malformed manifests")
    (faults.folder / "empty.jsonl").write_text("")
    faults.train(f"data.train={faults.folder / 'empty.jsonl'}")
    good = {"path": f"data/{faults.names[0]}", "duration": 3.0, "sample_rate": 16000}
    rows = [json.dumps(good), json.dumps({**good, "duration": -1}), "{", json.dumps({"path": "x.wav"})]
    (faults.folder / "odd.jsonl").write_text("\n".join(rows))
    faults.train(f"data.train={faults.folder / 'odd.jsonl'}")


def damaged_recordings(faults: Faults) -> None:
    """A recording overwritten with junk, and one that holds NaN; both were sound when the manifest was made."""
    faults.title("A corrupt WAV and a WAV with NaN samples, within `data.max_bad_share`")
    wav, rate = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32), 16000
    for name in ("corrupt.wav", "nan.wav"):
        soundfile.write(faults.data / name, wav, rate, subtype="FLOAT")
    manifest.write(faults.folder / "all.jsonl", manifest.collect([str(faults.data)]))
    (faults.data / "corrupt.wav").write_bytes(b"RIFF" + bytes(range(200)))
    soundfile.write(
        faults.data / "nan.wav", np.where(np.arange(16000) == 0, wav, np.float32("nan")), rate, subtype="FLOAT"
    )
    faults.train(f"data.train={faults.folder / 'all.jsonl'}", "data.max_bad_share=0.2", "run.max_steps=60")
    listed = (faults.folder / "run/bad_files.txt").read_text()
    faults.lines += ["", "bad_files.txt in the run's folder:", "", "```", *faults._short(listed).splitlines(), "```"]


def mostly_damaged(faults: Faults) -> None:
    """More broken recordings than allowed."""
    faults.title("More unreadable crops than `data.max_bad_share` (1 %) allows")
    for name in faults.names[:4]:
        (faults.data / name).write_bytes(b"junk")
    faults.train(f"data.train={faults.folder / 'all.jsonl'}")
    for name in [*faults.names[:4], "corrupt.wav", "nan.wav"]:
        (faults.data / name).unlink()


def sigterm(faults: Faults) -> None:
    """Asked to stop, then resumed."""
    faults.title("SIGTERM, then `--resume auto`")
    settings = (f"data.train={faults.data}", "run.max_steps=80")
    faults.train(*settings, wait=30)
    faults.train(*settings, resume=True)


def diverging(faults: Faults) -> None:
    """A learning rate that makes every number infinite."""
    faults.title("Batches whose loss is not finite (a learning rate of 1e30)")
    faults.train(f"data.train={faults.data}", "optim.lr=1e30", "optim.warmup_steps=0", "run.nan_limit=3")
    found = sorted(p.name for p in (faults.folder / "run").rglob("*") if re.match(r"step-|not-finite", p.name))
    faults.lines += ["", f"Left in the run's folder: {', '.join(found)}."]


def full_disk(faults: Faults) -> None:
    """A file system that holds one checkpoint and no second one."""
    faults.title("A full disk (one checkpoint fits)")
    settings = (f"data.train={faults.data}", "run.max_steps=90", "run.checkpoint_every=15", "run.keep_last=9")
    faults.train(*settings, small_disk="6m")


if __name__ == "__main__":
    main()
