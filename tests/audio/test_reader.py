import io
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from audiocodec.audio.io import read_audio
from audiocodec.audio.reader import AudioReader
from audiocodec.errors import AudioError

RATE = 44100


class Pipe(io.BytesIO):
    """What a pipe allows: reading on, nothing else."""

    def seekable(self) -> bool:
        return False

    def seek(self, *args: int) -> int:
        raise io.UnsupportedOperation("seek")

    def tell(self) -> int:
        raise io.UnsupportedOperation("tell")


def noise(n: int, channels: int = 1) -> np.ndarray:
    return (0.1 * np.random.default_rng(n).standard_normal((n, channels))).clip(-1, 1).astype(np.float32)


def make(path: Path, n: int = 20011, channels: int = 2, **options: str) -> Path:
    sf.write(path, noise(n, channels), RATE, **options)
    return path


@pytest.mark.parametrize("how", ["path", "file object", "pipe"])
@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "opus", "mp3"])
def test_every_format_from_everywhere_gives_what_libsndfile_gives(tmp_path, ending, how):
    rate, path = 48000 if ending == "opus" else RATE, tmp_path / f"a.{ending}"
    sf.write(path, noise(20011, 2), rate, **({"format": "OGG", "subtype": "OPUS"} if ending == "opus" else {}))
    expected, _ = sf.read(path, dtype="float32", always_2d=True)
    source = {"path": path, "file object": io.BytesIO(path.read_bytes()), "pipe": Pipe(path.read_bytes())}[how]
    with AudioReader(source) as reader:
        blocks = list(reader.blocks(1000))
        assert (reader.sample_rate, reader.channels, reader.notes) == (rate, 2, [])
    assert {block.shape[1] for block in blocks[:-1]} == {1000} and all(block.flags.c_contiguous for block in blocks)
    wav = np.concatenate(blocks, axis=1)
    assert wav.shape == (2, 20011) and wav.dtype == np.float32
    if ending != "opus" or how != "pipe":  # libsndfile begins Opus in a pipe without pre-roll: 80 ms differ
        np.testing.assert_allclose(wav, expected.T, atol=1e-6)  # block by block, MP3 too: no seeking in between


@pytest.mark.parametrize("channels", [1, 2, 3, 8])
@pytest.mark.parametrize("n", [0, 1, 2, 1009])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAW"])
def test_wav_of_any_kind_and_length(tmp_path, subtype, n, channels):
    wav, rate = read_audio(make(tmp_path / "a.wav", n, channels, subtype=subtype))
    assert wav.shape == (channels, n) and rate == RATE
    np.testing.assert_allclose(wav, noise(n, channels).T, atol=0.02)


def test_mp3_without_a_count_is_read_to_its_end(tmp_path):
    loud_then_quiet = np.concatenate([noise(40_000)[:, 0], np.zeros(80_000)])  # variable rate: guesses go wrong
    sf.write(tmp_path / "a.mp3", loud_then_quiet, 16000, bitrate_mode="VARIABLE")
    data = (tmp_path / "a.mp3").read_bytes()
    second_frame = data.index(data[:2], 4)
    bare = data[second_frame:]
    assert sf.info(io.BytesIO(bare)).frames < 100_000
    wav, _ = read_audio(io.BytesIO(b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + bare))
    assert 120_000 <= wav.shape[1] <= 120_000 + 3 * 1152


def test_wav_from_a_program_that_does_not_know_the_length(tmp_path):
    data = bytearray(make(tmp_path / "a.wav", 5000).read_bytes())
    data[4:8] = data[40:44] = b"\xff" * 4  # what ffmpeg writes into a pipe
    for source in (io.BytesIO(data), Pipe(bytes(data))):
        with AudioReader(source) as reader:
            assert sum(block.shape[1] for block in reader.blocks()) == 5000
            assert reader.notes == []


@pytest.mark.parametrize("kind", [io.BytesIO, Pipe])
def test_wav_cut_short_is_read_and_noted(tmp_path, kind):
    data = make(tmp_path / "a.wav", RATE, 1).read_bytes()
    with AudioReader(kind(data[: 44 + RATE])) as reader:
        assert sum(block.shape[1] for block in reader.blocks()) == RATE // 2
    assert len(reader.notes) == 1 and "promises 1.00 s, the file holds 0.50 s" in reader.notes[0]


def test_wav_of_a_recorder_that_was_stopped_is_noted(tmp_path):
    data = bytearray(make(tmp_path / "a.wav", 500, 1).read_bytes())
    data[40:44] = bytes(4)
    with AudioReader(io.BytesIO(data)) as reader:
        assert list(reader.blocks()) == []
    assert "0 samples but 1000 bytes follow" in reader.notes[0]


