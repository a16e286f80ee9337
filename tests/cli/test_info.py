"""info and verify: what a file says of itself, and what is wrong with it."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest

from audiocodec.bitstream.container import StreamInfo, Writer
from audiocodec.cli import info, jobs, verify


@pytest.fixture
def spans() -> list[tuple[int, int]]:
    """First and end byte of each packet of `anc`."""
    return []


@pytest.fixture
def anc(tmp_path, spans):
    """Ten seconds of random codes in five packets, from a model called `some`."""
    tags = {"title": "x\x1b[2J"}
    stream = StreamInfo("some", bytes(range(32)), bytes(32), 16000, 320, 2, (1024,) * 3, 44100, tags=tags)
    with open(tmp_path / "a.anc", "wb") as file, Writer(file, stream) as writer:
        for codes in np.random.default_rng(0).integers(0, 1024, (5, 2, 3, 100)):
            start = writer.n_bytes
            writer.write(codes)
            writer.flush()
            spans.append((start, writer.n_bytes))
        writer.close(440_999)
    return tmp_path / "a.anc"


def test_info_says_what_the_header_says(command, anc):
    said = json.loads(command("info", anc, "--json").out)
    n_bytes = anc.stat().st_size
    assert (said["seconds"], said["n_samples"]) == (440_999 / 44100, 440_999)
    assert (said["original_rate"], said["channels"], said["sample_rate"], said["frame_rate"]) == (44100, 2, 16000, 50.0)
    assert (said["model_name"], said["weights_sha256"], said["n_q"]) == ("some", "00010203", 3)
    assert (said["n_packets"], said["n_frames"], said["n_bytes"]) == (5, 500, n_bytes)
    assert said["bitrate_nominal"] == 2 * 3 * 10 * 50
    assert said["bitrate_measured"] == n_bytes * 8 / (440_999 / 44100)
    assert said["error"] is None


def test_info_in_words(command, anc):
    told = command("info", anc)
    assert (told.code, told.err) == (0, "")
    for words in (
        "10.000 s (440999 samples), 44100 Hz, stereo",
        "some, weights 00010203",
        "3 kbit/s nominal",
        "500 frames",
    ):
        assert words in told.out
    assert "title=x\\x1b[2J" in told.out and "\x1b" not in told.out  # a file's text does not steer the terminal


def test_info_of_a_damaged_file_tells_both(command, anc):
    anc.write_bytes(anc.read_bytes()[:-100])
    told = command("info", anc)
    assert told.code == 1
    assert "44100 Hz, stereo" in told.out
    assert told.err.startswith(f"audiocodec: error: {anc}: ") and told.err.count("\n") == 1


def test_verify_praises_what_is_whole(command, anc, tmp_path):
    told = command("verify", tmp_path)
    assert (told.code, told.err) == (0, "")
    assert told.out.startswith(f"{anc}: good: 5 good packets, 500 frames, {anc.stat().st_size} bytes")
    assert command("verify", anc, "--quiet").out == ""
    assert json.loads(command("verify", anc, "--json").out)["good"] is True


def test_verify_finds_each_damaged_packet(command, anc, spans):
    data = bytearray(anc.read_bytes())
    for number in (1, 3):
        data[sum(spans[number]) // 2] ^= 0x40
    anc.write_bytes(data)
    told = command("verify", anc)
    assert told.code == 1
    assert told.err == f"audiocodec: error: {anc}: is damaged in 2 places\n"
    assert "damaged in 2 places; 3 good packets, 500 frames, 200 of them lost" in told.out
    assert "(frames 100 to 199 lost)" in told.out and "(frames 300 to 399 lost)" in told.out
    said = json.loads(command("verify", anc, "--json").out)
    assert [place["first_byte"] for place in said["damage"]] == [spans[1][0], spans[3][0]]


def test_truncation_is_damage(command, anc):
    anc.write_bytes(anc.read_bytes()[:-3])
    assert command("verify", anc).code == 1


@pytest.mark.parametrize("name", ["info", "verify"])
def test_what_is_no_anc_file_is_one_line(command, recording, name):
    told = command(name, recording)
    assert (told.code, told.out) == (1, "")
    assert told.err.startswith(f"audiocodec: error: {recording}: ") and told.err.count("\n") == 1


def test_pipes_are_read_too(monkeypatch, anc):
    class Stdin:
        buffer = io.BufferedReader(io.BytesIO(anc.read_bytes()))

    monkeypatch.setattr(sys, "stdin", Stdin)
    (item,) = jobs.find_inputs(["-"], [])
    assert info.summarize(item).n_packets == 5
    Stdin.buffer.seek(0)
    assert verify.check(item).good


def test_neither_needs_torch(anc):
    script = (
        "import sys\nfrom audiocodec.cli import main\n"
        f"for name in ('info', 'verify'):\n    main.app([name, {str(anc)!r}], standalone_mode=False)\n"
        "sys.exit('imported torch' if 'torch' in sys.modules else 0)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
