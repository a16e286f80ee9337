"""The command line: what a user reads for each mistake, and the whole way from YAML to a shippable folder."""

import pytest
import torch
import yaml
from accelerate.state import AcceleratorState

from audiocodec.codec import Codec
from audiocodec.training import estimate
from audiocodec.training.main import main

from .tiny_run import ROOT, settings


@pytest.fixture(autouse=True)
def _settings_of_the_process():
    """A run asks for repeatable kernels and flushed denormals; other tests shall not inherit that."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_flush_denormal(False)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(settings(tmp_path)))
    return path


def test_train_then_export(file, tmp_path, capsys):
    assert main(["--config", str(file), "run.max_steps=3", "optim.lr=3e-4"]) == 0
    assert "lr: 0.0003" in (tmp_path / "run/config.yaml").read_text()
    assert main(["export", str(tmp_path / "run"), str(tmp_path / "out"), "--half"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "out")
    assert Codec.from_pretrained(tmp_path / "out").n_q == 2


def test_estimate_tells_the_cost_and_leaves_no_run(file, tmp_path, capsys):
    assert main(["--config", str(file), "--estimate"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines[:3]] == [
        "without discriminators",
        "with discriminators",
        "peak memory",
    ]
    assert lines[3].startswith("12 steps take 0 h") and not (tmp_path / "run").exists()


def test_estimate_measures_steps_after_the_warm_up_of_the_quantizer(file, monkeypatch):
    collecting = []

    def look(trainer, first):
        collecting.append(trainer.state.codec.quantizer.reservoir is not None)
        return 1.0

    monkeypatch.setattr(estimate, "_seconds_per_step", look)
    assert main(["--config", str(file), "--estimate", "model.quantizer.warmup=5"]) == 0
    assert collecting == [False, False]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["optim.learning_rate=1"], 2, "optim.learning_rate: unknown key"),
        (["optim.lr=fast", "run.sed=1"], 2, "2 faults"),
        (["data.train=/nowhere"], 2, "/nowhere: no such folder, manifest or recording"),
        (["data.train=[]"], 2, "data.train is missing"),
        (["run.init_from=/nowhere"], 2, "no readable model.safetensors there"),
        (["--resume", "/nowhere"], 2, "no such checkpoint folder"),
        (["run.mixed_precision=fp16"], 2, "fp16 needs a GPU; on a CPU use bf16 or no"),
        (["data.batch_size=6", "run.accumulate=4"], 2, "no multiple of run.accumulate=4"),
    ],
)
def test_mistakes_are_told_in_words(file, capsys, arguments, code, message):
    assert main(["--config", str(file), *arguments]) == code
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


def test_an_empty_manifest_is_told(file, tmp_path, capsys):
    (tmp_path / "empty.jsonl").write_text("")
    assert main(["--config", str(file), f"data.train={tmp_path}/empty.jsonl"]) == 2
    assert "the manifest is empty" in capsys.readouterr().err


def test_a_missing_configuration_names_one_that_is_there(capsys):
    assert main(["--config", "gone.yaml"]) == 2
    assert "for example conf/smoke.yaml" in capsys.readouterr().err and (ROOT / "conf/smoke.yaml").exists()
