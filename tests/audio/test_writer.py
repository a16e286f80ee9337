import io
import os
import resource
import signal

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from audiocodec.audio.io import read_audio, write_audio
from audiocodec.audio.writer import open_writer
from audiocodec.errors import AudioError, ConfigError, ShapeError

LENGTHS = {0: 8000, 1: 11025, 319: 16000, 320: 44100, 1009: 48000}  # each at a rate of its own


def noise(channels: int, n: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(n).standard_normal((channels, n))).astype(np.float32)


class Pipe(io.BytesIO):
    """Takes bytes in order, nothing else."""

    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize("channels", [1, 2, 3, 8])
@pytest.mark.parametrize("ending", ["wav", "flac", "ogg"])
def test_length_rate_and_channels_come_back(tmp_path, ending, channels):
    for n, rate in LENGTHS.items():
        write_audio(tmp_path / f"a.{ending}", noise(channels, n), rate, overwrite=True)
        wav, read_rate = read_audio(tmp_path / f"a.{ending}")
        assert (wav.shape, read_rate) == ((channels, n), rate)
    assert os.listdir(tmp_path) == [f"a.{ending}"]


@pytest.mark.parametrize(
    ("ending", "sample_format", "step"),
    [("wav", "pcm16", 2**-15), ("wav", "pcm24", 2**-23), ("flac", "pcm16", 2**-15), ("flac", "pcm24", 2**-23)],
)
def test_integers_are_rounded_to_nearest(tmp_path, ending, sample_format, step):
    wav = noise(2, 5000)
    write_audio(tmp_path / f"a.{ending}", wav, 16000, sample_format=sample_format)
    assert np.abs(read_audio(tmp_path / f"a.{ending}")[0] - wav).max() <= step / 2 * 1.001


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-32768, 32767), max_size=50))
def test_16_bit_samples_survive_reading_and_writing_bit_for_bit(values):
    file = io.BytesIO()
    write_audio(file, np.array(values, np.float32) / 32768, 16000)
    assert sf.read(io.BytesIO(file.getvalue()), dtype="int16")[0].tolist() == values


def test_what_exceeds_full_scale_is_clipped_not_wrapped(tmp_path):
    write_audio(tmp_path / "a.wav", np.array([-2.0, -1.0, 1.0, 2.0]), 8000)
    assert sf.read(tmp_path / "a.wav", dtype="int16")[0].tolist() == [-32768, -32768, 32767, 32767]


def test_float_wav_keeps_everything(tmp_path):
    wav = 3 * noise(2, 500)
    write_audio(tmp_path / "a.wav", wav, 8000, sample_format="float32")
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav")[0], wav)


@pytest.mark.parametrize("n_known", [True, False])
@pytest.mark.parametrize("sample_format", ["pcm16", "pcm24", "float32"])
def test_a_pipe_gets_the_samples_that_a_file_gets(sample_format, n_known):
    wav, pipe, file = noise(2, 1009), Pipe(), io.BytesIO()
    with open_writer(pipe, 8000, 2, n_samples=1009 if n_known else None, sample_format=sample_format) as writer:
        writer.write(wav[:, :500])
        writer.write(wav[:, 500:])
    write_audio(file, wav, 8000, sample_format=sample_format)
    piped, rate = sf.read(io.BytesIO(pipe.getvalue()), dtype="float32", always_2d=True)
    assert rate == 8000
    np.testing.assert_array_equal(piped, sf.read(io.BytesIO(file.getvalue()), dtype="float32", always_2d=True)[0])
    assert (b"\xff\xff\xff\xff" in pipe.getvalue()[:44]) != n_known


def test_beyond_4_gib_a_wav_file_becomes_rf64(tmp_path):
    with open_writer(tmp_path / "long.wav", 48000, 2, n_samples=1 << 31) as writer:
        writer.write(noise(2, 10))
    assert sf.info(tmp_path / "long.wav").format == "RF64"


def test_a_wav_file_never_wraps_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr("audiocodec.audio.writer.MAX_BYTES", 10_000)
    with pytest.raises(AudioError, match="at most 4 GiB"), open_writer(tmp_path / "a.wav", 8000, 1) as writer:
        writer.write(noise(1, 6000))
    assert os.listdir(tmp_path) == []


def test_an_error_midway_leaves_nothing_behind(tmp_path):
    for ending in ("wav", "flac", "ogg"):
        with pytest.raises(KeyboardInterrupt), open_writer(tmp_path / f"a.{ending}", 8000, 1) as writer:
            writer.write(noise(1, 9000))
            raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg"])
def test_a_full_disk_is_told_and_leaves_nothing_behind(tmp_path, ending):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
        with pytest.raises(AudioError, match=rf"a\.{ending}: cannot be written"):
            write_audio(tmp_path / f"a.{ending}", noise(2, 60_000), 44100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert os.listdir(tmp_path) == []


def test_what_a_format_cannot_hold_is_refused_with_the_way_out(tmp_path):
    with pytest.raises(AudioError, match=r"cannot write \.mp3; use \.wav, \.flac, \.ogg"):
        write_audio(tmp_path / "a.mp3", noise(1, 10), 8000)
    with pytest.raises(AudioError, match=r"up to 8 channels.*has 9.*write \.wav"):
        write_audio(tmp_path / "a.flac", noise(9, 10), 8000)
    with pytest.raises(AudioError, match="FLAC holds integers"):
        write_audio(tmp_path / "a.flac", noise(1, 10), 8000, sample_format="float32")
    with pytest.raises(ConfigError, match="pcm16, pcm24, float32"):
        write_audio(tmp_path / "a.wav", noise(1, 10), 8000, sample_format="pcm8")
    with pytest.raises(AudioError, match=r"200000 Hz.*and 500000; write \.wav"):
        write_audio(tmp_path / "a.ogg", noise(1, 10), 500_000)
    assert os.listdir(tmp_path) == []


def test_samples_that_are_not_finite_or_misshapen_are_refused(tmp_path):
    with pytest.raises(AudioError, match="not finite"):
        write_audio(tmp_path / "a.wav", np.array([0.0, np.nan]), 8000)
    with pytest.raises(ShapeError, match=r"\[2, n\]"), open_writer(tmp_path / "a.wav", 8000, 2) as writer:
        writer.write(noise(1, 5))
    with pytest.raises(ShapeError, match=r"\[C, L\] or \[L\]"):
        write_audio(tmp_path / "a.wav", np.zeros((1, 1, 5)), 8000)
    assert os.listdir(tmp_path) == []
