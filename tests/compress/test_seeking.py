"""A stretch of a recording equals that of the whole, from no more bytes than it needs; gaps are filled on demand."""

import io

import numpy as np
import pytest
import soundfile as sf

from audiocodec.bitstream.container import Reader, Writer
from audiocodec.bitstream.container import read as read_container
from audiocodec.compress import compress, decompress, decompress_file
from audiocodec.errors import BitstreamError, ConfigError
from tests.compress.test_files import Pipe, noise
from tests.tiny import make_tiny_codec


class Counting(io.BytesIO):
    """Counts the bytes that are read."""

    n_read = 0

    def read(self, size: int = -1) -> bytes:
        data = super().read(size)
        self.n_read += len(data)
        return data


@pytest.fixture(scope="module")
def codecs():
    return {kind: make_tiny_codec(kind) for kind in ("spectral", "seanet")}


@pytest.mark.parametrize("kind", ["spectral", "seanet"])
@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (44100, 2), (8000, 1), (11025, 1)])
def test_a_stretch_equals_that_of_the_whole(codecs, kind, rate, channels):
    codec, seconds = codecs[kind], 14.37
    data = compress(noise(int(seconds * rate), channels), sample_rate=rate, model=codec)
    whole, _ = decompress(data, model=codec)
    for start, duration in ((0, 0.5), (3.3, 1.0), (6.21, 0.01), (9.9999, None), (14.3, 5), (14.37, 1), (2, 0)):
        part, got = decompress(data, model=codec, start=start, duration=duration)
        first = round(start * rate)
        last = whole.shape[1] if duration is None else first + round(duration * rate)
        expected = whole[:, first:last]
        assert (part.shape, got) == (expected.shape, rate), (start, duration)
        np.testing.assert_allclose(part, expected, atol=1e-5)
    piped, _ = decompress(Pipe(data), model=codec, start=6, duration=1)
    np.testing.assert_allclose(piped, whole[:, 6 * rate : 7 * rate], atol=1e-5)


def test_only_what_is_needed_is_read(codecs):
    codec = codecs["spectral"]
    info, _ = read_container(io.BytesIO(compress(noise(8000), sample_rate=16000, model=codec)))
    rng = np.random.default_rng(0)
    file = io.BytesIO()
    with Writer(file, info, entropy=False) as writer:  # an hour: 360 kB at 4 codebooks of 4 bits
        for _ in range(60):
            writer.write(rng.integers(0, 16, (1, 4, 3000)))
        writer.close(3600 * 16000)
    data = file.getvalue()
    assert len(data) > 350_000
    for start in (0.0, 61.5, 1800.0, 3589.0):
        counting = Counting(data)
        wav, _ = decompress(counting, model=codec, start=start, duration=10)
        assert wav.shape == (1, 160_000)
        # header and footer, up to the seek point before (16 KiB and a packet), what is wanted, one packet more
        packet = len(data) / 720
        assert counting.n_read < 2000 + 16_384 + 5 * packet


def test_times_that_cannot_be_are_refused(codecs, tmp_path):
    codec = codecs["spectral"]
    data = compress(noise(16_000), sample_rate=16000, model=codec)
    for source in (data, Pipe(data)):
        with pytest.raises(ConfigError, match=r"ends at 1\.000 s"):
            decompress(source, model=codec, start=1.001)
    for start, duration in ((-1, None), (0, -1), (float("nan"), 1), (0, float("inf"))):
        with pytest.raises(ConfigError, match="seconds from 0 up"):
            decompress(data, model=codec, start=start, duration=duration)


