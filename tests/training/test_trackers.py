"""Trackers: those that start get everything, one that fails takes nobody along."""

import json

import numpy as np
import pytest
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.tracking import GeneralTracker

from audiocodec.training.trackers import Trackers

from .tiny_run import make_config


class Recorder(GeneralTracker):
    """Writes what it is told to a file."""

    name = "recorder"
    requires_logging_directory = False
    main_process_only = True

    def __init__(self, path):
        super().__init__()
        self.path = path

    @property
    def tracker(self):
        return self

    def store_init_configuration(self, values):
        self.path.write_text(json.dumps({"lr": values["optim/lr"]}) + "\n")

    def log(self, values, step=None, **kwargs):
        with open(self.path, "a") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")


class Broken(Recorder):
    """Its server is down."""

    name = "broken"

    def store_init_configuration(self, values):
        raise ConnectionError("no server")


def trackers(tmp_path, said, *kinds):
    AcceleratorState._reset_state(reset_partial_state=True)
    kinds = [kind if isinstance(kind, str) else kind(tmp_path / f"{kind.name}.jsonl") for kind in kinds]
    accelerator = Accelerator(cpu=True, log_with=kinds, project_dir=str(tmp_path / "run"))
    return Trackers(accelerator, make_config(tmp_path), 0, said.append), accelerator


@pytest.mark.parametrize("order", [(Broken, Recorder, "tensorboard"), (Recorder, "tensorboard", Broken)])
def test_one_that_cannot_start_is_left_out_alone(tmp_path, order):
    pytest.importorskip("tensorboard")
    said = []
    tracked, accelerator = trackers(tmp_path, said, *order)
    tracked.scalars({"loss": 1.5, "valid": {"stoi": 0.5}, "codebooks": {"usage": [0.5, 1.0]}}, step=3)
    accelerator.end_training()
    assert len(said) == 1 and said[0].endswith("is off: no server")
    assert [json.loads(line) for line in (tmp_path / "recorder.jsonl").read_text().splitlines()] == [
        {"lr": 1e-3},
        {"step": 3, "loss": 1.5, "valid/stoi": 0.5, "codebooks/usage/1": 0.5, "codebooks/usage/2": 1.0},
    ]
    assert list((tmp_path / "run").glob("events.out.tfevents.*"))


def test_one_that_fails_later_is_left_out_from_then_on(tmp_path, monkeypatch):
    said = []
    tracked, _ = trackers(tmp_path, said, Recorder)
    monkeypatch.setattr(Recorder, "log", lambda *_, **__: 1 / 0)
    for step in (1, 2):
        tracked.scalars({"loss": 1.0}, step)
    assert said == ["recorder is off: division by zero"]


def test_sounds_go_where_they_can_be_heard_and_harm_nobody_else(tmp_path):
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    said = []
    tracked, accelerator = trackers(tmp_path, said, Recorder, "tensorboard")
    tracked.sound("decoded", np.sin(np.arange(4000) / 5)[None], 7)
    tracked.scalars({"loss": 1.0}, 7)
    accelerator.end_training()
    assert said == []
    assert json.loads((tmp_path / "recorder.jsonl").read_text().splitlines()[-1]) == {"step": 7, "loss": 1.0}
    events = event_accumulator.EventAccumulator(str(tmp_path / "run"), size_guidance={"audio": 0, "images": 0}).Reload()
    assert (
        [event.step for event in events.Audio("decoded")] == [event.step for event in events.Images("decoded")] == [7]
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_services_take_numbers_sounds_and_pictures(tmp_path, name, monkeypatch):
    """W&B offline, trackio in a folder."""
    for variable, value in {
        "WANDB_MODE": "offline",
        "WANDB_DIR": tmp_path,
        "TRACKIO_DIR": tmp_path / "trackio",
    }.items():
        monkeypatch.setenv(variable, str(value))  # read when the package is imported
    if name == "wandb":
        pytest.importorskip("wandb")
    else:
        pytest.importorskip("trackio")
    said = []
    tracked, accelerator = trackers(tmp_path, said, name)
    tracked.scalars({"loss": 1.0}, 1)
    tracked.sound("decoded", np.sin(np.arange(4000) / 5)[None], 1)
    accelerator.end_training()
    assert said == []
    assert {path.suffix for path in tmp_path.glob("**/media/**/*.*")} == {".wav", ".png"}
