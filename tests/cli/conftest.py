"""The command line as a user meets it: arguments in; exit code, standard output and standard error out."""

import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from audiocodec.audio.io import write_audio
from audiocodec.cli import console, main


@dataclass(frozen=True)
class Ending:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(monkeypatch, capsys) -> Callable[..., Ending]:
    """Run `audiocodec ARGUMENTS` in this process."""
    monkeypatch.delenv(console.DEBUG_VARIABLE, raising=False)

    def run(*arguments: object) -> Ending:
        monkeypatch.setattr(sys, "argv", ["audiocodec", *map(str, arguments)])
        handler = signal.getsignal(signal.SIGTERM)
        try:
            with pytest.raises(SystemExit) as end:
                main.main()
        finally:
            signal.signal(signal.SIGTERM, handler)
        out, err = capsys.readouterr()
        return Ending(int(end.value.code or 0), out, err)

    return run


@pytest.fixture(scope="session")
def model(tiny_codec, tmp_path_factory) -> Path:
    """The tiny codec as a model folder."""
    return tiny_codec.save_pretrained(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def recording(tmp_path) -> Path:
    """A second of noise, 22050 Hz stereo."""
    wav = 0.1 * np.random.default_rng(0).standard_normal((2, 22050))
    write_audio(tmp_path / "speech.wav", wav, 22050)
    return tmp_path / "speech.wav"
