"""The page on views, datasets and exports does what it says."""

import re
import shlex
from fractions import Fraction
from pathlib import Path

import numpy as np
import typer
from typer.testing import CliRunner

from audiocodec.cli.tokens_export import export
from audiocodec.tokens import StoreHeader, TokenWriter, views

PAGE = (Path(__file__).parents[2] / "docs/token_views.md").read_text(encoding="utf-8")


def test_its_python_runs(tmp_path, monkeypatch):
    """All blocks, one after another."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    with TokenWriter("tokens", StoreHeader("some", "", "", 16000, 320, 1, (1024,) * 6)) as writer:
        for number, frames in enumerate((120, 80)):
            writer.add(f"{number}", rng.integers(1024, size=(6, frames)).astype(np.uint16))
    space = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, flags=re.S):
        exec(block, space)  # noqa: S102 - the page's own code
    timing, rate, view = space["timing"], space["rate"], space["view"]
    assert rate == Fraction(50) and space["row"].tokens.shape == (4, 1 + 120 + 3)
    assert (timing.frame_at(1.23, rate), timing.seconds_at(61, rate)) == (61, Fraction(61, 50))
    assert timing.covering_frames(0.31, 0.36, rate) == range(15, 18)
    assert view.finished(space["prompt"]).shape == (4, 47)
    assert space["position"] == {"epoch": 0, "step": 1} and len(list(space["loader"])) == 2
    assert space["vocabulary"].ids(1) == range(33_024, 34_048)


def test_shapes_of_its_table():
    """The lengths that the table states, for K = 6 codebooks and T = 10 frames."""
    rows = re.findall(r"^\| `(views\.\w+)\(sizes.*?\)` \| \[(.*?)\] \|", PAGE, flags=re.M)
    codes, sizes = np.zeros((6, 10), dtype=np.uint16), (16,) * 6
    assert len(rows) == 6
    for name, shape in rows:
        make = getattr(views, name.removeprefix("views."))
        view = make(sizes, (0, 3, 1, 0, 0, 2)) if name == "views.delay" else make(sizes)
        numbers = {
            "K T + 2": (62,),
            "K, T + K": (6, 16),
            "K, T + 2": (6, 12),
            "K, 1 + T + max": (6, 14),
            "K, T": (6, 10),
        }
        assert view(codes).tokens.shape == numbers[shape]


def test_its_commands_are_understood(tmp_path):
    with TokenWriter(tmp_path / "STORE", StoreHeader("some", "", "", 16000, 320, 1, (1024,) * 6)) as writer:
        writer.add("one", np.zeros((6, 9), dtype=np.uint16))
    app = typer.Typer()
    app.command()(export)
    lines = re.findall(r"^audiocodec tokens export (.*)$", PAGE, flags=re.M)
    assert len(lines) == 5
    for line in lines:
        words = [word for word in shlex.split(line) if word not in ("--audio-root", "RECORDINGS")]
        assert (words[0], words[1]) == ("STORE", "--out")
        words[0], words[2] = str(tmp_path / "STORE"), str(tmp_path / words[2])
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.output
        assert "1 items, 9 frames" in result.output
    result = CliRunner().invoke(app, [str(tmp_path / "STORE"), "--out", "x", "--format", "kaldi", "--base", "3"])
    assert result.exit_code == 2 and "--base" in result.output
