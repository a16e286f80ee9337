"""Sound and spectrograms that fit into an HTML page: FLAC and JPEG as data URIs."""

import base64
import io
from functools import cache

import numpy as np
import soundfile
from numpy.typing import NDArray

from ..metrics.base import Signal
from ..metrics.spectral import magnitudes

MAX_WIDTH = 600  # pixels of a spectrogram, one a frame; the page scales it
TOP_DB, RANGE_DB = 30.0, 90.0  # colours run from TOP_DB - RANGE_DB to TOP_DB, the same in every picture


def data_uri(content: bytes, kind: str) -> str:
    """`content` as a data URI of MIME type `kind`."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def flac(signal: Signal, sample_rate: int) -> bytes:
    """[L] float32 as 16-bit FLAC; samples beyond full scale are clipped."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(signal, -1, 1), sample_rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def spectrogram(signal: Signal, sample_rate: int) -> bytes:
    """Picture of a signal's magnitudes, 0 Hz at the bottom to sample_rate / 2 at the top, time to the right.

    Args:
        signal: [L] float32.
        sample_rate: Hz; the window lasts 20 ms.
    Returns:
        JPEG, a column a frame and a row a bin; the colours mean the same level in every picture.
    """
    from matplotlib.image import imsave

    window = int(0.02 * sample_rate) // 2 * 2
    padded = np.pad(signal, (0, max(0, window - len(signal))))
    level_db = 20 * np.log10(np.maximum(magnitudes(padded, window, max(1, len(padded) // MAX_WIDTH)), 1e-6))
    shade = np.clip((level_db[::-1] - TOP_DB + RANGE_DB) / RANGE_DB, 0, 1)
    buffer = io.BytesIO()
    imsave(buffer, _colours()[(shade * 255).astype(np.uint8)], format="jpg", pil_kwargs={"quality": 82})
    return buffer.getvalue()


@cache
def _colours() -> NDArray[np.uint8]:
    """[256, 3] of matplotlib's magma."""
    from matplotlib import colormaps

    return (colormaps["magma"](np.arange(256))[:, :3] * 255).astype(np.uint8)
