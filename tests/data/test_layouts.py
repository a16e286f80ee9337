"""Speakers from paths, recordings from Lhotse."""

import gzip
import json
from pathlib import Path

import pytest

from audiocodec.data.layouts import read_lhotse, speaker, with_origin
from audiocodec.data.manifest import Entry
from audiocodec.errors import ConfigError


@pytest.mark.parametrize(
    ("path", "layout", "expected"),
    [
        ("train/84/121123/84-121123-0000.flac", "librispeech", "84"),
        ("train/84/121123/84_121123_000000_000001.wav", "librispeech", "84"),
        ("wav48/p225/p225_001_mic1.flac", "vctk", "p225"),
        ("anna/001.wav", "folder", "anna"),
        ("LJ001-0001.wav", "single", "single"),
        ("x.wav", "none", ""),
    ],
)
def test_speakers_come_from_the_path(path, layout, expected):
    assert speaker(Path(path), layout) == expected


def test_unknown_layouts_are_refused():
    with pytest.raises(ConfigError, match="expected one of folder, librispeech"):
        speaker(Path("x"), "libri")


def test_one_origin_for_all():
    (entry,) = with_origin([Entry(Path("a/1.wav"), 1.0, 8000)], "folder", source="mine", license="CC0")
    assert entry == Entry(Path("a/1.wav"), 1.0, 8000, speaker="a", source="mine", license="CC0")


@pytest.mark.parametrize("compressed", [False, True])
def test_lhotse_recordings(tmp_path, compressed):
    file = {"type": "file", "channels": [0], "source": "a/b.flac"}
    rows = [
        {"id": "1", "sources": [file], "sampling_rate": 16000, "num_samples": 16000, "duration": 1.0},
        {"id": "2", "sources": [{**file, "type": "url"}], "sampling_rate": 16000, "duration": 1.0},
    ]
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path = tmp_path / ("r.jsonl.gz" if compressed else "r.jsonl")
    path.write_bytes(gzip.compress(data) if compressed else data)
    assert read_lhotse(path) == [Entry(Path("a/b.flac"), 1.0, 16000)]


def test_what_is_no_lhotse_manifest_is_refused(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"path": "a"}')
    with pytest.raises(ConfigError, match="no Lhotse recording manifest"):
        read_lhotse(tmp_path / "x.jsonl")
