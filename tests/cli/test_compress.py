"""compress and decompress: from the command line to files and back."""

import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile as sf

from audiocodec.audio.io import read_audio, write_audio
from audiocodec.bitstream.container import Reader
from audiocodec.compress import compress, decompress


def test_there_and_back(command, model, recording, tmp_path):
    told = command("compress", recording, "--model", model)
    assert (told.code, told.err) == (0, "")
    data = (tmp_path / "speech.anc").read_bytes()
    assert data == compress(recording, model=model)
    assert told.out.startswith(f"{recording} -> {tmp_path / 'speech.anc'}: 1.00 s, {len(data)} bytes")
    assert f"{len(data) * 8 / 1000:.2f} kbit/s" in told.out

    told = command("decompress", tmp_path / "speech.anc", "-o", tmp_path / "back.flac", "--model", model)
    assert (told.code, told.err) == (0, "")
    assert "22050 Hz, stereo" in told.out
    wav, rate = read_audio(tmp_path / "back.flac")
    assert (wav.shape, rate) == ((2, 22050), 22050)
    np.testing.assert_allclose(wav, decompress(data, model=model)[0], atol=0.5001 / 32768)
    assert sorted(os.listdir(tmp_path)) == ["back.flac", "speech.anc", "speech.wav"]


def test_json_says_what_the_file_says(command, model, recording, tmp_path):
    said = json.loads(command("compress", recording, "--model", model, "--json", "--n-q", 2).out)
    n_bytes = (tmp_path / "speech.anc").stat().st_size
    assert (said["n_bytes"], said["bitrate"], said["n_q"]) == (n_bytes, n_bytes * 8, 2)
    assert (said["seconds"], said["sample_rate"], said["channels"]) == (1.0, 22050, 2)
    said = json.loads(command("decompress", tmp_path / "speech.anc", "--model", model, "--json", "--force").out)
    assert (said["n_bytes"], said["seconds"], said["output"]) == (n_bytes, 1.0, str(tmp_path / "speech.wav"))


def test_bitrate_chooses_codebooks_and_tags_are_kept(command, model, recording, tmp_path):
    out = tmp_path / "a.anc"
    assert command("compress", recording, "-o", out, "--model", model, "--bitrate", 1.3, "--tag", "title=a=b").code == 0
    info = Reader(io.BytesIO(out.read_bytes())).info
    assert (info.n_q, info.tags) == (3, {"title": "a=b"})  # two channels at 200 bit/s a codebook


def test_quiet_prints_nothing(command, model, recording, tmp_path):
    for arguments in (["compress", recording], ["decompress", tmp_path / "speech.anc", "-o", tmp_path / "b.wav"]):
        told = command(*arguments, "--model", model, "--quiet")
        assert (told.code, told.out, told.err) == (0, "", "")


def test_a_folder_goes_through_whatever_one_file_does(command, model, recording, tmp_path):
    folder = tmp_path / "in" / "deep"
    folder.mkdir(parents=True)
    write_audio(folder / "a.ogg", np.zeros((1, 5000)), 8000)
    (folder / "bad.wav").write_text("no recording")
    (tmp_path / "in" / "cut.wav").write_bytes(recording.read_bytes()[:30_000])
    told = command("compress", tmp_path / "in", "-o", tmp_path / "out", "--model", model)
    assert told.code == 1
    assert sorted(p.name for p in (tmp_path / "out").rglob("*") if p.is_file()) == ["a.anc", "cut.anc"]
    lines = told.err.splitlines()
    assert len(lines) == 3  # a note, an error, a sum
    assert "note:" in lines[0] and "cut.wav: the header promises 1.00 s, the file holds 0.34 s" in lines[0]
    assert "deep/bad.wav: is a text file" in lines[1] and lines[2].endswith("1 of 3 inputs failed")
    assert command("decompress", tmp_path / "out", "--to", "flac", "--model", model).code == 0
    assert sf.info(tmp_path / "out/deep/a.flac").frames == 5000


def test_existing_files_are_kept_unless_forced(command, model, recording, tmp_path):
    assert command("compress", recording, "--model", model).code == 0
    old = recording.read_bytes()
    told = command("decompress", tmp_path / "speech.anc", "--model", model)
    assert told.code == 1
    assert told.err == (
        f"audiocodec: error: {recording}: exists already; choose another name, or allow it to be replaced (--force)\n"
    )
    assert recording.read_bytes() == old
    assert command("decompress", tmp_path / "speech.anc", "--model", model, "--force").code == 0
    assert recording.read_bytes() != old


