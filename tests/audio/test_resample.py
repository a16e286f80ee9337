import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from audiocodec.audio.resample import ResampleStream, resample, resample_blocks, resampled_length
from audiocodec.errors import AudioError, ShapeError

RATES = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 96000)
LENGTHS = (0, 1, 2, 319, 320, 321, 1009, 4001)


def noise(channels: int, n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((channels, n)).astype(np.float32)


@pytest.mark.parametrize("codec_rate", [16000, 24000, 44100])
@pytest.mark.parametrize("file_rate", RATES)
def test_there_and_back_never_loses_a_sample(file_rate, codec_rate):
    for n in LENGTHS:
        there = resample(noise(1, n), file_rate, codec_rate)
        back = resample(there, codec_rate, file_rate)
        assert there.shape[1] == resampled_length(n, file_rate, codec_rate) == -(-n * codec_rate // file_rate)
        assert back.shape[1] >= n


@settings(max_examples=60, deadline=None)
@given(
    rates=st.tuples(st.integers(1000, 96000), st.integers(1000, 96000)),
    pieces=st.lists(st.integers(0, 700), max_size=12),
    channels=st.integers(1, 3),
)
def test_pieces_of_any_size_give_what_the_whole_gives(rates, pieces, channels):
    wav = noise(channels, sum(pieces))
    stream = ResampleStream(*rates, channels)
    cuts = np.cumsum(pieces[:-1]) if pieces else []
    outs = [stream.push(piece) for piece in np.split(wav, cuts, axis=1)]
    streamed = np.concatenate([*outs, stream.flush()], axis=1)
    assert streamed.shape == (channels, resampled_length(wav.shape[1], *rates))
    np.testing.assert_allclose(streamed, resample(wav, *rates), atol=1e-6)


@pytest.mark.parametrize("rates", [(44100, 16000), (16000, 44100), (8000, 16000), (48000, 16000), (16000, 11025)])
def test_equals_soxr_at_once(rates):
    wav = noise(2, 5003)
    ours, judge = resample(wav, *rates), soxr.resample(wav.T, *rates, quality="HQ").T
    assert 0 <= ours.shape[1] - judge.shape[1] <= 1  # soxr rounds to the nearest length, we round up
    np.testing.assert_allclose(ours[:, : judge.shape[1]], judge, atol=1e-6)


@pytest.mark.parametrize(
    ("rates", "up", "down"), [((48000, 16000), 1, 3), ((16000, 48000), 3, 1), ((8000, 16000), 2, 1)]
)
def test_is_aligned_with_a_polyphase_filter(rates, up, down):
    t = np.arange(4000) / rates[0]
    wav = (np.sin(2 * np.pi * 440 * t) * np.hanning(len(t)))[None].astype(np.float32)
    ours, judge = resample(wav, *rates), resample_poly(wav, up, down, axis=1)
    np.testing.assert_allclose(ours, judge[:, : ours.shape[1]], atol=2e-3)


def test_a_sine_keeps_its_time():
    t = np.arange(44100) / 44100
    ours = resample(np.sin(2 * np.pi * 1000 * t)[None].astype(np.float32), 44100, 16000)
    expected = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    np.testing.assert_allclose(ours[0, 200:-200], expected[200:-200], atol=1e-4)


def test_a_stream_can_be_used_again_after_its_end():
    stream, wav = ResampleStream(44100, 16000, 1), noise(1, 3001)
    first = np.concatenate([stream.push(wav), stream.flush()], axis=1)
    second = np.concatenate([stream.push(wav), stream.flush()], axis=1)
    np.testing.assert_array_equal(first, second)


def test_equal_rates_change_nothing():
    wav = noise(2, 777)
    np.testing.assert_array_equal(resample(wav, 16000, 16000), wav)


def test_blocks_leave_out_what_is_empty():
    blocks = list(resample_blocks(iter([noise(1, 3), noise(1, 5000)]), ResampleStream(48000, 16000, 1)))
    assert all(block.shape[1] for block in blocks)
    assert sum(block.shape[1] for block in blocks) == resampled_length(5003, 48000, 16000)


def test_wrong_shapes_and_rates_are_named():
    with pytest.raises(ShapeError, match=r"\[2, n\].*\[1, 5\]"):
        ResampleStream(8000, 16000, 2).push(noise(1, 5))
    with pytest.raises(ShapeError, match="wav\\[None\\]"):
        resample(np.zeros(5, np.float32), 8000, 16000)
    with pytest.raises(AudioError, match="0"):
        ResampleStream(0, 16000, 1)
