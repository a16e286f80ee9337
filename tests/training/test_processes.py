"""Runs in processes of their own: killed at any moment, stopped by a launcher's signal, or shared by two."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from audiocodec.config.loader import dump
from audiocodec.config.training import TrainConfig
from audiocodec.training.telemetry import read_metrics

from .tiny_run import ROOT, command, final_tensors, losses, make_config

pytestmark = pytest.mark.slow
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def write(config: TrainConfig, folder: Path) -> Path:
    file = folder / f"{Path(config.run.dir).name}.yaml"
    file.write_text(dump(config))
    return file


def finish(config_file: Path, *arguments: str) -> None:
    done = subprocess.run(
        command(config_file, *arguments), env=ENVIRONMENT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr


def wait_for_step(config: TrainConfig, step: int, process: subprocess.Popen) -> None:
    """Until metrics.jsonl has the row of `step`."""
    metrics = Path(config.run.dir) / "metrics.jsonl"
    while process.poll() is None:
        if metrics.exists() and any(row["step"] >= step for row in read_metrics(metrics)[-1:]):
            return
        time.sleep(0.005)
    raise AssertionError(f"ended with {process.returncode} before step {step}: {process.stderr.read()}")


def test_three_kills_change_no_number(tmp_path):
    """GAN on from step 20, quantizer warm-up until step 30, averages, dropout: kills fall before, between and after."""
    changes = {
        "run__max_steps": 90,
        "run__checkpoint_every": 5,
        "discriminator__start_step": 20,
        "model__quantizer__warmup": 30,
    }
    whole = make_config(tmp_path, run__dir=str(tmp_path / "whole"), **changes)
    broken = make_config(tmp_path, run__dir=str(tmp_path / "broken"), **changes)
    finish(write(whole, tmp_path))
    file = write(broken, tmp_path)
    rng = random.Random(0)
    for low, high in ((6, 27), (33, 50), (55, 80)):
        step = rng.randint(low, high)
        with subprocess.Popen(
            command(file, "--resume", "auto"), env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
        ) as process:
            wait_for_step(broken, step, process)
            time.sleep(rng.random() * 0.05)  # somewhere inside a step or a save
            process.send_signal(signal.SIGKILL)
    finish(file, "--resume", "auto")
    assert losses(broken) == losses(whole)
    one, two = final_tensors(whole), final_tensors(broken)
    assert one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)
    assert not list((tmp_path / "broken/checkpoints").glob(".step-*"))


def launched(file: Path, processes: int, script: str = "recipes/train.py") -> list[str]:
    """`accelerate launch` for one process; on CPUs it starts no more without MPI, torchrun does."""
    launch = ["accelerate.commands.launch", "--cpu", "--mixed_precision", "no", "--num_machines", "1"]
    launch += ["--num_processes", "1", "--dynamo_backend", "no"]
    if processes > 1:
        launch = ["torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    return [sys.executable, "-m", *launch, str(ROOT / script), "--config", str(file)]


def test_two_processes_train_as_one(tmp_path):
    """50 steps without a GAN, dropout and replacement of dead codewords on: parameters agree to 1e-5."""
    changes = {
        "run__max_steps": 50,
        "run__checkpoint_every": 10,
        "discriminator__start_step": 1000,
        "model__quantizer__method": "diveq_detach",
        "model__quantizer__replacement_threshold": 0.5,
        "optim__lr": 3e-4,
    }
    one = make_config(tmp_path, run__dir=str(tmp_path / "one"), **changes)
    two = make_config(tmp_path, run__dir=str(tmp_path / "two"), **changes)
    finish(write(one, tmp_path))
    done = subprocess.run(
        launched(write(two, tmp_path), 2), env=ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    a, b = final_tensors(one), final_tensors(two)
    assert sum(row.get("replaced", 0) for row in read_metrics(tmp_path / "two/metrics.jsonl")) > 0
    worst = max((a[name] - b[name]).abs().max().item() for name in a if name.startswith("model/"))
    assert worst < 1e-5, worst


@pytest.mark.parametrize("warmup", [0, 8])
def test_two_processes_hold_equal_weights_after_every_step(tmp_path, warmup):
    """With noise, dropout by item, a GAN, warm-up of the quantizer and replacement of dead codewords."""
    config = make_config(
        tmp_path,
        run__max_steps=40,
        model__quantizer__replacement_threshold=0.5,
        model__quantizer__warmup=warmup,
    )
    done = subprocess.run(
        launched(write(config, tmp_path), 2, "tests/training/agreeing_ranks.py"),
        env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = read_metrics(tmp_path / "run/metrics.jsonl")
    assert len(rows) == 40 and sum(row.get("replaced", 0) for row in rows) > 0


def test_two_processes_stop_together_and_go_on_as_one(tmp_path):
    """SIGTERM through torchrun: both finish the same step, one saves; the run is then finished by one process."""
    changes = {"run__max_steps": 40, "run__checkpoint_every": 100, "discriminator__start_step": 1000}
    changes |= {"model__quantizer__method": "diveq_detach", "optim__lr": 3e-4}
    whole = make_config(tmp_path, run__dir=str(tmp_path / "whole"), **changes)
    broken = make_config(tmp_path, run__dir=str(tmp_path / "broken"), **changes)
    finish(write(whole, tmp_path))
    file = write(broken, tmp_path)
    with subprocess.Popen(launched(file, 2), env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as launcher:
        wait_for_step(broken, 4, launcher)
        launcher.send_signal(signal.SIGTERM)
        launcher.wait(60)
    (saved,) = (tmp_path / "broken/checkpoints").glob("step-*")
    assert 4 <= int(saved.name[-8:]) < 40
    finish(file, "--resume", "auto")
    a, b = final_tensors(whole), final_tensors(broken)
    worst = max((a[name] - b[name]).abs().max().item() for name in a if name.startswith("model/"))
    assert worst < 1e-5, worst


def test_the_death_of_the_launcher_stops_the_run(tmp_path):
    """accelerate's launcher of one process dies of SIGTERM without passing it on; the trainer notices and saves."""
    config = make_config(tmp_path, run__max_steps=100_000, run__checkpoint_every=50_000)
    with subprocess.Popen(
        launched(write(config, tmp_path), 1), env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    ) as launcher:
        wait_for_step(config, 3, launcher)
        launcher.send_signal(signal.SIGTERM)
        launcher.wait(20)
        deadline = time.monotonic() + 20
        while not list((tmp_path / "run/checkpoints").glob("step-*")):
            assert time.monotonic() < deadline, "no checkpoint after the launcher's death"
            time.sleep(0.1)
