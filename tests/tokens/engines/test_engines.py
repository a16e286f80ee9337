"""Whoever does the work, in whatever order, killed or not: the same bytes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from audiocodec.tokens import TokenStore
from audiocodec.tokens.engines import Failed
from audiocodec.tokens.engines.local import run_here, run_local
from audiocodec.tokens.engines.parts import run_part
from audiocodec.tokens.plan import pending
from audiocodec.tokens.work import Settings, begin
from tests.tokens.corpus import files_of

ROOT = Path(__file__).parents[3]


@pytest.fixture
def store(model, manifest, tmp_path) -> Path:
    """A store that is planned like the reference."""
    begin(tmp_path / "tokens", [manifest], str(model), shard_seconds=2.0)
    return tmp_path / "tokens"


@pytest.mark.parametrize(
    "settings", [Settings(batch_seconds=0.5, decode_workers=0), Settings(batch_seconds=100.0, decode_workers=3)]
)
def test_batches_and_order_change_no_byte(store, reference, settings):
    list(run_here(store, pending(store)[::-1], settings))
    assert files_of(store) == files_of(reference)


def test_a_worker_that_is_killed_is_replaced(store, reference, monkeypatch):
    """Two processes; the first that comes to shard 1 dies in its midst, before anything is written."""
    monkeypatch.setenv("AUDIOCODEC_TEST_DIE", str(store.parent / "died"))
    monkeypatch.setattr("audiocodec.tokens.engines.local._run", dies_once)
    results = list(run_local(store, pending(store), Settings(), workers=2))
    assert (store.parent / "died").exists() and not [r for r in results if isinstance(r, Failed)]
    assert files_of(store) == files_of(reference)


def dies_once(path, shard, settings, step):
    """`local._run` with a process that kills itself once."""
    from audiocodec.tokens.engines import local

    mark = Path(os.environ["AUDIOCODEC_TEST_DIE"])
    if shard == 1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), 9)
    return local._run(path, shard, settings, step)


def test_parts_together_make_the_whole(store, reference):
    done = [result.shard for part in (2, 0, 1) for result in run_part(store, part, 3, Settings())]
    assert set(done) == set(range(len(TokenStore(reference).shard_numbers)))
    assert files_of(store) == files_of(reference)


def test_a_part_takes_over_what_another_left(store, reference):
    """Only part 0 of 2 runs: it ends when what is left could be in the hands of the other."""
    list(run_part(store, 0, 2, Settings()))
    assert len(pending(store)) <= 2
    list(run_part(store, 1, 2, Settings()))
    assert files_of(store) == files_of(reference)


def test_what_is_there_is_not_coded_again(store, reference):
    shutil.copytree(reference / "shards", store / "shards", dirs_exist_ok=True)
    (store / "shards" / "000001.done").unlink()
    before = (store / "shards" / "000002.codes").stat().st_mtime_ns
    results = {result.shard: result for result in run_here(store, [0, 1, 2], Settings())}
    assert [results[n].was_there for n in range(3)] == [True, False, True]
    assert (store / "shards" / "000002.codes").stat().st_mtime_ns == before
    assert files_of(store) == files_of(reference)


def test_a_disk_in_trouble_fails_the_shard_not_the_items(store, reference, monkeypatch):
    from audiocodec.errors import AudioError
    from audiocodec.tokens.requests import Request

    def broken(self):
        raise AudioError("cannot be read") from OSError(5, "Input/output error")

    monkeypatch.setattr("audiocodec.tokens.loading._PAUSES_S", ())
    with monkeypatch.context() as patch:
        patch.setattr(Request, "open", broken)
        assert all(isinstance(result, Failed) for result in run_here(store, pending(store), Settings()))
    assert len(TokenStore(store)) == TokenStore(store).n_failed == 0
    list(run_here(store, pending(store), Settings()))
    assert files_of(store) == files_of(reference)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["accelerate", "torchrun"])
def test_launched_processes(launcher, store, manifest, model, reference, tmp_path):
    """On CPUs `accelerate launch` leaves several processes to MPI, on GPUs to torchrun."""
    if launcher == "accelerate" and not shutil.which("mpirun"):
        pytest.skip("no MPI here")
    (tmp_path / "hosts").write_text("localhost slots=2\n")
    words = {
        "accelerate": "accelerate.commands.launch --cpu --num_processes 2 --num_machines 1 --mixed_precision no "
        f"--dynamo_backend no --mpirun_hostfile {tmp_path / 'hosts'}",
        "torchrun": "torch.distributed.run --standalone --nproc_per_node 2",
    }[launcher].split()
    shutil.rmtree(store)
    recipe = [ROOT / "recipes" / "extract_tokens.py", manifest, "--out", store, "--model", model]
    root = {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_hwloc_base_binding_policy": "none",
    }
    done = subprocess.run(
        [sys.executable, "-m", *words, *map(str, recipe), "--shard-minutes", str(2 / 60)],
        env={**os.environ, **root}, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert "2 items failed" in done.stdout, done.stderr
    assert files_of(store) == files_of(reference)


@pytest.mark.slow
def test_slurm_script(store, reference, tmp_path):
    """The script as a cluster would start it, task by task."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "audiocodec").write_text(f'#!/bin/sh\nexec {sys.executable} -m audiocodec.cli.main "$@"\n')
    (tmp_path / "bin" / "audiocodec").chmod(0o755)
    for task in (4, 8, 6):
        tasks = {
            "SLURM_ARRAY_TASK_ID": task,
            "SLURM_ARRAY_TASK_COUNT": 3,
            "SLURM_ARRAY_TASK_MIN": 4,
            "SLURM_ARRAY_TASK_STEP": 2,
        }
        path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), **{k: str(v) for k, v in tasks.items()}}
        subprocess.run(
            ["bash", ROOT / "recipes" / "extract_tokens.sbatch", store], env=environment, check=False, timeout=120
        )
    assert files_of(store) == files_of(reference)
