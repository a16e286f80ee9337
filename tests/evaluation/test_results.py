"""Records survive the disk, a crash in the middle of a line, and being replaced."""

from dataclasses import replace

from audiocodec.evaluation.measure import Record
from audiocodec.evaluation.results import Store, read

RECORD = Record(
    "sub/ä.wav", "00ff", "opus_9k", "Opus", "libopus 1", 16000, 1.25, 9000, -2, "waveform", 3, -0.5, 0.9,
    {"stoi@16000hz/1": 0.9, "pesq_wb@16000hz/1": None}, {"pesq_wb@16000hz/1": "silent"}, "", 0.25, 0.125,
)  # fmt: skip


def test_round_trip(tmp_path):
    store = Store(tmp_path / "new")
    store.add(RECORD)
    assert read(store.path) == [RECORD]
    assert Store(tmp_path / "new").records == {("sub/ä.wav", "opus_9k"): RECORD} == store.records


def test_the_last_record_of_a_pair_counts_and_tidying_leaves_only_it(tmp_path):
    store = Store(tmp_path)
    store.add(replace(RECORD, system="z"))
    store.add(RECORD)
    store.add(replace(RECORD, n_bits=1))
    assert len(store.path.read_text().splitlines()) == 3
    store.tidy()
    assert read(store.path) == [replace(RECORD, n_bits=1), replace(RECORD, system="z")]
    assert len(store.path.read_text().splitlines()) == 2


def test_a_line_cut_off_anywhere_is_left_out(tmp_path):
    store = Store(tmp_path)
    store.add(RECORD)
    store.add(replace(RECORD, file="b.wav"))
    whole = store.path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(first, len(whole) - 2, 17):
        store.path.write_bytes(whole[:end])
        assert read(store.path) == [RECORD]


def test_lines_of_another_version_are_read_as_far_as_they_are_known(tmp_path):
    path = tmp_path / "results.jsonl"
    store = Store(tmp_path)
    store.add(RECORD)
    path.write_text(path.read_text().replace('{"file"', '{"mood": "fine", "file"') + '{"file": "lonely"}\n')
    assert read(path) == [RECORD]
