"""Finding and calling C libraries of speech codecs through ctypes."""

import ctypes
import os
from ctypes.util import find_library

import numpy as np

from ..systems import MissingError


def load(name: str, *sonames: str, package: str, variable: str | None = None) -> ctypes.CDLL:
    """Load a shared library by its linker name or one of its file names.

    Args:
        name: linker name, `opus` for libopus.
        sonames: file names to try after it.
        package: Debian package that brings it, for the error message.
        variable: environment variable whose value, a path, is used instead when set.
    Returns:
        The loaded library.
    Raises:
        MissingError: none of them loads.
    """
    chosen = os.environ.get(variable, "") if variable else ""
    for candidate in [chosen] if chosen else [find_library(name), *sonames]:
        if candidate:
            try:
                return ctypes.CDLL(candidate)
            except OSError:
                continue
    wanted = chosen or f"lib{name}"
    raise MissingError(f"{wanted} cannot be loaded; on Debian: apt-get install {package}")


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    """Address of a contiguous array, which the caller keeps alive during the call."""
    return array.ctypes.data_as(ctypes.c_void_p)


def padded_frames(pcm: np.ndarray, frame: int, tail: int = 0) -> np.ndarray:
    """[L] int16 as [n, frame] with `tail` zero samples, and those to fill the last frame, appended."""
    return np.pad(pcm, (0, tail + -(len(pcm) + tail) % frame)).reshape(-1, frame)
