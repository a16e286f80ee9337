import io

import pytest
import soundfile as sf

from audiocodec.audio.flac import empty_flac, parse_empty_flac


@pytest.mark.parametrize(("rate", "channels"), [(1, 1), (8000, 1), (44100, 2), (655_350, 8)])
def test_round_trip(rate, channels):
    assert parse_empty_flac(io.BytesIO(empty_flac(rate, channels))) == (rate, channels)


def test_only_a_whole_file_without_audio_counts():
    data = empty_flac(44100, 2)
    assert parse_empty_flac(io.BytesIO(data + b"audio")) is None
    assert parse_empty_flac(io.BytesIO(b"RIFF" + data)) is None
    for length in range(len(data)):
        assert parse_empty_flac(io.BytesIO(data[:length])) is None


def test_a_file_with_samples_is_not_taken_for_an_empty_one():
    file = io.BytesIO()
    sf.write(file, [0.0] * 100, 8000, format="FLAC")
    assert parse_empty_flac(io.BytesIO(file.getvalue())) is None


def test_stream_information_is_laid_out_as_libsndfile_writes_it():
    file = io.BytesIO()
    sf.write(file, [[0.0, 0.0]] * 100, 44100, format="FLAC", subtype="PCM_24")
    theirs, ours = file.getvalue()[8:42], empty_flac(44100, 2, 24)[8:42]
    assert (
        int.from_bytes(theirs[10:18], "big") >> 36 == int.from_bytes(ours[10:18], "big") >> 36
    )  # rate, channels, bits
