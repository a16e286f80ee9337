"""`audiocodec tokens` as a user meets it."""

import json
from pathlib import Path

import numpy as np
import pytest

from audiocodec.audio.io import read_audio, write_audio
from audiocodec.tokens import TokenStore
from tests.tiny import make_wav


@pytest.fixture
def audio(tmp_path) -> Path:
    """Three recordings in a folder, the last one stereo."""
    (tmp_path / "audio").mkdir()
    for number, seconds in enumerate((0.5, 1.0)):
        write_audio(tmp_path / "audio" / f"{number}.wav", make_wav(seconds, seed=number)[0].numpy(), 16000)
    stereo = np.concatenate([make_wav(0.7, seed=seed)[0].numpy() for seed in (2, 3)])
    write_audio(tmp_path / "audio" / "2.flac", stereo, 22050)
    return tmp_path / "audio"


@pytest.fixture
def store(command, audio, model, tmp_path) -> Path:
    """The store that `audiocodec tokens` makes of them."""
    ending = command("tokens", audio, "--out", tmp_path / "store", "--model", model, "--jobs", 1)
    assert ending.code == 0, ending.err
    return tmp_path / "store"


def test_a_folder_becomes_a_store(store, audio, command, model):
    assert [item.id for item in TokenStore(store)] == ["0", "1", "2#0", "2#1"]
    again = command("tokens", audio, "--out", store, "--model", model, "--jobs", 1)
    assert again.code == 0 and "complete" in again.out and "nothing was left to do" in again.out
    assert again.err == ""  # no bar, no noise in a pipe


def test_the_options_that_decide_codes(command, audio, model, tmp_path):
    options = ("--model", model, "--n-q", 2, "--channels", "mix", "--shard-minutes", 0.01, "--jobs", 1, "--log")
    ending = command("tokens", "extract", audio, "-o", tmp_path / "s", *options)
    store = TokenStore(tmp_path / "s")
    assert ending.code == 0 and "3/3 shards" in ending.err
    assert [item.id for item in store] == ["0", "1", "2"] and store.header.n_q == 2 and len(store.markers) == 3
    assert store["2"].row.channel == -1


def test_plan_first_then_parts_then_the_rest(command, audio, model, tmp_path):
    path = tmp_path / "s"
    planned = command("tokens", audio, "--out", path, "--model", model, "--plan-only", "--shard-minutes", 0.001)
    assert planned.code == 0 and "3 recordings" in planned.out and len(TokenStore(path)) == 0
    assert "3 more are planned" in command("tokens", "info", path).out
    part = command("tokens", "run", path, "--part", "1/2")
    assert part.code == 0 and "shards are missing: run the same command again" in part.out
    assert command("tokens", "run", path, "--jobs", 1).code == 0 and len(TokenStore(path)) == 4


def test_bad_files_are_named_and_can_be_tried_again(command, audio, model, tmp_path):
    (audio / "1.wav").rename(tmp_path / "kept.wav")
    (audio / "1.wav").write_bytes(b"RIFF")
    arguments = ("tokens", audio, "--out", tmp_path / "s", "--model", model, "--jobs", 1)
    ending = command(*arguments)
    assert ending.code == 1 and "1 items failed" in ending.out and "1.wav: " in ending.out
    failures = command("tokens", "info", tmp_path / "s", "--failures", "--json")
    assert json.loads(failures.out)["id"] == "1"
    (tmp_path / "kept.wav").replace(audio / "1.wav")
    run = command("tokens", "run", tmp_path / "s", "--retry-failures", "--jobs", 1)
    assert run.code == 0 and len(TokenStore(tmp_path / "s")) == 4


def test_info(command, store):
    told = command("tokens", "info", store)
    assert told.code == 0 and "4 codebooks of 16, 50 frames/s" in told.out and "complete" in told.out
    facts = json.loads(command("tokens", "info", store, "--json").out)
    assert facts["items"] == 4 and facts["hash"] == TokenStore(store).hash and facts["frame_rate"] == "50"
    lines = command("tokens", "info", store, "--items").out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["0", "1", "2#0", "2#1"]


def test_verify(command, store, model):
    good = command("tokens", "verify", store, "--audio", 1, "--model", model)
    assert good.code == 0 and "4 items coded again: good" in good.out
    path = store / "shards" / "000000.codes"
    path.write_bytes(b"\xff" + path.read_bytes()[1:])
    bad = command("tokens", "verify", store)
    assert bad.code == 1 and "000000.codes" in bad.out and "run" in bad.err
    assert not json.loads(command("tokens", "verify", store, "--json").out)["faults"] == []


def test_listen(command, store, model, tmp_path):
    out = tmp_path / "heard.wav"
    ending = command("tokens", "listen", store, "2#1", "-o", out, "--model", model)
    wav, rate = read_audio(out)
    assert ending.code == 0 and rate == 22050 and wav.shape == (1, TokenStore(store)["2#1"].samples)
    for number in (1, -3):
        cut = command(
            "tokens", "listen", store, "--model", model, "-o", out, "--force", "--seconds", 0.25, "--", number
        )
        assert cut.code == 0 and "1 -> " in cut.out and "0.25 s at 16000 Hz" in cut.out
    missing = command("tokens", "listen", store, "nobody", "-o", out, "--model", model)
    assert missing.code == 1 and "it has 4 items" in missing.err


def test_merge_and_split(command, store, tmp_path):
    parts = command("tokens", "split", store, "-o", tmp_path / "parts", "--parts", "a=0.5,b=0.5", "--by", "source")
    assert parts.code == 0
    merged = command("tokens", "merge", tmp_path / "parts" / "a", tmp_path / "parts" / "b", "-o", tmp_path / "all")
    assert merged.code == 0 and {item.id for item in TokenStore(tmp_path / "all")} == {"0", "1", "2#0", "2#1"}
    wrong = command("tokens", "split", store, "-o", tmp_path / "x", "--parts", "half")
    assert wrong.code == 1 and "train=0.98" in wrong.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere", "--out", "s"], 1, "nowhere: no such folder"),
        (["AUDIO"], 2, "--out"),
        (["AUDIO", "--out", "s", "--address", "auto"], 2, "--engine ray"),
        (["AUDIO", "--out", "s", "--part", "2/2"], 1, "0/2 to 1/2"),
        (["AUDIO", "--out", "s", "--part", "x"], 1, "expected I/N"),
        (["AUDIO", "--out", "s", "--n-q", "9"], 1, "codebooks 1 to 4"),
        (["AUDIO", "--out", "AUDIO"], 1, "no token store"),
        (["run", "nowhere"], 1, "no token store"),
        (["info", "nowhere"], 1, "no token store"),
    ],
)
def test_wrong_use(command, audio, model, tmp_path, monkeypatch, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    words = [str(audio) if word == "AUDIO" else word for word in arguments]
    model_words = ["--model", str(model)] if "--out" in words else []
    ending = command("tokens", *words, *model_words)
    assert ending.code == code and message in ending.err


def test_help_is_light_and_lists_everything(command):
    told = command("tokens", "--help")
    assert told.code == 0
    assert all(name in told.out for name in ("extract", "run", "info", "verify", "listen", "export", "merge", "split"))
