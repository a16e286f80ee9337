"""MP3, AAC and G.722 through the program ffmpeg: what people use today, for orientation."""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ...metrics.base import Signal
from ..systems import Encoded, MissingError, System, from_pcm16, kilo, to_pcm16

ENCODERS = {  # name -> (label, ffmpeg encoder, container)
    "mp3": ("MP3", "libmp3lame", "mp3"),
    "aac": ("AAC", "aac", "adts"),
    "g722": ("G.722", "g722", "g722"),
}


@dataclass(frozen=True)
class Ffmpeg(System):
    """One of ffmpeg's encoders at a bitrate in bit/s; its bits are those of the whole file."""

    codec: str = "mp3"
    bitrate: int = 16000
    sample_rate: int = 16000
    counted = "whole file (MP3 frames, ADTS, raw G.722)"

    @property
    def name(self) -> str:
        return f"{self.codec}_{kilo(self.bitrate)}"

    @property
    def family(self) -> str:  # type: ignore[override]
        return ENCODERS[self.codec][0]

    def version(self) -> str:
        encoder = ENCODERS[self.codec][1]
        if f" {encoder} " not in _encoders():
            raise MissingError(f"this ffmpeg has no encoder {encoder}")
        return _first_line("-version").split(" Copyright")[0]

    def encode(self, signal: Signal) -> Encoded:
        _, encoder, container = ENCODERS[self.codec]
        quiet = ["-write_xing", "0", "-id3v2_version", "0"] if container == "mp3" else []
        options = ["-c:a", encoder, "-b:a", str(self.bitrate), *quiet, "-f", container]
        data = self._run(["-f", "s16le", *self._shape(), "-i", "-", *options], to_pcm16(signal).tobytes(), container)
        return Encoded(data, 8 * len(data))

    def decode(self, encoded: Encoded) -> Signal:
        container = ENCODERS[self.codec][2]
        source = ["-f", "aac" if container == "adts" else container, "-i", "-"]
        pcm = self._run([*source, "-f", "s16le", *self._shape()], encoded.payload, "raw")
        return from_pcm16(np.frombuffer(pcm, np.int16))

    def _shape(self) -> list[str]:
        return ["-ar", str(self.sample_rate), "-ac", "1"]

    def _run(self, arguments: list[str], data: bytes, suffix: str) -> bytes:
        """Run ffmpeg on `data` and give the file that it wrote; a file, since some formats seek back at the end."""
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / f"out.{suffix}"
            done = subprocess.run(
                [_program(), "-v", "error", "-y", *arguments, str(out)], input=data, capture_output=True, check=False
            )
            if done.returncode:
                raise RuntimeError(f"ffmpeg: {done.stderr.decode(errors='replace').strip()[:300]}")
            return out.read_bytes()


def _program() -> str:
    if path := shutil.which("ffmpeg"):
        return path
    raise MissingError("the program ffmpeg is not on the PATH; on Debian: apt-get install ffmpeg")


def _first_line(option: str) -> str:
    return subprocess.run([_program(), option], capture_output=True, text=True, check=True).stdout.split("\n")[0]


@cache
def _encoders() -> str:
    return subprocess.run([_program(), "-v", "error", "-encoders"], capture_output=True, text=True, check=True).stdout
