"""The scan finds each planted fault and nothing else."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from audiocodec.data.manifest import Entry, collect, probe, read
from audiocodec.data.scan import bandwidth_hz, examine, scan, summary
from tests.data.test_corpus import noise

RATE = 16000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    good = 0.5 * noise(RATE)
    clipped = np.clip(4 * good, -1, 1)
    silent = good.copy()
    silent[RATE // 4 :] = 0
    narrow = 0.5 * soxr.resample(noise(RATE // 2), RATE // 2, RATE)
    for name, wav in {"good": good, "clipped": clipped, "silent": silent, "narrow": narrow}.items():
        soundfile.write(tmp_path / f"{name}.wav", wav, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "same.flac", np.round(good * 32767).astype(np.int16), RATE)
    nan = good.copy()
    nan[100] = np.nan
    soundfile.write(tmp_path / "nan.wav", nan, RATE, subtype="FLOAT")
    data = (tmp_path / "good.wav").read_bytes()
    (tmp_path / "short.wav").write_bytes(data[: len(data) // 2])
    return tmp_path


def test_each_planted_fault_is_found(folder):
    entries = collect([str(folder)])
    entries = [Entry(e.path, 1.0, e.sample_rate) if e.path.name == "short.wav" else e for e in entries]
    report = summary(scan(entries))
    names = {key: [Path(item[0]).name for item in report[key]] for key in ("faults", "clipped", "silent", "narrow")}
    assert names == {
        "faults": ["nan.wav", "short.wav"],
        "clipped": ["clipped.wav"],
        "silent": ["silent.wav"],
        "narrow": ["narrow.wav"],
    }
    assert [Path(p).name for p in report["duplicates"][0]] == ["same.flac", "good.wav"]
    assert report["usable"] == 5 and report["hours"] == round(5 / 3600, 4)


def test_figures_of_a_known_signal(tmp_path):
    t = np.arange(RATE) / RATE
    soundfile.write(tmp_path / "tone.wav", 0.5 * np.sin(2 * np.pi * 1000 * t), RATE, subtype="FLOAT")
    finding = examine(probe(tmp_path / "tone.wav"))
    assert finding.peak == pytest.approx(0.5, abs=1e-3) and finding.level_db == pytest.approx(-9.03, abs=0.01)
    assert finding.bandwidth_hz == pytest.approx(1000, abs=60) and finding.clipped == finding.silent == 0


@pytest.mark.parametrize("true_rate", [8000, 16000, 24000])
def test_bandwidth_sees_through_resampling(true_rate):
    wav = soxr.resample(noise(true_rate)[:, 0], true_rate, 48000)
    assert bandwidth_hz(wav, 48000) == pytest.approx(true_rate / 2, rel=0.08)


def test_a_wrong_rate_in_the_manifest_is_a_fault(folder):
    assert "the manifest says 8000 Hz" in examine(Entry(folder / "good.wav", 1.0, 8000)).fault


def test_the_recipe_writes_a_manifest_and_keeps_what_is_sound(folder):
    recipe = [sys.executable, str(Path(__file__).parents[2] / "recipes/prepare_data.py")]

    def run(*arguments: str) -> str:
        done = subprocess.run([*recipe, *arguments], capture_output=True, text=True, check=True)
        return done.stdout

    assert "7 recordings" in run("manifest", str(folder), str(folder / "m.jsonl"), "--layout", "single")
    assert {e.speaker for e in read(folder / "m.jsonl")} == {"single"}
    out = run("scan", str(folder / "m.jsonl"), "--report", str(folder / "r.json"), "--keep", str(folder / "k.jsonl"))
    assert "clipped: 1" in out and (folder / "r.json").exists()
    assert {e.path.name for e in read(folder / "k.jsonl")} == {
        "good.wav", "clipped.wav", "silent.wav", "narrow.wav", "short.wav"
    }  # fmt: skip
