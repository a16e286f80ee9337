"""egs/demo: every figure in its table is that of the files it leaves."""

import importlib.util
import re
from pathlib import Path

import pytest
import soundfile
from matplotlib.image import imread

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def demo():
    spec = importlib.util.spec_from_file_location("demo", ROOT / "egs/demo/demo.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def recording(tmp_path):
    """Two seconds of the sample recording."""
    samples, rate = soundfile.read(ROOT / "egs/samples/librispeech_2002.flac", frames=32000, start=16000)
    path = tmp_path / "speech.flac"
    soundfile.write(path, samples, rate)
    return path


@pytest.fixture
def model(tiny_codec, tmp_path):
    return str(tiny_codec.save_pretrained(tmp_path / "tiny"))


def row(text: str, name: str) -> list[float]:
    """Numbers in the row of the printed table that begins with `name`."""
    (line,) = [line for line in text.splitlines() if name in line]
    return [float(number) for number in re.findall(r"-?\d+\.?\d*", line.split(name)[1])]


def test_it_measures_what_it_leaves(demo, recording, model, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    out = tmp_path / "out"
    demo.run(recording, model, out)
    text = capsys.readouterr().out
    sizes = [(out / f"speech_{n_q}q.anc").stat().st_size for n_q in (4, 2, 1)]
    assert row(text, "codebooks") == [4, 2, 1]
    assert row(text, "bytes on disk") == sizes
    assert row(text, "kbit/s, measured") == pytest.approx([size * 8 / 2.0 / 1000 for size in sizes], abs=0.005)
    assert row(text, "16-bit PCM / file") == pytest.approx([64000 / size for size in sizes], abs=0.05)
    assert len(row(text, "PESQ-WB")) == len(row(text, "STOI")) == 5  # the scale's ends, then three scores
    for n_q in (4, 2, 1):
        decoded, rate = soundfile.read(out / f"speech_{n_q}q.wav")
        assert (len(decoded), rate) == (32000, 16000)
    assert str(out / "speech.png") in text
    assert imread(out / "speech.png")[..., :3].std() > 0.1  # a picture, not a blank page


def test_a_missing_recording_is_one_line(demo, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.argv", ["demo.py", "--model", str(tmp_path / "none"), "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"demo: error: .*none"):
        demo.main()
    monkeypatch.setattr("sys.argv", ["demo.py", str(tmp_path / "no.wav"), "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match="demo: error: "):
        demo.main()
