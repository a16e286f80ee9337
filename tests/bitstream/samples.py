"""What the tests of the file format share: headers, codes, files in memory, and a pipe."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audiocodec.bitstream.container import StreamInfo, write
from audiocodec.bitstream.tables import Tables
from audiocodec.bitstream.train_tables import train_tables


def make_info(**changes: Any) -> StreamInfo:
    """The header of a small file: 4 codebooks of 64 at 50 Hz."""
    settings: dict[str, Any] = {
        "model_name": "speech-16k",
        "weights_sha256": bytes(range(32)),
        "config_sha256": bytes(range(32, 64)),
        "sample_rate": 16_000,
        "hop_length": 320,
        "channels": 1,
        "codebook_sizes": (64,) * 4,
        "original_rate": 16_000,
    }
    return StreamInfo(**(settings | changes))


SPEECH = {"codebook_sizes": (1024,) * 12}
"""The shipped model: 12 codebooks of 1024 at 50 Hz, 6 kbit/s."""


def make_codes(info: StreamInfo, n_frames: int, kind: str = "uniform", seed: int = 0) -> NDArray[np.int64]:
    """Codes [S, K, T]: `uniform`; `skewed`, where small ones are common; `still`, where frames repeat."""
    rng = np.random.default_rng(seed)
    sizes = np.array(info.alphabet_sizes)[:, None]
    shape = (info.n_streams, info.n_q, n_frames)
    if kind == "skewed":
        return (sizes * rng.random(shape) ** 4).astype(np.int64)
    if kind == "still":
        few = rng.integers(0, sizes, (*shape[:2], n_frames // 8 + 1))
        return np.repeat(few, 8, axis=2)[:, :, :n_frames]
    return rng.integers(0, sizes, shape)


def make_markov(n_recordings: int, n_frames: int, size: int = 16, n_q: int = 3, seed: int = 0) -> list[NDArray]:
    """Recordings [K, T] in which a code depends on the one before it and on the one above it."""
    rng = np.random.default_rng(seed)
    recordings = []
    for _ in range(n_recordings):
        codes = np.zeros((n_q, n_frames), dtype=np.int64)
        for k in range(n_q):
            for t in range(1, n_frames):
                step = (0, 0, 1, 2)[rng.integers(4)] if rng.random() < 0.9 else rng.integers(size)
                codes[k, t] = (codes[k, t - 1] + step + (codes[k - 1, t] // 8 if k else 0)) % size
        recordings.append(codes)
    return recordings


def markov_tables() -> Tables:
    """Tables trained on `make_markov`."""
    return train_tables(make_markov(12, 200), (16, 16, 16), packet_frames=50, max_rows=32)


def to_file(info: StreamInfo, codes: NDArray, **options: Any) -> bytes:
    """A whole file."""
    file = io.BytesIO()
    write(file, info, codes, **options)
    return file.getvalue()


class Pipe(io.RawIOBase):
    """A file object that cannot be sought and gives or takes at most a few bytes at a time."""

    def __init__(self, data: bytes = b"", at_once: int = 7):
        super().__init__()
        self.data, self.at_once, self.position = bytearray(data), at_once, 0

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        assert size >= 0, "a reader must not ask a pipe for everything"
        piece = bytes(self.data[self.position : self.position + min(size, self.at_once)])
        self.position += len(piece)
        return piece

    def write(self, data: Any) -> int:
        piece = bytes(data[: self.at_once])
        self.data += piece
        return len(piece)
