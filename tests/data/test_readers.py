"""Corpora in the layouts in which they are published, listed by the readers that everybody uses."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiocodec.data.manifest import Entry, read, write
from audiocodec.data.readers import read_huggingface, read_lhotse, read_torchaudio
from audiocodec.errors import ConfigError


def put(path, text=None, rate=16000, seconds=0.1):
    path.parent.mkdir(parents=True, exist_ok=True)
    if text is not None:
        path.write_text(text)
    else:
        soundfile.write(path, np.zeros(int(seconds * rate)), rate)
    return path


def librispeech(root):
    for speaker in (84, 174):
        folder = root / f"LibriSpeech/dev-clean/{speaker}/1000"
        put(folder / f"{speaker}-1000.trans.txt", "".join(f"{speaker}-1000-000{n} HELLO\n" for n in (0, 1)))
        for n in (0, 1):
            put(folder / f"{speaker}-1000-000{n}.flac")
    return 16000, "LibriSpeech dev-clean", ["84", "84", "174", "174"]


def libritts(root):
    for speaker in (84, 174):
        name = f"LibriTTS/dev-clean/{speaker}/1000/{speaker}_1000_000000_000001"
        put(root / f"{name}.wav", rate=24000)
        for kind in ("original", "normalized"):
            put(root / f"{name}.{kind}.txt", "Hello.")
    return 24000, "LibriTTS dev-clean", ["84", "174"]


def vctk(root):
    top = root / "VCTK-Corpus-0.92"
    for speaker in ("p225", "p226"):
        put(top / f"txt/{speaker}/{speaker}_001.txt", "Please call Stella.")
        for microphone in ("mic1", "mic2"):
            put(top / f"wav48_silence_trimmed/{speaker}/{speaker}_001_{microphone}.flac", rate=48000)
    return 48000, "VCTK 0.92 mic1", ["p225", "p226"]


def ljspeech(root):
    top = root / "LJSpeech-1.1"
    put(top / "metadata.csv", "".join(f'LJ001-000{n}|A "raw|A "raw\n' for n in (1, 2)))
    for n in (1, 2):
        put(top / f"wavs/LJ001-000{n}.wav", rate=22050)
    return 22050, "LJSpeech", ["single", "single"]


CASES = [(librispeech, "dev-clean"), (libritts, "dev-clean"), (vctk, "mic1"), (ljspeech, "")]


@pytest.mark.parametrize(("make", "subset"), CASES)
def test_torchaudio_lists_the_corpus_without_decoding_it(tmp_path, make, subset):
    torchaudio = pytest.importorskip("torchaudio")
    load = torchaudio.load
    rate, source, speakers = make(tmp_path)
    entries = read_torchaudio(make.__name__, tmp_path, subset)
    assert torchaudio.load is load
    assert [e.speaker for e in sorted(entries, key=lambda e: (len(e.speaker), e.path))] == speakers
    assert {(e.sample_rate, e.source, e.language, round(e.duration, 3)) for e in entries} == {(rate, source, "en", 0.1)}
    assert all(e.license and e.path.exists() for e in entries) and len({e.path for e in entries}) == len(entries)
    write(tmp_path / "m.jsonl", entries)
    assert [e.path.resolve() for e in read(tmp_path / "m.jsonl")] == [e.path.resolve() for e in entries]


def test_damaged_and_empty_recordings_are_left_out(tmp_path):
    pytest.importorskip("torchaudio")
    librispeech(tmp_path)
    put(tmp_path / "LibriSpeech/dev-clean/84/1000/84-1000-0000.flac", "no sound")
    put(tmp_path / "LibriSpeech/dev-clean/174/1000/174-1000-0001.flac", seconds=0)
    found = read_torchaudio("librispeech", tmp_path, "dev-clean")
    assert sorted(e.path.stem for e in found) == ["174-1000-0000", "84-1000-0001"]


def test_a_corpus_that_is_not_there_is_explained(tmp_path):
    pytest.importorskip("torchaudio")
    with pytest.raises(ConfigError, match=r"no librispeech.*Dataset not found.*expected LibriSpeech/SUBSET/84/121123"):
        read_torchaudio("librispeech", tmp_path, "dev-clean")
    with pytest.raises(ConfigError, match="Invalid url 'dev-cleen'"):
        read_torchaudio("librispeech", tmp_path, "dev-cleen")
    with pytest.raises(ConfigError, match="ljspeech has no subsets"):
        read_torchaudio("ljspeech", tmp_path, "mic1")
    librispeech(tmp_path)
    next(tmp_path.rglob("*.trans.txt")).unlink()
    with pytest.raises(ConfigError, match=r"No such file.*trans\.txt"):
        read_torchaudio("librispeech", tmp_path, "dev-clean")


# -- Lhotse ----------------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("text", ['{"path": "a"}', "[1]", "no json"])
def test_what_is_no_lhotse_manifest_is_refused(tmp_path, text):
    (tmp_path / "x.jsonl").write_text(text)
    with pytest.raises(ConfigError, match="no Lhotse manifest"):
        read_lhotse(tmp_path / "x.jsonl")


@pytest.mark.slow
def test_cuts_as_lhotse_itself_writes_them(tmp_path):
    lhotse = pytest.importorskip("lhotse")
    recordings = [lhotse.Recording.from_file(put(tmp_path / f"{name}.wav", seconds=1.0)) for name in "ab"]
    said = [
        lhotse.SupervisionSegment(f"{r.id}{n}", r.id, 0.5 * n, 0.5, speaker=speaker, language="de")
        for r, speakers in zip(recordings, (["anna", "anna"], ["bert", "carl"]), strict=True)
        for n, speaker in enumerate(speakers)
    ]
    cuts = lhotse.CutSet.from_manifests(
        lhotse.RecordingSet.from_recordings(recordings), lhotse.SupervisionSet.from_segments(said)
    )
    cuts.trim_to_supervisions().to_file(tmp_path / "cuts.jsonl.gz")  # two cuts of each recording
    a, b = (tmp_path / f"{name}.wav" for name in "ab")
    assert read_lhotse(tmp_path / "cuts.jsonl.gz") == [
        Entry(a, 1.0, 16000, speaker="anna", language="de"),
        Entry(b, 1.0, 16000, speaker="", language="de"),  # two speakers: none of them speaks alone
    ]
    lhotse.RecordingSet.from_recordings(recordings).to_file(tmp_path / "recordings.jsonl")
    assert read_lhotse(tmp_path / "recordings.jsonl") == [Entry(a, 1.0, 16000), Entry(b, 1.0, 16000)]


# -- Hugging Face ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_huggingface_data_on_disk_and_in_tables(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets = pytest.importorskip("datasets")
    paths = [str(put(tmp_path / f"sound/{n}.flac", seconds=0.1 * (n + 1))) for n in range(2)]
    columns = {"audio": paths, "speaker_id": [7, 8], "language": ["en", "fr"]}
    saved = datasets.Dataset.from_dict(columns).cast_column("audio", datasets.Audio(decode=False))
    saved.save_to_disk(str(tmp_path / "saved"))
    found = read_huggingface(str(tmp_path / "saved"), tmp_path / "files")
    assert [(e.speaker, e.language, e.path.read_bytes()) for e in found] == [
        ("7", "en", Path(paths[0]).read_bytes()),
        ("8", "fr", Path(paths[1]).read_bytes()),
    ]

    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    inside = [{"bytes": Path(path).read_bytes(), "path": None} for path in paths] + [{"bytes": b"junk", "path": None}]
    (tmp_path / "tables").mkdir()
    parquet.write_table(pyarrow.table({"audio": inside}), tmp_path / "tables/train.parquet")
    found = read_huggingface(str(tmp_path / "tables"), tmp_path / "files")
    assert [e.path.name for e in found] == ["0000000.flac", "0000001.flac"]
    assert [e.path.read_bytes() for e in found] == [Path(path).read_bytes() for path in paths]
    assert [round(e.duration, 3) for e in found] == [0.1, 0.2]

    with pytest.raises(ConfigError, match=r"no column 'sound'; there are audio"):
        read_huggingface(str(tmp_path / "saved"), tmp_path / "files", column="sound")
    with pytest.raises(ConfigError, match=r"no split 'valid'; there are train"):
        read_huggingface(str(tmp_path / "tables"), tmp_path / "files", "valid")
    with pytest.raises(ConfigError, match="`datasets` cannot open it"):
        read_huggingface(str(tmp_path / "nothing"), tmp_path / "files")
