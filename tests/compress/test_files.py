"""compress, decompress and their file twins: what comes back, what is refused, what is left behind."""

import io
import math
import os
import sys
import tracemalloc

import numpy as np
import pytest
import soundfile as sf
import torch

import audiocodec
from audiocodec.audio.io import read_audio, write_audio
from audiocodec.audio.resample import resample
from audiocodec.bitstream.container import Reader
from audiocodec.bitstream.container import read as read_container
from audiocodec.codec import Codec
from audiocodec.compress import compress, compress_file, decompress, decompress_file
from audiocodec.compress import decoding as decoding_module
from audiocodec.compress import streams as streams_module
from audiocodec.config.codec import CodecConfig
from audiocodec.config.quantizer import QuantizerConfig
from audiocodec.errors import AudioError, BitstreamError, ConfigError, ModelMismatchError, ShapeError
from audiocodec.nn.denormals import denormals_flushed
from tests.tiny import TINY

HOP = 320
RATES = (8000, 11025, 16000, 22050, 44100, 48000)


def noise(n: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal((channels, n))).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("rate", RATES)
def test_length_rate_and_channels_come_back(tiny_codec, rate, channels):
    for n in (0, 1, HOP - 1, HOP, HOP + 1, 997, 2003):
        wav, got_rate = decompress(compress(noise(n, channels), sample_rate=rate, model=tiny_codec), model=tiny_codec)
        assert (wav.shape, wav.dtype, got_rate) == ((channels, n), np.float32, rate)
        assert np.isfinite(wav).all()


def test_codes_and_audio_are_those_of_the_codec_itself(tiny_codec):
    wav = noise(20_000, channels=2)
    data = compress(wav, sample_rate=16000, model=tiny_codec)
    codes = tiny_codec.encode(torch.from_numpy(wav)[:, None])
    info, stored = read_container(io.BytesIO(data))
    np.testing.assert_array_equal(stored, codes.numpy())
    assert (info.original_samples, info.original_rate, info.channels) == (20_000, 16000, 2)
    expected = tiny_codec.decode(codes, length=20_000)[:, 0].numpy()
    np.testing.assert_allclose(decompress(data, model=tiny_codec)[0], expected, atol=1e-5)


@pytest.mark.parametrize("rate", [8000, 44100])
def test_other_rates_are_resampled_there_and_back_without_a_shift(tiny_codec, rate):
    wav = noise(3 * rate + 7)
    codes = tiny_codec.encode(torch.from_numpy(resample(wav, rate, 16000))[None])
    expected = resample(tiny_codec.decode(codes)[0].numpy(), 16000, rate)[:, : wav.shape[1]]
    decoded, _ = decompress(compress(wav, sample_rate=rate, model=tiny_codec), model=tiny_codec)
    np.testing.assert_allclose(decoded, expected, atol=1e-5)