def test_flac_cut_short_is_an_error(tmp_path):
    data = make(tmp_path / "a.flac").read_bytes()
    with pytest.raises(AudioError, match="damaged or cut short"):
        read_audio(io.BytesIO(data[: len(data) // 2]))


def test_a_header_that_claims_hours_costs_no_memory(tmp_path):
    data = bytearray(make(tmp_path / "a.wav", 100, 1).read_bytes())
    data[4:8] = data[40:44] = (0x7FFE0000).to_bytes(4, "little")
    wav, _ = read_audio(io.BytesIO(data))
    assert wav.shape == (1, 100)


BAD = {
    "text": b"This is not a recording, only a few words.\n" * 9,
    "empty": b"",
    "two bytes": b"RI",
    "riff without data": b"RIFF\x04\0\0\0WAVE",
    "binary": bytes(range(256)) * 8,
    "anc": b"\x89ANC\r\n" + bytes(99),
    "flac magic only": b"fLaC",
    "zip": b"PK\x03\x04" + bytes(range(200)),
}
SAID = {
    "text": "is a text file",
    "two bytes": "is a text file",
    "flac magic only": "is a text file",
    "empty": r"is empty \(0 bytes\)",
    "anc": "is a compressed .anc file",
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_recording_is_refused_by_name(tmp_path, kind):
    path = tmp_path / "song.wav"
    path.write_bytes(BAD[kind])
    with pytest.raises(AudioError, match=rf"song\.wav: {SAID.get(kind, 'is no recording')}.*readable are WAV, FLAC"):
        AudioReader(path)
    with pytest.raises(AudioError, match="readable are"):
        AudioReader(Pipe(BAD[kind]))


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(AudioError, match=r"nix\.wav: there is no such file"):
        AudioReader(tmp_path / "nix.wav")
    with pytest.raises(AudioError, match="is a folder"):
        AudioReader(tmp_path)
    with pytest.raises(AudioError, match="cannot be read"):
        AudioReader("a\0b.wav")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, 17.0])
def test_samples_that_are_no_sound_are_pointed_at(tmp_path, value):
    wav = noise(3000, 2)
    wav[2205, 1] = value
    sf.write(tmp_path / "a.wav", wav, RATE, subtype="DOUBLE")
    with (
        pytest.raises(AudioError, match=r"a\.wav: sample 2205 \(0\.050 s\) of channel 2 is"),
        AudioReader(tmp_path / "a.wav") as reader,
    ):
        list(reader.blocks(1000))


def test_rates_and_channels_beyond_the_format_are_refused(tmp_path):
    sf.write(tmp_path / "rate.wav", noise(10), 800_000)
    sf.write(tmp_path / "channels.wav", noise(10, 33), 8000)
    with pytest.raises(AudioError, match="sample rate of 800000; allowed are 1 to 768000"):
        AudioReader(tmp_path / "rate.wav")
    with pytest.raises(AudioError, match="channel count of 33; allowed are 1 to 32"):
        AudioReader(tmp_path / "channels.wav")


def test_a_given_file_object_stays_open(tmp_path):
    with open(make(tmp_path / "a.wav"), "rb") as file:
        read_audio(file)
        assert not file.closed


def test_a_named_pipe_is_read(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    source = make(tmp_path / "a.wav", 5000)
    feeder = threading.Thread(target=lambda: (tmp_path / "fifo").write_bytes(source.read_bytes()))
    feeder.start()
    wav, _ = read_audio(tmp_path / "fifo")
    feeder.join()
    assert wav.shape == (2, 5000)


def test_a_reader_that_stops_early_lets_its_feeder_go(tmp_path):
    before = threading.active_count()
    reader = AudioReader(Pipe(make(tmp_path / "a.wav", 500_000).read_bytes()))
    next(reader.blocks(10))
    reader.close()
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and threading.active_count() > before:
            thread.join(timeout=5)
    assert threading.active_count() == before


def test_a_source_that_fails_midway_is_told():
    class Broken(Pipe):
        def read1(self, size: int = -1) -> bytes:
            if not (data := super().read1(min(size, 1000))):
                raise OSError("the network is gone")
            return data

    memory = io.BytesIO()
    sf.write(memory, noise(5000), RATE, format="WAV")
    with pytest.raises(AudioError, match="the network is gone"):
        read_audio(Broken(memory.getvalue()))