def test_files_of_a_stretch_have_its_length(codecs, tmp_path):
    codec = codecs["spectral"]
    data = compress(noise(3 * 22050, 2), sample_rate=22050, model=codec)
    report = decompress_file(
        io.BytesIO(data), tmp_path / "a.wav", model=codec, start=1.5, duration=0.25, sample_format="float32"
    )
    wav, rate = sf.read(tmp_path / "a.wav", dtype="float32", always_2d=True)
    assert (len(wav), rate, report.seconds) == (round(0.25 * 22050), 22050, round(0.25 * 22050) / 22050)
    np.testing.assert_allclose(wav.T, decompress(data, model=codec, start=1.5, duration=0.25)[0], atol=1e-6)
    decompress_file(io.BytesIO(data), tmp_path / "b.wav", model=codec, start=2.9, duration=60)
    assert sf.info(tmp_path / "b.wav").frames == 3 * 22050 - round(2.9 * 22050)


@pytest.fixture(scope="module")
def damaged(codecs) -> tuple[bytes, bytes]:
    """12 s in packets of 1 s, whole and with a byte of the sixth packet changed."""
    codec = codecs["spectral"]
    info, codes = read_container(io.BytesIO(compress(noise(12 * 16000), sample_rate=16000, model=codec)))
    file = io.BytesIO()
    with Writer(file, info, packet_frames=50) as writer:
        writer.write(codes)
    data = file.getvalue()
    starts = [i for i in range(len(data)) if data[i : i + 2] == b"\xf1\x9a"]
    bad = bytearray(data)
    bad[starts[5] + 20] ^= 4
    return data, bytes(bad)


def test_damage_is_refused_or_concealed_on_demand(codecs, damaged, tmp_path):
    codec, (good, bad) = codecs["spectral"], damaged
    with pytest.raises(BitstreamError):
        decompress(bad, model=codec)
    whole, _ = decompress(good, model=codec)
    filled, _ = decompress(bad, model=codec, conceal=True)
    assert filled.shape == whole.shape and np.isfinite(filled).all()
    np.testing.assert_allclose(filled[:, : 5 * 16000 - 320], whole[:, : 5 * 16000 - 320], atol=1e-5)
    np.testing.assert_allclose(filled[:, 7 * 16000 :], whole[:, 7 * 16000 :], atol=1e-4)
    assert np.abs(filled[:, 88_000:95_000]).max() < np.abs(whole).max()
    np.testing.assert_allclose(decompress(good, model=codec, conceal=True)[0], whole, atol=1e-6)
    report = decompress_file(io.BytesIO(bad), tmp_path / "a.wav", model=codec, conceal=True)
    assert len(report.notes) == 1 and "5.00 to 6.00 s are filled" in report.notes[0]


def test_a_stretch_beside_the_damage_is_none_of_its_business(codecs, damaged):
    codec, (good, bad) = codecs["spectral"], damaged
    whole, _ = decompress(good, model=codec)
    np.testing.assert_allclose(decompress(bad, model=codec, duration=4)[0], whole[:, :64_000], atol=1e-5)
    part, _ = decompress(bad, model=codec, start=4.5, duration=2, conceal=True)
    assert part.shape == (1, 32_000)


def test_a_file_cut_off_gives_what_is_there(codecs, damaged):
    codec, (good, _) = codecs["spectral"], damaged
    whole, _ = decompress(good, model=codec)
    cut = good[: len(good) // 2]
    wav, _ = decompress(cut, model=codec, conceal=True)
    assert 5 * 16000 <= wav.shape[1] < whole.shape[1]
    np.testing.assert_allclose(wav[:, :-640], whole[:, : wav.shape[1] - 640], atol=1e-4)


def test_marked_gaps_are_concealed(codecs):
    codec = codecs["spectral"]
    info, codes = read_container(io.BytesIO(compress(noise(16_000), sample_rate=16000, model=codec)))
    file = io.BytesIO()
    with Writer(file, info) as writer:
        writer.write(codes[:, :, :20])
        writer.skip(1000)
        writer.write(codes[:, :, 20:])
        writer.close(1050 * 320)
    assert Reader(io.BytesIO(file.getvalue())).n_frames == 1050
    with pytest.raises(BitstreamError, match="marked as lost"):
        decompress(file.getvalue(), model=codec)
    assert decompress(file.getvalue(), model=codec, conceal=True)[0].shape == (1, 1050 * 320)
