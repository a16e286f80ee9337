"""Speakers from paths."""

from pathlib import Path

import pytest

from audiocodec.data.layouts import speaker, with_origin
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
