"""What must end in one clear line on stderr, exit code 1, no traceback, and nothing left behind."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from audiocodec.compress import compress
from audiocodec.compress.models import load_model


def recording_with(value: float, path: Path) -> None:
    wav = np.zeros(20_000, np.float32)
    wav[12_345] = value
    sf.write(path, wav, 16000, subtype="FLOAT")


def anc(model: Path) -> bytes:
    return compress(0.1 * np.random.default_rng(0).standard_normal(30_000), sample_rate=16000, model=model)


def altered(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 4]) + data[position + 1 :]


def of_another_model(model: Path) -> bytes:
    codec = load_model(model, "torch")
    next(codec.encoder.parameters()).data.add_(0.01)
    codec.name = "another"
    return compress(np.zeros(1000), sample_rate=16000, model=codec)


RECORDINGS = {
    "empty": (lambda path: path.write_bytes(b""), r"is empty \(0 bytes\)"),
    "text": (lambda path: path.write_text("dear diary\n" * 100), "is a text file, not a recording"),
    "garbage": (lambda path: path.write_bytes(bytes(range(256)) * 40), "is no recording that can be read"),
    "NaN": (lambda path: recording_with(np.nan, path), r"sample 12345 \(0\.772 s\) of channel 1 is nan"),
    "infinity": (lambda path: recording_with(np.inf, path), "of channel 1 is inf"),
    "missing": (lambda path: None, "there is no such file"),
    "folder": (lambda path: path.mkdir(), "holds no file that ends in"),
    "half a FLAC": (
        lambda path: (sf.write(path, np.zeros(60_000), 16000, format="FLAC"), os.truncate(path, 300)),
        "is damaged or cut short",
    ),
    "compressed already": (lambda path: path.write_bytes(b"\x89ANC\r\n\x10abc"), r"is a compressed \.anc file"),
}
COMPRESSED = {
    "empty": (lambda model: b"", "the file ends at byte 0"),
    "text": (lambda model: b"dear diary\n" * 100, r"not a \.anc file"),
    "truncated in the header": (lambda model: anc(model)[:20], "ends at byte 20"),
    "truncated in a packet": (lambda model: anc(model)[:100], "ends at byte 100"),
    "without footer": (lambda model: anc(model)[:-20], "end"),
    "altered header": (lambda model: altered(anc(model), 12), "header is damaged"),
    "altered packet": (lambda model: altered(anc(model), 90), "checksum"),
    "another model": (of_another_model, r"made by model 'another' \(weights .*--model DIR"),
    "missing": (None, "there is no such file"),
}


def check(told, path: Path, reason: str, left: set[str]) -> None:
    assert told.code == 1 and told.out == ""
    assert told.err.count("\n") == 1 and told.err.startswith("audiocodec: error: ")
    assert path.name in told.err and "Traceback" not in told.err
    assert re.search(reason, told.err), told.err
    assert set(os.listdir(path.parent)) == left


@pytest.mark.parametrize("kind", RECORDINGS)
def test_compress_refuses(command, model, tmp_path, kind):
    make, reason = RECORDINGS[kind]
    path = tmp_path / "bad.wav"
    make(path)
    left = set(os.listdir(tmp_path))
    check(command("compress", path, "-o", tmp_path / "out.anc", "--model", model), path, reason, left)


@pytest.mark.parametrize("kind", COMPRESSED)
def test_decompress_refuses(command, model, tmp_path, kind):
    make, reason = COMPRESSED[kind]
    path = tmp_path / "bad.anc"
    if make is not None:
        path.write_bytes(make(model))
    left = set(os.listdir(tmp_path))
    check(command("decompress", path, "--model", model), path, reason, left)


def test_a_file_of_a_model_that_is_not_here_says_so(command, model, tmp_path):
    (tmp_path / "a.anc").write_bytes(anc(model))
    check(command("decompress", tmp_path / "a.anc"), tmp_path / "a.anc", "not shipped.*--model DIR", {"a.anc"})


@pytest.mark.parametrize("target", ["nowhere/out.anc", "/proc/out.anc", "file/out.anc"])
def test_unwritable_targets(command, model, recording, tmp_path, target, monkeypatch):
    """Folders of a path that cannot be: they would be made where they can."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    if target.startswith("nowhere"):
        (tmp_path / "nowhere").symlink_to("/proc/nowhere")
    left = set(os.listdir(tmp_path))
    told = command("compress", recording, "-o", target, "--model", model)
    assert told.code == 1 and told.err.count("\n") == 1 and target.split("/")[1] in told.err
    assert set(os.listdir(tmp_path)) == left


def test_no_such_model(command, recording, tmp_path):
    told = command("compress", recording, "--model", "speach-16k")
    assert told.code == 1 and told.err.count("\n") == 1 and "no model 'speach-16k'" in told.err
    assert os.listdir(tmp_path) == ["speech.wav"]


def test_a_bitrate_that_the_model_does_not_have(command, model, recording, tmp_path):
    told = command("compress", recording, "--model", model, "--bitrate", 0.3)
    assert told.code == 1
    assert "0.3 kbit/s is too little" in told.err and "2 channels at 0.4, 0.8, 1.2, 1.6 kbit/s" in told.err
    assert os.listdir(tmp_path) == ["speech.wav"]