def test_a_stereo_codec_takes_any_number_of_channels():
    torch.manual_seed(0)
    quantizer = QuantizerConfig(n_q=2, codebook_size=16)
    codec = Codec(CodecConfig(sample_rate=16000, channels=2, network=TINY["seanet"], quantizer=quantizer)).eval()
    for channels in (1, 2, 3):
        wav = noise(5000, channels)
        data = compress(wav, sample_rate=16000, model=codec)
        assert Reader(io.BytesIO(data)).info.n_streams == -(-channels // 2)
        decoded, _ = decompress(data, model=codec)
        assert decoded.shape == wav.shape
    paired = torch.from_numpy(noise(5000, 3)[[0, 1, 2, 2]].reshape(2, 2, -1))  # the third stands in for a fourth
    expected = codec.decode(codec.encode(paired), length=5000).flatten(0, 1)[:3].numpy()
    np.testing.assert_allclose(decoded, expected, atol=1e-5)


def test_every_kind_of_source_gives_the_same_bytes(tiny_codec, tmp_path):
    wav = np.round(noise(9001) * 32768) / 32768
    path, pipe = tmp_path / "a.wav", io.BytesIO()
    write_audio(path, wav, 22050)
    write_audio(pipe, wav, 22050)
    expected = compress(wav.astype(np.float32), sample_rate=22050, model=tiny_codec)
    sources = [path, str(path), io.BytesIO(path.read_bytes()), path.read_bytes()]
    assert all(compress(source, model=tiny_codec) == expected for source in sources)
    arrays = [wav[0], wav.astype(np.float64), torch.from_numpy(wav)]
    assert all(compress(array, sample_rate=22050, model=tiny_codec) == expected for array in arrays)
    report = compress_file(path, tmp_path / "a.anc", model=tiny_codec)
    assert (tmp_path / "a.anc").read_bytes() == expected
    assert report.n_bytes == len(expected) and report.bitrate == len(expected) * 8 / (9001 / 22050)
    sources = [expected, tmp_path / "a.anc", io.BytesIO(expected)]
    decoded = [decompress(source, model=tiny_codec)[0] for source in sources]
    assert all(np.array_equal(decoded[0], other) for other in decoded[1:])
    decompress_file(tmp_path / "a.anc", tmp_path / "b.wav", model=tiny_codec, sample_format="float32")
    np.testing.assert_array_equal(read_audio(tmp_path / "b.wav")[0], decoded[0])


def test_blocks_do_not_show(tiny_codec, monkeypatch):
    wav = noise(40_000)
    whole = compress(wav, sample_rate=44100, model=tiny_codec)
    monkeypatch.setattr("audiocodec.audio.reader.BLOCK_VALUES", 1234)
    assert compress(wav, sample_rate=44100, model=tiny_codec) == whole
    decoded, _ = decompress(whole, model=tiny_codec)
    monkeypatch.setattr(decoding_module, "BLOCK_FRAMES", 3)
    np.testing.assert_allclose(decompress(whole, model=tiny_codec)[0], decoded, atol=1e-5)


def test_a_folder_says_which_model_made_a_file(tiny_codec, tmp_path):
    tiny_codec.save_pretrained(tmp_path / "mine")
    data = compress(noise(1000), sample_rate=16000, model=tmp_path / "mine", n_q=2, tags={"title": "x"})
    info = Reader(io.BytesIO(data)).info
    assert (info.model_name, info.n_q, info.tags) == ("mine", 2, {"title": "x"})
    assert decompress(data, model=str(tmp_path / "mine"))[0].shape == (1, 1000)


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg"])
@pytest.mark.parametrize("n", [0, 1, 5000])
def test_files_of_every_format(tiny_codec, tmp_path, ending, n):
    write_audio(tmp_path / f"in.{ending}", noise(n, 2), 44100)
    seen = []
    compress_file(tmp_path / f"in.{ending}", tmp_path / "a.anc", model=tiny_codec, progress=lambda *at: seen.append(at))
    report = decompress_file(tmp_path / "a.anc", tmp_path / f"out.{ending}", model=tiny_codec)
    wav, rate = read_audio(tmp_path / f"out.{ending}")
    assert (wav.shape, rate) == ((2, n), 44100)
    assert (report.seconds, report.channels, report.sample_rate) == (n / 44100, 2, 44100)
    assert math.isnan(report.bitrate) == (n == 0)
    assert seen[-1:] == ([(n / 44100, n / 44100)] if n else [])
    assert sorted(os.listdir(tmp_path)) == sorted(["a.anc", f"in.{ending}", f"out.{ending}"])


class Pipe(io.BytesIO):
    def seekable(self) -> bool:
        return False

    def seek(self, *args: int) -> int:
        raise io.UnsupportedOperation("seek")

    def tell(self) -> int:
        raise io.UnsupportedOperation("tell")


def test_pipes_give_what_files_give(tiny_codec, tmp_path):
    write_audio(tmp_path / "a.flac", noise(30_000, 2), 44100)
    through, back = Pipe(), Pipe()
    compress_file(Pipe((tmp_path / "a.flac").read_bytes()), through, model=tiny_codec)
    assert through.getvalue() == compress(tmp_path / "a.flac", model=tiny_codec)
    report = decompress_file(Pipe(through.getvalue()), back, model=tiny_codec, sample_format="float32")
    assert report.n_bytes == len(through.getvalue())
    wav, rate = sf.read(io.BytesIO(back.getvalue()), dtype="float32", always_2d=True)
    assert rate == 44100
    np.testing.assert_array_equal(wav.T, decompress(through.getvalue(), model=tiny_codec)[0])


def test_memory_does_not_grow_with_length(tiny_codec, tmp_path, monkeypatch):
    monkeypatch.setattr("audiocodec.audio.reader.BLOCK_SECONDS", 1)
    monkeypatch.setattr(decoding_module, "BLOCK_FRAMES", 50)

    def peak_bytes(seconds: int) -> int:
        with sf.SoundFile(tmp_path / "a.wav", "w", 16000, 1) as file:
            for _ in range(seconds):
                file.write(noise(16000)[0])
        tracemalloc.start()  # counts what numpy and Python hold, not what torch does: see the next test
        compress_file(tmp_path / "a.wav", tmp_path / "a.anc", model=tiny_codec, overwrite=True)
        decompress_file(tmp_path / "a.anc", tmp_path / "b.wav", model=tiny_codec, overwrite=True)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(1)  # caches fill
    short, long = peak_bytes(6), peak_bytes(18)
    assert long < 1.2 * short and long < 18 * 16000 * 4  # less than the samples alone


def test_the_network_never_sees_more_than_some_seconds(tiny_codec, monkeypatch):
    pushed, decoded = [], []
    encoder, decoder = streams_module.StreamingEncoder, decoding_module.StreamingDecoder
    push, pull = encoder.push, decoder.push
    monkeypatch.setattr(encoder, "push", lambda self, wav: pushed.append(wav.shape[-1]) or push(self, wav))
    monkeypatch.setattr(decoder, "push", lambda self, codes: decoded.append(codes.shape[-1]) or pull(self, codes))
    decompress(compress(noise(25 * 16000), sample_rate=16000, model=tiny_codec), model=tiny_codec)
    assert max(pushed) <= 10 * 16000 and sum(pushed) >= 25 * 16000
    assert max(decoded) <= 512 and sum(decoded) == 1250


def test_near_silence_is_not_slow_and_the_thread_is_left_as_it_was(tiny_codec):
    def keeps_denormals() -> bool:
        return bool(torch.full((8,), 1e-40).mul(1.0).any())

    assert keeps_denormals()
    with denormals_flushed():
        assert not keeps_denormals()
        with denormals_flushed():
            pass
        assert not keeps_denormals()  # the inner block does not end the outer one's wish
    assert keeps_denormals()
    with pytest.raises(AudioError):
        compress(np.array([np.nan], np.float32), sample_rate=16000, model=tiny_codec)
    assert keeps_denormals()


def test_truncated_files_are_refused_at_every_byte(tiny_codec):
    data = compress(noise(3000), sample_rate=16000, model=tiny_codec)
    for length in range(len(data)):
        with pytest.raises(BitstreamError):
            decompress(data[:length], model=tiny_codec)


def test_flipped_bits_are_refused(tiny_codec, tmp_path):
    data = compress(noise(3000), sample_rate=16000, model=tiny_codec)
    for i in range(0, 8 * len(data), 5):
        bad = bytearray(data)
        bad[i // 8] ^= 1 << i % 8
        with pytest.raises((BitstreamError, ModelMismatchError)):
            decompress(bytes(bad), model=tiny_codec)
    (tmp_path / "bad.anc").write_bytes(bad)
    with pytest.raises(BitstreamError, match=r"bad\.anc: "):
        decompress_file(tmp_path / "bad.anc", tmp_path / "out.wav", model=tiny_codec)
    assert os.listdir(tmp_path) == ["bad.anc"]


def test_damage_in_the_middle_leaves_no_half_written_file(tiny_codec, tmp_path):
    data = bytearray(compress(noise(12 * 16000), sample_rate=16000, model=tiny_codec))
    data[-200] ^= 1
    (tmp_path / "a.anc").write_bytes(data)
    (tmp_path / "old.wav").write_bytes(b"old")
    with pytest.raises(BitstreamError, match=r"a\.anc"):
        decompress_file(tmp_path / "a.anc", tmp_path / "old.wav", model=tiny_codec, overwrite=True)
    assert (tmp_path / "old.wav").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["a.anc", "old.wav"]


def test_bad_recordings_leave_nothing_behind(tiny_codec, tmp_path):
    wav = noise(60_000)
    wav[0, 50_000] = np.nan
    sf.write(tmp_path / "nan.wav", wav.T, 16000, subtype="FLOAT")
    (tmp_path / "text.wav").write_text("not a recording")
    for name in ("nan.wav", "text.wav", "missing.wav"):
        with pytest.raises(AudioError, match=name.replace(".", r"\.")):
            compress_file(tmp_path / name, tmp_path / "out.anc", model=tiny_codec)
    assert sorted(os.listdir(tmp_path)) == ["nan.wav", "text.wav"]


def test_targets_are_checked_before_any_work(tiny_codec, tmp_path):
    write_audio(tmp_path / "a.wav", noise(100), 16000)
    compress_file(tmp_path / "a.wav", tmp_path / "a.anc", model=tiny_codec)
    with pytest.raises(AudioError, match=r"a\.anc: exists already"):
        compress_file(tmp_path / "a.wav", tmp_path / "a.anc", model="no such model")
    with pytest.raises(AudioError, match="does not exist"):
        compress_file(tmp_path / "a.wav", tmp_path / "none" / "a.anc", model="no such model")
    with pytest.raises(AudioError, match="is the input itself"):
        compress_file(tmp_path / "a.wav", tmp_path / "a.wav", model="no such model", overwrite=True)
    with pytest.raises(AudioError, match=r"cannot write \.mp3"):
        decompress_file(tmp_path / "a.anc", tmp_path / "a.mp3", model="no such model")
    with pytest.raises(AudioError, match=r"a\.wav: exists already"):
        decompress_file(tmp_path / "a.anc", tmp_path / "a.wav", model="no such model")


def test_wrong_arguments_are_explained(tiny_codec, tmp_path):
    write_audio(tmp_path / "a.wav", noise(100), 16000)
    with pytest.raises(ConfigError, match="give sample_rate"):
        compress(noise(100), model=tiny_codec)
    with pytest.raises(ConfigError, match="leave sample_rate out"):
        compress(tmp_path / "a.wav", sample_rate=16000, model=tiny_codec)
    with pytest.raises(ShapeError, match=r"\[C, L\].*\[100, 2\]"):
        compress(noise(100, 2).T, sample_rate=16000, model=tiny_codec)
    with pytest.raises(AudioError, match=r"float with full scale 1, got int16"):
        compress(np.zeros(100, np.int16), sample_rate=16000, model=tiny_codec)
    with pytest.raises(AudioError, match="sample rate of 0"):
        compress(noise(100), sample_rate=0, model=tiny_codec)


def test_the_public_name_is_the_function_whatever_is_imported_first():
    module = sys.modules["audiocodec.compress"]
    assert module.compress_file is compress_file
    audiocodec.compress = module  # what the import system does after the first import of the submodule
    assert audiocodec.compress is compress and audiocodec.decompress is decompress
