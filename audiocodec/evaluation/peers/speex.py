"""Speex wide band through libspeex: 20 ms frames, fixed quality, complexity 5, the decoder's enhancement on."""

import ctypes
from dataclasses import dataclass
from functools import cache

import numpy as np

from ...metrics.base import Signal
from ..systems import Encoded, System, from_pcm16, to_pcm16
from .clib import load, padded_frames, pointer

MODE_WIDEBAND = 1
SET_ENHANCEMENT, SET_QUALITY, SET_COMPLEXITY, GET_VERSION_STRING = 0, 4, 16, 9
FRAME = 320  # samples at 16 kHz
MAX_PACKET = 512  # bytes


class _Bits(ctypes.Structure):
    """SpeexBits of speex_bits.h."""

    _fields_ = [
        ("chars", ctypes.c_void_p),
        ("n_bits", ctypes.c_int),
        ("char_position", ctypes.c_int),
        ("bit_position", ctypes.c_int),
        ("owner", ctypes.c_int),
        ("overflow", ctypes.c_int),
        ("buffer_size", ctypes.c_int),
        ("reserved_1", ctypes.c_int),
        ("reserved_2", ctypes.c_void_p),
    ]


@dataclass(frozen=True)
class Speex(System):
    """Speex at quality 0 to 10; the quality fixes the bitrate (1: 5.8, 2: 7.8, 4: 12.8 kbit/s)."""

    quality: int = 2
    sample_rate: int = 16000
    family = "Speex"

    @property
    def name(self) -> str:
        return f"speex_q{self.quality}"

    def version(self) -> str:
        text = ctypes.c_char_p()
        _library().speex_lib_ctl(GET_VERSION_STRING, ctypes.byref(text))
        return f"libspeex {(text.value or b'of unknown version').decode()}"

    def encode(self, signal: Signal) -> Encoded:
        lib, bits = _library(), _Bits()
        encoder = lib.speex_encoder_init(lib.speex_lib_get_mode(MODE_WIDEBAND))
        lib.speex_bits_init(ctypes.byref(bits))
        try:
            for request, value in ((SET_QUALITY, self.quality), (SET_COMPLEXITY, 5)):
                lib.speex_encoder_ctl(encoder, request, ctypes.byref(ctypes.c_int(value)))
            buffer, packets, n_bits = np.zeros(MAX_PACKET, np.uint8), [], 0
            for block in padded_frames(to_pcm16(signal), FRAME, tail=2 * FRAME):
                lib.speex_bits_reset(ctypes.byref(bits))
                lib.speex_encode_int(encoder, pointer(block), ctypes.byref(bits))
                n_bits += bits.n_bits
                packets.append(
                    buffer[: lib.speex_bits_write(ctypes.byref(bits), pointer(buffer), MAX_PACKET)].tobytes()
                )
        finally:
            lib.speex_bits_destroy(ctypes.byref(bits))
            lib.speex_encoder_destroy(encoder)
        return Encoded(packets, n_bits)

    def decode(self, encoded: Encoded) -> Signal:
        lib, bits = _library(), _Bits()
        decoder = lib.speex_decoder_init(lib.speex_lib_get_mode(MODE_WIDEBAND))
        lib.speex_bits_init(ctypes.byref(bits))
        try:
            lib.speex_decoder_ctl(decoder, SET_ENHANCEMENT, ctypes.byref(ctypes.c_int(1)))
            pcm = np.zeros((len(encoded.payload), FRAME), np.int16)
            for packet, block in zip(encoded.payload, pcm, strict=True):
                lib.speex_bits_read_from(ctypes.byref(bits), packet, len(packet))
                if code := lib.speex_decode_int(decoder, ctypes.byref(bits), pointer(block)):
                    raise RuntimeError(f"libspeex: speex_decode_int returned {code}")
        finally:
            lib.speex_bits_destroy(ctypes.byref(bits))
            lib.speex_decoder_destroy(decoder)
        return from_pcm16(pcm.reshape(-1))


@cache
def _library() -> ctypes.CDLL:
    lib = load("speex", "libspeex.so.1", package="libspeex1")
    handle, integer = ctypes.c_void_p, ctypes.c_int
    lib.speex_lib_get_mode.restype = handle
    for side, integers in (("encoder", "encode_int"), ("decoder", "decode_int")):
        getattr(lib, f"speex_{side}_init").restype = handle
        getattr(lib, f"speex_{side}_init").argtypes = [handle]
        getattr(lib, f"speex_{side}_ctl").argtypes = [handle, integer, handle]
        getattr(lib, f"speex_{side}_destroy").argtypes = [handle]
        getattr(lib, f"speex_{integers}").argtypes = [handle, handle, handle]
    lib.speex_bits_write.argtypes = [handle, handle, integer]
    lib.speex_bits_read_from.argtypes = [handle, ctypes.c_char_p, integer]
    return lib
