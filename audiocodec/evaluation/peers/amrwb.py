"""AMR-WB (3GPP TS 26.190) through vo-amrwbenc and opencore-amrwb, 20 ms frames, no discontinuous transmission."""

import ctypes
from dataclasses import dataclass
from functools import cache

import numpy as np

from ...metrics.base import Signal
from ..systems import Encoded, System, from_pcm16, kilo, to_pcm16
from .clib import load, padded_frames, pointer

BITRATES = (6600, 8850, 12650, 14250, 15850, 18250, 19850, 23050, 23850)  # bit/s of modes 0 to 8
FRAME = 320  # samples at 16 kHz
MAX_FRAME_BYTES = 64


@dataclass(frozen=True)
class AmrWb(System):
    """AMR-WB in one of its nine modes, named by bitrate in bit/s; bits are the mode's speech bits, as transmitted."""

    bitrate: int = 6600
    sample_rate: int = 16000
    family = "AMR-WB"

    @property
    def name(self) -> str:
        return f"amrwb_{kilo(self.bitrate)}"

    def version(self) -> str:
        _encoder_library(), _decoder_library()
        return "libvo-amrwbenc.so.0 and libopencore-amrwb.so.0"  # they do not tell their version

    def encode(self, signal: Signal) -> Encoded:
        lib, mode = _encoder_library(), BITRATES.index(self.bitrate)
        encoder = lib.E_IF_init()
        try:
            buffer, packets = np.zeros(MAX_FRAME_BYTES, np.uint8), []
            for block in padded_frames(to_pcm16(signal), FRAME, tail=FRAME):
                n_bytes = lib.E_IF_encode(encoder, mode, pointer(block), pointer(buffer), 0)
                if n_bytes <= 0:
                    raise RuntimeError(f"vo-amrwbenc: E_IF_encode returned {n_bytes}")
                packets.append(buffer[:n_bytes].tobytes())
        finally:
            lib.E_IF_exit(encoder)
        return Encoded(packets, len(packets) * self.bitrate // 50)

    def decode(self, encoded: Encoded) -> Signal:
        lib = _decoder_library()
        decoder = lib.D_IF_init()
        try:
            pcm = np.zeros((len(encoded.payload), FRAME), np.int16)
            for packet, block in zip(encoded.payload, pcm, strict=True):
                lib.D_IF_decode(decoder, packet, pointer(block), 0)
        finally:
            lib.D_IF_exit(decoder)
        return from_pcm16(pcm.reshape(-1))


@cache
def _encoder_library() -> ctypes.CDLL:
    lib = load("vo-amrwbenc", "libvo-amrwbenc.so.0", package="libvo-amrwbenc0")
    handle, integer = ctypes.c_void_p, ctypes.c_int
    lib.E_IF_init.restype = handle
    lib.E_IF_encode.argtypes = [handle, integer, handle, handle, integer]
    lib.E_IF_exit.argtypes = [handle]
    return lib


@cache
def _decoder_library() -> ctypes.CDLL:
    lib = load("opencore-amrwb", "libopencore-amrwb.so.0", package="libopencore-amrwb0")
    handle = ctypes.c_void_p
    lib.D_IF_init.restype = handle
    lib.D_IF_decode.argtypes = [handle, ctypes.c_char_p, handle, ctypes.c_int]
    lib.D_IF_exit.argtypes = [handle]
    return lib
