"""Manifests: what is read, where files are looked for, what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiocodec.data.manifest import Entry, collect, probe, read, write
from audiocodec.errors import AudioError, ConfigError


def recording(path: Path, seconds: float = 0.5, rate: int = 16000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(int(seconds * rate), np.float32), rate)
    return path


def manifest(path: Path, *rows: object) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def row(path: str, **more: object) -> dict[str, object]:
    return {"path": path, "duration": 0.5, "sample_rate": 16000, **more}


def test_paths_count_from_the_manifests_folder_or_the_one_above(tmp_path):
    inside, above = recording(tmp_path / "speech/train/a.wav"), recording(tmp_path / "other/b.wav")
    path = manifest(tmp_path / "speech/list.jsonl", row("train/a.wav"), row("speech/train/a.wav"), row("other/b.wav"))
    assert [e.path.resolve() for e in read(path)] == [inside, inside, above]


def test_origin_is_kept_and_unknown_keys_are_ignored(tmp_path):
    path = manifest(tmp_path / "m.jsonl", row("a.wav", speaker="s", source="x", license="CC0", kind="speech"), "")
    assert read(path) == [Entry(tmp_path / "a.wav", 0.5, 16000, speaker="s", source="x", license="CC0")]


def test_every_malformed_line_is_named(tmp_path):
    path = manifest(
        tmp_path / "m.jsonl", row("a.wav"), "{", {"path": "a"}, row("b", duration=-1), [1], row("c", sample_rate="16k")
    )
    with pytest.raises(ConfigError) as error:
        read(path)
    lines = str(error.value).splitlines()
    assert lines[0].endswith("5 malformed lines")
    assert "line 3: duration, sample_rate missing" in lines[2]
    assert "line 4: duration: expected seconds above 0, got -1" in lines[3]
    assert "line 5: expected an object, got list" in lines[4]
    assert "line 6: sample_rate: expected whole Hz, got '16k'" in lines[5]


def test_an_empty_manifest_says_how_to_make_one(tmp_path):
    with pytest.raises(ConfigError, match=r"the manifest is empty; recipes/prepare_data.py writes one"):
        read(manifest(tmp_path / "m.jsonl"))


def test_write_makes_paths_relative_and_reads_back(tmp_path):
    entries = [probe(recording(tmp_path / "a/b.wav")), Entry(Path("/elsewhere/c.wav"), 1.0, 8000, speaker="s")]
    write(tmp_path / "m.jsonl", entries)
    assert json.loads((tmp_path / "m.jsonl").read_text().splitlines()[0])["path"] == "a/b.wav"
    assert read(tmp_path / "m.jsonl") == entries


def test_folders_are_searched_in_order_and_what_is_no_recording_is_left_out(tmp_path):
    paths = [recording(tmp_path / name) for name in ("b/2.wav", "a/1.flac", "b/1.ogg")]
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "broken.wav").write_text("x")
    assert [e.path for e in collect([str(tmp_path)])] == sorted(paths)
    assert collect([str(paths[0])])[0].duration == 0.5


def test_nothing_to_collect_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="no recordings in"):
        collect([str(tmp_path)])
    with pytest.raises(ConfigError, match="no such folder, manifest or recording"):
        collect([str(tmp_path / "gone")])
    with pytest.raises(AudioError, match="not a readable recording"):
        (tmp_path / "x.wav").write_text("x")
        probe(tmp_path / "x.wav")
