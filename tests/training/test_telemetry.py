"""metrics.jsonl under resumption, odd numbers and a full disk; what the terminal shows."""

import json

import pytest

from audiocodec.training import telemetry
from audiocodec.training.telemetry import Display, MetricsFile, read_metrics


def test_a_resumed_run_forgets_later_steps_and_half_lines(tmp_path):
    path = tmp_path / "metrics.jsonl"
    first = MetricsFile(path, 0, print)
    for step in range(1, 6):
        first.write({"step": step, "loss": 0.1 * step})
    with open(path, "a") as file:
        file.write('{"step": 6, "lo')
    assert [row["step"] for row in read_metrics(path)] == [1, 2, 3, 4, 5]
    second = MetricsFile(path, 3, print)
    second.write({"step": 4, "loss": 7.0})
    assert [(row["step"], row["loss"]) for row in read_metrics(path)][-2:] == [(3, pytest.approx(0.3)), (4, 7.0)]


def test_numbers_that_json_has_not_become_null(tmp_path):
    file = MetricsFile(tmp_path / "m.jsonl", 0, print)
    file.write({"step": 1, "loss": float("nan"), "valid": {"x": float("inf")}, "list": [float("-inf"), 1.0]})
    line = (tmp_path / "m.jsonl").read_text()
    assert json.loads(line, parse_constant=pytest.fail)["list"] == [None, 1.0]


def test_lines_wait_for_room_on_a_full_disk(tmp_path, monkeypatch):
    said = []
    file = MetricsFile(tmp_path / "m.jsonl", 0, said.append)
    file.write({"step": 1})

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(telemetry, "open", full, raising=False)
        file.write({"step": 2})
        file.write({"step": 3})
    assert len(said) == 1 and "No space left on device; lines are kept in memory" in said[0]
    file.write({"step": 4})
    assert [row["step"] for row in read_metrics(tmp_path / "m.jsonl")] == [1, 2, 3, 4]


def test_without_a_terminal_there_is_a_line_every_so_often(capsys):
    display = Display(0, 10, 4, quiet=False)
    for step in range(1, 11):
        row = {"step": step, "loss": 1.5, "mel": 1.0, "lr": 1e-3, "audio_per_s": 3.0}
        display.step(row | ({"valid": {"stoi": 0.8, "complex": 9.0}} if step == 6 else {}))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in lines] == ["4/10", "6/10", "8/10", "10/10"]
    assert lines[1].endswith("| stoi 0.8") and lines[0] == "step 4/10 loss 1.5 mel 1 lr 1.00e-03 3.0 s/s"


def test_a_quiet_display_says_nothing(capsys):
    display = Display(0, 10, 1, quiet=True)
    display.step({"step": 1, "loss": 1.5, "lr": 1e-3, "audio_per_s": 3.0})
    display.say("x")
    assert capsys.readouterr().err == ""
