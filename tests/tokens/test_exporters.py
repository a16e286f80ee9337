"""Every export is read back by the library that it is for, and says what the store says."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from audiocodec.errors import ConfigError
from audiocodec.tokens import TokenStore, TokenWriter
from audiocodec.tokens.exporters import FORMATS, export, options_of
from audiocodec.tokens.views import View, coarse_first, flat
from audiocodec.tokens.vocabulary import Vocabulary
from tests.tokens.test_store import HEADER, some_codes

LENGTHS = [30, 7, 0, 1, 55]
IDS = ["a.b/c#1", "Grüße", "empty", "one", "last"]
FIELDS = [
    {"text": "né\tà", "speaker": "s 1", "n": 3, "mixed": 1, "samples": "x"},
    {"text": "zwei", "speaker": "s2", "n": 4.5, "mixed": "two", "list": [1, 2]},
    {},
    {"text": None, "n": 1, "yes": True},
    {"text": "last", "language": "de"},
]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("exporters") / "tokens"
    with TokenWriter(path, HEADER, shard_frames=40) as writer:
        for number, (id, length, fields) in enumerate(zip(IDS, LENGTHS, FIELDS, strict=True)):
            codes = some_codes(length, number)
            writer.add(id, codes, source=f"{number}.wav", samples=length * 320, channel=number % 2, fields=fields)
        writer.fail("broken", "no recording")
    return TokenStore(path)


def the_view(folder: Path) -> View:
    """The view that an export declares, made again from what is on disk alone."""
    facts = json.loads((folder / "export.json").read_text())["view"]
    vocabulary = Vocabulary.from_dict(facts["vocabulary"])
    order = {"flat": flat, "coarse-first": coarse_first}[facts["name"]](vocabulary.codebook_sizes)
    return View(order.pattern, vocabulary, facts["bos"], facts["eos"])


@pytest.mark.parametrize("n_q", [None, 2])
def test_webdataset(store, tmp_path, n_q):
    import webdataset

    export(store, tmp_path / "out", format="webdataset", n_q=n_q, shard_items=2)
    urls = sorted(str(path) for path in (tmp_path / "out").glob("*.tar"))
    assert len(urls) == 3
    samples = list(webdataset.WebDataset(urls, shardshuffle=False).decode())
    assert len(samples) == len(store)
    for sample, item in zip(samples, store, strict=True):
        assert sample["codes.npy"].dtype == np.uint16
        np.testing.assert_array_equal(sample["codes.npy"], item.codes[:n_q])
        assert (sample["json"]["id"], sample["json"]["fields"]) == (item.id, item.fields)
        assert sample["json"]["samples"] == item.samples


def test_webdataset_gives_the_same_bytes_every_time(store, tmp_path):
    for name in ("a", "b"):
        export(store, tmp_path / name, format="webdataset")
    a, b = ((tmp_path / name / "tokens-000000.tar").read_bytes() for name in ("a", "b"))
    assert a == b


def test_parquet_by_pyarrow(store, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    export(store, tmp_path / "out", format="huggingface", shard_items=2)
    files = sorted((tmp_path / "out" / "data").iterdir())
    assert [file.name for file in files] == [f"train-0000{i}-of-00003.parquet" for i in range(3)]
    rows = [row for file in files for row in parquet.read_table(file).to_pylist()]
    check_rows(rows, store)


@pytest.mark.slow
def test_huggingface(store, tmp_path):
    datasets = pytest.importorskip("datasets")
    export(store, tmp_path / "out", format="huggingface", shard_items=2)
    dataset = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert dataset.features["codes"].feature.feature.dtype == "uint16"
    check_rows(list(dataset), store)
    np.testing.assert_array_equal(dataset.with_format("numpy")[0]["codes"], store[0].codes)
    streamed = datasets.load_dataset(str(tmp_path / "out"), split="train", streaming=True)
    assert [row["id"] for row in streamed] == IDS


def check_rows(rows, store):
    """Rows as Python objects against the store."""
    assert [row["id"] for row in rows] == IDS
    for row, item in zip(rows, store, strict=True):
        assert row["codes"] == item.codes.tolist()
        assert (row["source"], row["samples"], row["frames"]) == (item.source, item.samples, item.frames)
        assert row["text"] == item.fields.get("text") and row["yes"] == item.fields.get("yes")
        assert row["n"] == item.fields.get("n")  # whole numbers and others: one column of floats
        for name in ("mixed", "list"):  # of several types: JSON
            assert (None if row[name] is None else json.loads(row[name])) == item.fields.get(name)
    assert rows[0]["field_samples"] == "x"  # the field that is named like a column of ours


def test_kaldi_matrices(store, tmp_path):
    import kaldiio

    export(store, tmp_path / "out", format="kaldi", shard_items=2)
    read = kaldiio.load_scp(str(tmp_path / "out" / "codes.scp"))
    assert list(read) == IDS
    for item in store:
        np.testing.assert_array_equal(read[item.id], item.codes.T)
        assert read[item.id].dtype == np.float32
    in_order = [pair for i in range(3) for pair in kaldiio.load_ark(str(tmp_path / "out" / f"codes.{i}.ark"))]
    assert [key for key, _ in in_order] == IDS
    text = dict(line.split(" ", 1) for line in (tmp_path / "out" / "text").read_text().splitlines())
    assert text == {"a.b/c#1": "né à", "Grüße": "zwei", "last": "last"}
    assert (tmp_path / "out" / "utt2spk").read_text() == "a.b/c#1 s_1\nGrüße s2\n"
    frames = [line.split() for line in (tmp_path / "out" / "utt2num_frames").read_text().splitlines()]
    assert [(key, int(value)) for key, value in frames] == list(zip(IDS, LENGTHS, strict=True))


def test_kaldi_vectors(store, tmp_path):
    import kaldiio

    export(store, tmp_path / "out", format="kaldi", layout="flat", n_q=2)
    view, read = the_view(tmp_path / "out"), kaldiio.load_scp(str(tmp_path / "out" / "codes.scp"))
    for item in store:
        assert read[item.id].dtype == np.int32
        np.testing.assert_array_equal(view.invert(read[item.id]), item.codes[:2])


def test_kaldi_keys_have_no_spaces_and_stay_apart(tmp_path):
    for ids, works in ((["a b", "c"], True), (["a b", "a_b"], False), (["a b", "a\tb"], False)):
        path = tmp_path / ids[0].join(ids[1:]).replace("\t", "t")
        with TokenWriter(path, HEADER) as writer:
            for id in ids:
                writer.add(id, some_codes(3))
        if works:
            export(TokenStore(path), tmp_path / "out", format="kaldi")
            assert (tmp_path / "out" / "codes.scp").read_text().startswith("a_b ")
        else:
            with pytest.raises(ConfigError, match="another item's id"):
                export(TokenStore(path), tmp_path / f"{path}-out", format="kaldi")


@pytest.mark.parametrize("shar", [False, True])
def test_lhotse(store, tmp_path, shar):
    import lhotse

    out = tmp_path / "out"
    options = {"shar": True, "shard_items": 2} if shar else {}
    export(store, out, format="lhotse", **options)
    cuts = (
        lhotse.CutSet.from_shar(in_dir=out / "shar") if shar else lhotse.CutSet.from_jsonl_lazy(out / "cuts.jsonl.gz")
    )
    cuts = list(cuts)
    assert [cut.id for cut in cuts] == [id for id in IDS if id != "empty"]
    for cut in cuts:
        lhotse.validate(cut, read_data=True)
        item = store[cut.id]
        features = cut.load_features()
        assert features.dtype == np.uint16 and cut.num_frames == item.frames
        np.testing.assert_array_equal(features, item.codes.T)
        assert [s.text for s in cut.supervisions] == [item.fields["text"]] if item.fields.get("text") else True
        if item.frames > 20:  # a stretch in time
            part = cut.truncate(offset=0.2, duration=0.1).load_features()
            np.testing.assert_array_equal(part, item.codes.T[10:15])
    if not shar:
        entries = lhotse.FeatureSet.from_jsonl(out / "features.jsonl.gz")
        lhotse.validate(entries, read_data=True)
        assert cuts[1].supervisions[0].speaker == "s2" and cuts[1].custom["list"] == [1, 2]


def test_lhotse_with_recordings(tmp_path):
    """Cuts over real recordings: audio and codes of the same seconds, both channels and a stretch of one file."""
    import lhotse
    import soundfile

    wav = np.random.default_rng(0).uniform(-0.5, 0.5, (16100, 2)).astype(np.float32)
    soundfile.write(tmp_path / "talk.wav", wav, 16000, subtype="FLOAT")
    with TokenWriter(tmp_path / "tokens", HEADER) as writer:
        for channel in (0, 1):
            options = {"source": "talk.wav", "samples": 16100, "sample_rate": 16000, "channel": channel}
            writer.add(f"talk#{channel}", some_codes(51, channel), **options)
        options = {"source": "talk.wav", "samples": 3200, "sample_rate": 16000, "channel": 0, "offset": 8000}
        writer.add("part", some_codes(10, 2), **options)
    store = TokenStore(tmp_path / "tokens")
    export(store, tmp_path / "out", format="lhotse", audio_root=tmp_path)
    recordings = lhotse.RecordingSet.from_jsonl(tmp_path / "out" / "recordings.jsonl.gz")
    lhotse.validate(recordings, read_data=True)
    assert len(recordings) == 1
    spans = {"talk#0": (0, slice(0, 16100)), "talk#1": (1, slice(0, 16100)), "part": (0, slice(8000, 11200))}
    for cut in lhotse.CutSet.from_jsonl(tmp_path / "out" / "cuts.jsonl.gz"):
        channel, span = spans[cut.id]
        np.testing.assert_array_equal(cut.load_audio()[0], wav[span, channel])
        np.testing.assert_array_equal(cut.features.load(), store[cut.id].codes.T)
        loaded = cut.load_features()
        np.testing.assert_array_equal(loaded, store[cut.id].codes.T[: len(loaded)])
        assert len(store[cut.id].codes.T) - len(loaded) <= 1  # a last frame of 100 samples


def read_megatron(prefix: Path) -> list[np.ndarray]:
    """An independent reader of the published index format: documents as arrays."""
    idx = prefix.with_suffix(".idx").read_bytes()
    assert idx[:9] == b"MMIDIDX\0\0"
    version, code, sequences, documents = struct.unpack_from("<QBQQ", idx, 9)
    assert version == 1 and documents == sequences + 1
    at = 34
    lengths = np.frombuffer(idx, "<i4", sequences, at)
    pointers = np.frombuffer(idx, "<i8", sequences, at + 4 * sequences)
    borders = np.frombuffer(idx, "<i8", documents, at + 12 * sequences)
    assert len(idx) == at + 12 * sequences + 8 * documents and borders.tolist() == list(range(documents))
    data, dtype = prefix.with_suffix(".bin").read_bytes(), {8: "<u2", 4: "<i4"}[code]
    return [np.frombuffer(data, dtype, n, p) for n, p in zip(lengths, pointers, strict=True)]


@pytest.mark.parametrize(
    "options",
    [{}, {"order": "coarse-first", "ends": False}, {"base": 128_000, "n_q": 2}],
    ids=["plain", "coarse", "base"],
)
def test_megatron_by_an_independent_reader(store, tmp_path, options):
    export(store, tmp_path / "out", format="megatron", **options)
    view = the_view(tmp_path / "out")
    for ids, item in zip(read_megatron(tmp_path / "out" / "tokens"), store, strict=True):
        assert ids.dtype == (np.int32 if options.get("base") else np.uint16)
        np.testing.assert_array_equal(view.invert(ids), item.codes[: options.get("n_q")])


@pytest.mark.slow
def test_megatron(store, tmp_path):
    indexed = pytest.importorskip("megatron.core.datasets.indexed_dataset")
    for name, options in (("small", {}), ("large", {"base": 128_000})):
        export(store, tmp_path / name, format="megatron", **options)
        view, read = the_view(tmp_path / name), indexed.IndexedDataset(str(tmp_path / name / "tokens"))
        assert len(read) == len(store) and read.document_indices.tolist() == list(range(len(store) + 1))
        for number, item in enumerate(store):
            np.testing.assert_array_equal(view.invert(read[number]), item.codes)


@pytest.mark.parametrize("format", sorted(FORMATS))
def test_an_empty_store_exports_too(tmp_path, format):
    with TokenWriter(tmp_path / "tokens", HEADER):
        pass
    summary = export(TokenStore(tmp_path / "tokens"), tmp_path / "out", format=format)
    assert summary.items == 0 and (tmp_path / "out" / "export.json").exists()


def test_an_export_says_where_it_comes_from(store, tmp_path):
    done = []
    summary = export(store, tmp_path / "out", format="kaldi", progress=lambda *place: done.append(place))
    facts = json.loads((tmp_path / "out" / "export.json").read_text())
    assert facts["store"]["sha256"] == store.hash and facts["store"]["header"]["frame_rate"] == "50"
    assert (summary.items, summary.frames) == (5, sum(LENGTHS)) and done == [(i, 5) for i in range(6)]
    assert summary.size_bytes == sum(path.stat().st_size for path in (tmp_path / "out").iterdir())


def test_only_an_earlier_export_is_ever_replaced(store, tmp_path):
    out = tmp_path / "out"
    export(store, out, format="kaldi")
    with pytest.raises(ConfigError, match="exists already"):
        export(store, out, format="megatron")
    export(store, out, format="megatron", overwrite=True)
    assert (out / "tokens.bin").exists() and not (out / "codes.scp").exists()
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="left as it is"):
        export(store, foreign, format="kaldi", overwrite=True)
    assert (foreign / "thesis.txt").read_text() == "years of work"


def test_an_export_that_fails_leaves_nothing(store, tmp_path):
    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    for format in set(FORMATS) - {"lhotse"}:
        with pytest.raises(KeyboardInterrupt):
            export(store, tmp_path / "out", format=format, progress=stop)
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "hdf5"}, "known are webdataset"),
        ({"format": "kaldi", "base": 3}, "has no option 'base'; it has layout, shard_items"),
        ({"format": "kaldi", "layout": "cube"}, "allowed are matrix, flat"),
        ({"format": "megatron", "order": "delay"}, "allowed are flat, coarse-first"),
        ({"format": "megatron", "n_q": 9}, "codebooks 1 to 3"),
        ({"format": "webdataset", "shard_items": 0}, "1 or more"),
    ],
)
def test_what_no_format_knows_is_refused(store, tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        export(store, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_options_are_listed_with_their_defaults():
    assert options_of("megatron") == {"order": "flat", "ends": True, "base": 0}