def test_sample_formats(command, model, recording, tmp_path):
    command("compress", recording, "--model", model)
    for name, subtype in (("pcm16", "PCM_16"), ("pcm24", "PCM_24"), ("float32", "FLOAT")):
        out = tmp_path / f"{name}.wav"
        assert (
            command("decompress", tmp_path / "speech.anc", "-o", out, "--sample-format", name, "--model", model).code
            == 0
        )
        assert sf.info(out).subtype == subtype


@pytest.mark.parametrize(
    "arguments",
    [
        ["compress"],
        ["compress", "a.wav", "--bitrate", "3", "--n-q", "4"],
        ["compress", "a.wav", "-o", "-", "--json"],
        ["compress", "a.wav", "--tag", "novalue"],
        ["compress", "a.wav", "--threads", "0"],
        ["decompress", "a.anc", "-o", "-", "--json"],
        ["decompress", "a.anc", "--to", "mp3"],
        ["decompress", "a.anc", "--sample-format", "pcm8"],
    ],
)
def test_wrong_usage_ends_with_2(command, arguments):
    told = command(*arguments)
    assert told.code == 2 and "Traceback" not in told.err


def test_standard_input_and_output(command, model, recording, tmp_path, monkeypatch):
    class Stdin:
        buffer = io.BytesIO(recording.read_bytes())

    class Stdout(io.StringIO):
        buffer = io.BytesIO()

    monkeypatch.setattr(sys, "stdin", Stdin)
    monkeypatch.setattr(sys, "stdout", Stdout())
    assert command("compress", "-", "--model", model).code == 0
    data = Stdout.buffer.getvalue()
    assert data == compress(recording, model=model)
    Stdin.buffer, Stdout.buffer = io.BytesIO(data), io.BytesIO()
    assert command("decompress", "-", "--model", model).code == 0
    assert sf.info(io.BytesIO(Stdout.buffer.getvalue())).frames == 22050
    assert os.listdir(tmp_path) == ["speech.wav"]


def test_real_pipes(model, recording, tmp_path):
    """A process of its own, between two pipes; one for both commands, for torch takes seconds to import."""
    script = (
        "import sys\nfrom audiocodec.cli import main\nmodel, path = sys.argv[1:]\n"
        "main.app(['compress', '-', '-o', path, '--model', model, '--quiet'], standalone_mode=False)\n"
        "main.app(['decompress', path, '-o', '-', '--model', model], standalone_mode=False)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, model, tmp_path / "a.anc"],
        input=recording.read_bytes(),
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert (result.returncode, result.stderr) == (0, b"")
    wav, rate = sf.read(io.BytesIO(result.stdout), always_2d=True, dtype="float32")
    assert rate == 22050
    np.testing.assert_allclose(wav.T, decompress(compress(recording, model=model), model=model)[0], atol=0.5001 / 32768)


def test_another_beam_gives_other_codes_that_decode_as_the_models_own(command, model, recording, tmp_path):
    files = {}
    for beam in (1, 3):
        out = tmp_path / f"{beam}.anc"
        assert command("compress", recording, "-o", out, "--model", model, "--beam", beam).code == 0
        assert command("decompress", out, "-o", tmp_path / f"{beam}.wav", "--model", model).code == 0
        files[beam] = out.read_bytes()
    assert files[1] == compress(recording, model=model)  # what the tiny model says itself
    assert files[1] != files[3]
    told = command("compress", recording, "--model", model, "--beam", 0, "--force")
    assert told.code == 1 and "beam=0" in told.err


@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_float32_codes_nearly_the_same(backend, command, model, recording, tmp_path):
    if backend == "auto":
        pytest.importorskip("onnxruntime")
    quick = tmp_path / "quick.anc"
    words = ["--precision", "float32", "--backend", backend, "--json"]
    assert command("compress", recording, "-o", quick, "--model", model, *words).code == 0
    exact, rate = decompress(compress(recording, model=model), model=model)
    heard, _ = decompress(quick.read_bytes(), model=model)
    assert heard.shape == exact.shape
    # A near-tie that falls otherwise is as near to what was said; most frames have none.
    assert (np.abs(heard - exact).reshape(2, -1, rate // 50).max(axis=2) < 1e-4).mean() > 0.9


def test_numpy_has_no_float32(command, model, recording, tmp_path):
    told = command("compress", recording, "--model", model, "--precision", "float32", "--backend", "numpy")
    assert told.code != 0 and "'float32' goes with 'onnx'" in told.err and not (tmp_path / "speech.anc").exists()
