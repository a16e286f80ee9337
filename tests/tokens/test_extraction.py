"""Codes of a batch are the codes of each recording alone, whatever lengths, rates and channels come together."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audiocodec.audio.io import read_audio, write_audio
from audiocodec.audio.resample import resample
from audiocodec.errors import AudioError, ConfigError
from audiocodec.tokens import extraction
from audiocodec.tokens.extraction import Extractor, extract, plan_batches
from audiocodec.tokens.requests import Request, find_requests
from tests.test_equality import KINDS
from tests.tiny import make_tiny_codec, make_wav


def alone(codec, wav, rate=16000, n_q=None) -> list[np.ndarray]:
    """What `Codec.encode` says of every channel of wav [C, L]."""
    wav = torch.from_numpy(resample(np.asarray(wav, np.float32), rate, codec.sample_rate))
    return [codec.encode(channel[None, None], n_q)[0].numpy() for channel in wav]


def same(found, expected) -> bool:
    return len(found) == len(expected) and all(
        a.dtype == np.uint16 and np.array_equal(a, b) for a, b in zip(found, expected, strict=True)
    )


@given(
    lengths=st.lists(st.integers(0, 9000), min_size=1, max_size=8),
    batch_seconds=st.sampled_from([0.001, 0.5, 1.0, 100.0]),
    workers=st.integers(0, 2),
)
@settings(max_examples=20, deadline=None)
def test_batches_change_nothing(tiny_codec, lengths, batch_seconds, workers):
    wavs = [make_wav(n / 16000, seed=i)[0] for i, n in enumerate(lengths)]
    found = extract(tiny_codec, wavs, sample_rate=16000, batch_seconds=batch_seconds, decode_workers=workers)
    assert same(found, [alone(tiny_codec, wav)[0] for wav in wavs])


@pytest.mark.parametrize("kind", ["spectral", "seanet"])
def test_both_networks(kind):
    codec = make_tiny_codec(kind)
    wavs = [make_wav(seconds, seed=i)[0] for i, seconds in enumerate((0.3, 2.0, 0.71))]
    assert same(extract(codec, wavs, sample_rate=16000, n_q=2), [alone(codec, wav, n_q=2)[0] for wav in wavs])


@pytest.mark.parametrize("kind", ["numpy float64", "onnx float32"])
def test_codecs_without_torch(kind, tmp_path, monkeypatch):
    codec = KINDS[kind](make_tiny_codec(), tmp_path)
    wavs = [make_wav(seconds, seed=i)[0].numpy() for i, seconds in enumerate((0.3, 2.0, 0.71))]
    expected = [codec.encode(wav[None])[0] for wav in wavs]
    assert same(extract(codec, wavs, sample_rate=16000), expected)
    write_audio(tmp_path / "long.wav", wavs[1], 16000, sample_format="float32")
    monkeypatch.setattr(extraction, "LONG_S", 0.5)
    assert same(extract(codec, tmp_path / "long.wav", batch_seconds=0.5), expected[1:2])


def test_files_of_any_rate_and_channels(tiny_codec, tmp_path):
    stereo = 0.1 * np.random.default_rng(0).standard_normal((2, 22050)).astype(np.float32)
    write_audio(tmp_path / "a.wav", stereo, 22050, sample_format="float32")
    write_audio(tmp_path / "b.flac", make_wav(0.4)[0].numpy(), 16000)
    flac, _ = read_audio(tmp_path / "b.flac")
    expected = [*alone(tiny_codec, stereo, 22050), *alone(tiny_codec, flac)]
    assert same(extract(tiny_codec, tmp_path), expected)
    assert same(extract(tiny_codec, [tmp_path / "a.wav", str(tmp_path / "b.flac")]), expected)
    mixed = extract(tiny_codec, tmp_path / "a.wav", channels="mix")
    assert same(mixed, alone(tiny_codec, stereo.mean(axis=0, keepdims=True), 22050))


def test_long_recordings_are_streamed_to_the_same_codes(tiny_codec, tmp_path, monkeypatch):
    wav = make_wav(3.0)[0].numpy()
    write_audio(tmp_path / "long.wav", np.concatenate([wav, wav[:, ::-1]]), 16000, sample_format="float32")
    whole = extract(tiny_codec, tmp_path / "long.wav")
    monkeypatch.setattr(extraction, "LONG_S", 0.5)
    assert same(extract(tiny_codec, tmp_path / "long.wav", batch_seconds=0.5), whole)


def test_a_stretch_of_a_recording(tiny_codec, tmp_path):
    wav = make_wav(2.0)[0].numpy()
    write_audio(tmp_path / "talk.wav", wav, 16000, sample_format="float32")
    rows = [{"path": "talk.wav", "offset": 0.5, "duration": 0.75}, {"path": "talk.wav", "offset": 1.5}]
    (tmp_path / "cuts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    expected = [*alone(tiny_codec, wav[:, 8000:20000]), *alone(tiny_codec, wav[:, 24000:])]
    assert same(extract(tiny_codec, tmp_path / "cuts.jsonl"), expected)


def test_a_stretch_that_is_not_there(tiny_codec, tmp_path):
    write_audio(tmp_path / "talk.wav", make_wav(1.0)[0].numpy(), 16000)
    past, over = (Request("x", "talk.wav", str(tmp_path / "talk.wav"), 1.0, *cut) for cut in ((2.0, 1.0), (0.5, 1.0)))
    gone, short = Extractor(tiny_codec).run([past, over])
    assert gone.error == "talk.wav: ends at 1.00 s; the stretch starts at 2.00 s"
    assert not short.error and "should end at 1.50 s" in short.recording.notes[0] and short.recording.samples == 8000


def test_one_bad_file_is_named_and_stops_no_other(tiny_codec, tmp_path):
    write_audio(tmp_path / "a.wav", make_wav(0.5)[0].numpy(), 16000)
    (tmp_path / "b.wav").write_bytes(b"RIFF\x10\0\0\0WAVE")
    (tmp_path / "c.flac").write_bytes(b"")
    good, bad, empty = Extractor(tiny_codec).run(list(find_requests([tmp_path])))
    assert same(good.codes, alone(tiny_codec, read_audio(tmp_path / "a.wav")[0]))
    assert bad.error.startswith("b.wav: ") and empty.error.startswith("c.flac: is empty")
    with pytest.raises(AudioError, match=r"b\.wav"):
        extract(tiny_codec, tmp_path)


def test_a_disk_that_fails_for_a_moment_is_asked_again(tiny_codec, tmp_path, monkeypatch):
    write_audio(tmp_path / "a.wav", make_wav(0.5)[0].numpy(), 16000)
    failures = [OSError(5, "Input/output error"), OSError(116, "Stale file handle")]
    real_open = Request.open

    def shaky(self):
        if failures:
            raise AudioError("cannot be read") from failures.pop()
        return real_open(self)

    monkeypatch.setattr(Request, "open", shaky)
    monkeypatch.setattr("audiocodec.tokens.loading._PAUSES_S", (0.0, 0.0))
    assert same(extract(tiny_codec, tmp_path), alone(tiny_codec, read_audio(tmp_path / "a.wav")[0]))
    failures += [OSError(5, "Input/output error")] * 3
    with pytest.raises(OSError, match="cannot be read"):
        extract(tiny_codec, tmp_path)


def test_no_samples_no_frames(tiny_codec, tmp_path):
    write_audio(tmp_path / "empty.wav", np.zeros((1, 0), np.float32), 16000)
    (codes,) = extract(tiny_codec, tmp_path / "empty.wav")
    assert codes.shape == (tiny_codec.n_q, 0) and codes.dtype == np.uint16


@given(seconds=st.lists(st.one_of(st.just(0.0), st.floats(0.01, 100)), max_size=40), batch_seconds=st.floats(0.01, 300))
def test_batches_hold_everything_once_and_no_more_than_allowed(seconds, batch_seconds):
    batches = plan_batches(seconds, batch_seconds)
    assert sorted(n for batch in batches for n in batch) == list(range(len(seconds)))
    for batch in batches:
        longest = max(seconds[n] or 10.0 for n in batch)
        assert len(batch) == 1 or len(batch) * longest <= batch_seconds


def test_wrong_use(tiny_codec, tmp_path):
    with pytest.raises(ConfigError, match="sample_rate"):
        extract(tiny_codec, np.zeros(100, np.float32))
    with pytest.raises(ConfigError, match="no such folder"):
        extract(tiny_codec, tmp_path / "nothing.wav")
    with pytest.raises(ConfigError, match="no recordings"):
        extract(tiny_codec, tmp_path)
    with pytest.raises(ConfigError, match="channels='left'"):
        extract(tiny_codec, np.zeros(100, np.float32), sample_rate=16000, channels="left")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[]", "line 2: expected an object"),
        ("{", "line 2: "),
        ('{"file": "a.wav"}', "line 2: expected a text under path or audio_filepath"),
        ('{"path": "a.wav", "duration": "long"}', "line 2: duration: expected seconds"),
        ('{"path": "a.wav", "offset": -1}', "line 2: offset: expected seconds"),
        ('{"path": "a.wav", "id": 7}', "line 2: id: expected a text"),
    ],
)
def test_malformed_manifests(tmp_path, line, message):
    (tmp_path / "list.jsonl").write_text('{"path": "x.wav", "duration": 1}\n' + line)
    with pytest.raises(ConfigError, match=message):
        list(find_requests([tmp_path / "list.jsonl"]))


def test_manifest_fields_pass_through(tmp_path):
    row = {"audio_filepath": "sub/a.wav", "duration": 1.5, "text": "ça va", "speaker": 7, "tags": ["x"]}
    (tmp_path / "list.jsonl").write_text(json.dumps(row))
    (request,) = find_requests([tmp_path / "list.jsonl"])
    assert (request.id, request.source, request.seconds) == ("sub/a", "sub/a.wav", 1.5)
    assert request.path == str(tmp_path / "sub" / "a.wav") and request.offset is None
    assert request.fields == {"text": "ça va", "speaker": 7, "tags": ["x"]}
    assert Request.from_line(request.to_line()) == request
