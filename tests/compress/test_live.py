"""Live pipes: packets come out while the recording still goes on, and samples while packets still come."""

import os
import threading

import numpy as np
import pytest

from audiocodec.audio.wav import wav_header
from audiocodec.bitstream.container import Reader
from audiocodec.compress import compress_file, decompress_file
from audiocodec.errors import ConfigError
from tests.compress.test_files import noise

SECOND = 16_000


def test_sound_comes_out_while_it_still_goes_in(tiny_codec):
    (mic_out, mic_in), (net_out, net_in), (ear_out, ear_in) = (os.pipe() for _ in range(3))
    failures = []

    def run(function, source, target, **options) -> None:
        try:
            with open(source, "rb") as reading, open(target, "wb") as writing:
                function(reading, writing, model=tiny_codec, **options)
        except Exception as error:  # told below, not lost in a thread
            failures.append(error)

    sender = threading.Thread(target=run, args=(compress_file, mic_out, net_in), kwargs={"packet_seconds": 0.1})
    receiver = threading.Thread(target=run, args=(decompress_file, net_out, ear_in))
    sender.start(), receiver.start()
    samples = (np.clip(noise(4 * SECOND)[0], -1, 1) * 32767).astype("<i2").tobytes()
    with open(mic_in, "wb", buffering=0) as microphone, open(ear_out, "rb", buffering=0) as ear:
        header = wav_header(SECOND, 1, 2, is_float=False, n_samples=None)
        microphone.write(header + samples[: 4 * SECOND])  # two seconds, and then nothing more for now
        heard = b""
        while len(heard) < len(header) + 2 * SECOND:  # one second: would never end if anything waited for all
            heard += ear.read(65_536)
        microphone.write(samples[4 * SECOND :])
        microphone.close()
        while piece := ear.read(65_536):
            heard += piece
    sender.join(), receiver.join()
    assert not failures
    assert len(heard) == len(header) + len(samples)


def test_packets_are_as_long_as_asked(tiny_codec, tmp_path):
    from audiocodec.audio.io import write_audio

    write_audio(tmp_path / "a.wav", noise(3 * 22050), 22050)
    compress_file(tmp_path / "a.wav", tmp_path / "a.anc", model=tiny_codec, packet_seconds=0.5)
    compress_file(tmp_path / "a.wav", tmp_path / "b.anc", model=tiny_codec)
    with open(tmp_path / "a.anc", "rb") as short, open(tmp_path / "b.anc", "rb") as plain:
        reader, whole = Reader(short), Reader(plain)
        lengths = [packet.n_frames for packet in reader.packets()]
        assert sum(lengths) == 150 and len(lengths) >= 6 and max(lengths) <= 26
        short.seek(0)
        codes = np.concatenate(list(Reader(short)), axis=2)
        assert (codes == np.concatenate(list(whole), axis=2)).all()
    with pytest.raises(ConfigError, match="packet_frames"):
        compress_file(tmp_path / "a.wav", tmp_path / "c.anc", model=tiny_codec, packet_seconds=1e5)
