"""console.py: errors are one line each, inputs fail apart, JSON is strict."""

import dataclasses
import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from audiocodec.cli import console
from audiocodec.errors import AudioError, BitstreamError


@pytest.fixture(autouse=True)
def _no_debug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(console.DEBUG_VARIABLE, raising=False)


def test_each_failure_is_one_line_and_the_rest_goes_on(capsys):
    done = []

    def work(item, report):
        if item == "b":
            raise AudioError("b.wav: not audio\n  at all")
        if item == "c":
            raise FileNotFoundError(2, "No such file or directory", "c.wav")
        done.append(item)

    with pytest.raises(typer.Exit) as end:
        console.run_each(["a", "b", "c", "d"], work)
    assert end.value.exit_code == 1
    assert done == ["a", "d"]
    assert capsys.readouterr().err.splitlines() == [
        "audiocodec: error: b.wav: not audio at all",
        "audiocodec: error: c.wav: No such file or directory",
        "audiocodec: error: 2 of 4 inputs failed",
    ]


def test_all_good_says_nothing_and_does_not_exit(capsys):
    console.run_each([1, 2], lambda item, report: report(item, None))
    assert capsys.readouterr() == ("", "")


def test_a_bug_is_not_taken_for_a_bad_input():
    with pytest.raises(ZeroDivisionError):
        console.run_each([0], lambda item, report: 1 / item)


def test_a_closed_pipe_ends_the_run():
    with pytest.raises(BrokenPipeError):
        console.run_each([1, 2], lambda item, report: (_ for _ in ()).throw(BrokenPipeError()))


@pytest.mark.parametrize("value", ["1", "yes"])
def test_debugging_lets_the_first_error_through(monkeypatch, value):
    monkeypatch.setenv(console.DEBUG_VARIABLE, value)
    with pytest.raises(BitstreamError):
        console.run_each([1], lambda item, report: (_ for _ in ()).throw(BitstreamError("damaged")))


@pytest.mark.parametrize("value", ["", "0"])
def test_debugging_is_off_by_default(monkeypatch, value):
    monkeypatch.setenv(console.DEBUG_VARIABLE, value)
    assert not console.debugging()


def test_the_bar_counts_inputs_on_a_terminal_only(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich asks the environment whether it may draw
    monkeypatch.setenv("COLUMNS", "100")
    console.run_each(["first.wav", "second.wav"], lambda item, report: report(7.0, 14.0))
    assert "2 inputs" in capsys.readouterr().err


def test_an_error_without_words_is_named():
    assert console.describe_error(AudioError()) == "AudioError"
    assert console.describe_error(OSError(28, "No space left on device")) == "No space left on device"


def test_json_of_all_that_commands_report(capsys):
    @dataclasses.dataclass
    class Row:
        path: Path
        rate: Fraction
        score: float
        codes: np.ndarray

    console.print_json(Row(Path("a/ü.wav"), Fraction(25, 2), float("nan"), np.array([1, 2])))
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    assert json.loads(line) == {"path": "a/ü.wav", "rate": "25/2", "score": None, "codes": [1, 2]}
    assert console.to_plain({"digest": b"\x00\xff", "pair": (np.float32(0.5), True)}) == {
        "digest": "00ff",
        "pair": [0.5, True],
    }


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(plain)
def test_plain_values_stay_as_they_are(value):
    assert console.to_plain(value) == value


@given(st.floats())
def test_every_number_becomes_strict_json(value):
    text = json.dumps(console.to_plain([value]), allow_nan=False)
    assert json.loads(text) == [value if math.isfinite(value) else None]
