"""What the README tells a reader to type exists and works."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from typer.core import TyperGroup
from typer.main import get_command

from audiocodec import pretrained
from audiocodec.cli.main import app
from audiocodec.compress.models import DEFAULT_MODEL, _load_shipped

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


LINES = [line for block in blocks("sh") for line in block.splitlines() if line and not line.startswith("#")]
COMMANDS = [shlex.split(line, comments=True) for line in LINES]


def test_its_first_two_commands_are_the_demo_and_the_tests():
    assert COMMANDS[:2] == [["make", "demo"], ["make", "test"]]


@pytest.mark.parametrize("words", [words for words in COMMANDS if words[0] == "make"], ids=" ".join)
def test_make_targets_exist(words):
    targets = re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(words[1:]) <= set(targets)


@pytest.mark.parametrize("words", [words for words in COMMANDS if words[0] == "audiocodec"], ids=" ".join)
def test_subcommands_and_their_options_exist(words):
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    assert words[1] in group.commands
    command = group.commands[words[1]]
    if isinstance(command, TyperGroup):  # `tokens IN` is short for `tokens extract IN`
        command = command.commands[words[2] if words[2] in command.commands else "extract"]
    known = {flag for parameter in command.params for flag in parameter.opts}
    assert {word for word in words[2:] if word.startswith("-") and word != "-"} <= known


@pytest.mark.parametrize("words", [words for words in COMMANDS if "recipes" in " ".join(words)], ids=" ".join)
def test_recipes_and_their_configurations_exist(words):
    paths = [word for word in words if word.endswith((".py", ".yaml"))]
    assert paths and all((ROOT / path).is_file() for path in paths)


def test_paths_that_it_names_exist():
    paths = [word for word in re.findall(r"`([a-z_./]+/[a-z_./0-9]*)`", README) if not word.startswith("out/")]
    assert paths
    missing = [path for path in paths if not (ROOT / path).exists()]
    assert not missing


@pytest.fixture
def shipped_tiny(tiny_codec, tmp_path, monkeypatch):
    """Let the tiny codec be the shipped model of the README."""
    tiny_codec.save_pretrained(tmp_path / "shipped" / DEFAULT_MODEL)
    monkeypatch.setattr(pretrained, "_HERE", tmp_path / "shipped")
    _load_shipped.cache_clear()
    yield
    _load_shipped.cache_clear()


def test_its_python_runs(shipped_tiny, tmp_path, monkeypatch):
    """All Python blocks, one after another."""
    shutil.copy(ROOT / "egs/samples/librispeech_2002.flac", tmp_path / "speech.wav")  # what it is, not its name, counts
    monkeypatch.chdir(tmp_path)
    played: list[torch.Tensor] = []
    wav = torch.zeros(1, 1, 16000)
    names = {"wav_tensor": wav, "microphone": wav.split(1000, dim=-1), "play": played.append}
    for number, block in enumerate(blocks("python"), start=1):
        block = block.replace("n_q=6", "n_q=3")  # the tiny codec has four codebooks
        exec(compile(block, f"<README, Python block {number}>", "exec"), names)  # noqa: S102
    assert sum(chunk.shape[-1] for chunk in played) >= wav.shape[-1]
    assert names["decoded"].shape == wav.shape
