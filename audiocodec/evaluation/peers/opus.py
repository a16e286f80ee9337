"""Opus through libopus: 20 ms frames, VOIP application, complexity 10, variable bitrate.

libopus 1.5 and later can be built with neural post-filters in the decoder: LACE at complexity 6, NoLACE at 7. They act
on wideband speech, so not at 6 kbit/s, where the encoder chooses narrow band by itself. Set AUDIOCODEC_LIBOPUS to the
path of such a library where the system's own is older.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ...metrics.base import Signal
from ..systems import Encoded, MissingError, System, from_pcm16, kilo, to_pcm16
from .clib import load, padded_frames, pointer

APPLICATION_VOIP = 2048
SET_BITRATE, SET_VBR, SET_BANDWIDTH, SET_COMPLEXITY, SET_SIGNAL, GET_LOOKAHEAD = 4002, 4006, 4008, 4010, 4024, 4027
BANDWIDTH_WIDEBAND, SIGNAL_VOICE = 1103, 3001
POST_FILTERS = {"": 0, "lace": 6, "nolace": 7}  # name -> decoder complexity; 0 switches every post-filter off
DEEP_CONCEALMENT = 5  # decoder complexity from which lost packets are concealed by a network
MAX_PACKET = 1500  # bytes; RFC 6716 allows 1275 for one frame


@dataclass(frozen=True)
class Opus(System):
    """libopus at a target bitrate in bit/s; `wideband` forbids narrow band, `post_filter` needs libopus 1.5."""

    bitrate: int = 9000
    wideband: bool = False
    post_filter: str = ""
    sample_rate: int = 16000

    @property
    def name(self) -> str:
        return "_".join(filter(None, ["opus", kilo(self.bitrate), "wb" if self.wideband else "", self.post_filter]))

    @property
    def family(self) -> str:  # type: ignore[override]
        parts = ["Opus", self.post_filter.upper().replace("NOLACE", "NoLACE"), "wide band" if self.wideband else ""]
        return " ".join(filter(None, parts))

    def version(self) -> str:
        text = _library().opus_get_version_string().decode()
        if self.post_filter and not _has_post_filters():
            raise MissingError(
                f"{text} has no neural post-filter; set AUDIOCODEC_LIBOPUS to a libopus 1.5 or later built with it"
            )
        return text

    def encode(self, signal: Signal) -> Encoded:
        lib, frame = _library(), self.sample_rate // 50
        error = ctypes.c_int()
        encoder = lib.opus_encoder_create(self.sample_rate, 1, APPLICATION_VOIP, ctypes.byref(error))
        _check(error.value, "opus_encoder_create")
        try:
            settings = {SET_BITRATE: self.bitrate, SET_COMPLEXITY: 10, SET_VBR: 1, SET_SIGNAL: SIGNAL_VOICE}
            if self.wideband:
                settings[SET_BANDWIDTH] = BANDWIDTH_WIDEBAND
            for request, value in settings.items():
                _check(lib.opus_encoder_ctl(encoder, request, ctypes.c_int(value)), f"opus_encoder_ctl {request}")
            lookahead = ctypes.c_int()
            _check(lib.opus_encoder_ctl(encoder, GET_LOOKAHEAD, ctypes.byref(lookahead)), "OPUS_GET_LOOKAHEAD")
            buffer, packets = np.zeros(MAX_PACKET, np.uint8), []
            for block in padded_frames(to_pcm16(signal), frame, lookahead.value):
                n_bytes = lib.opus_encode(encoder, pointer(block), frame, pointer(buffer), MAX_PACKET)
                packets.append(buffer[: _check(n_bytes, "opus_encode")].tobytes())
        finally:
            lib.opus_encoder_destroy(encoder)
        return Encoded((packets, lookahead.value), 8 * sum(map(len, packets)))

    def decode(self, encoded: Encoded) -> Signal:
        packets, lookahead = encoded.payload
        pcm = _decode(packets, self.sample_rate, POST_FILTERS[self.post_filter])
        return from_pcm16(pcm[lookahead:])

    def decode_lossy(self, encoded: Encoded, lost: NDArray[np.bool_], deep: bool = False) -> Signal:
        """Decode what a channel left over; libopus conceals the rest.

        Args:
            encoded: from `encode`.
            lost: [at least the number of packets] which of them are missing.
            deep: by the neural concealment of libopus 1.5 and later, built with it.
        """
        packets, lookahead = encoded.payload
        left = [None if gone else packet for packet, gone in zip(packets, lost, strict=False)]
        return from_pcm16(_decode(left, self.sample_rate, DEEP_CONCEALMENT if deep else 0)[lookahead:])


def _decode(packets: Sequence[bytes | None], sample_rate: int, complexity: int) -> np.ndarray:
    """[frames * 20 ms] int16; None is a lost packet.

    Decoders before 1.5 have no complexity to set, so 0, the default, is left alone.
    """
    lib, frame = _library(), sample_rate // 50
    error = ctypes.c_int()
    decoder = lib.opus_decoder_create(sample_rate, 1, ctypes.byref(error))
    _check(error.value, "opus_decoder_create")
    try:
        if complexity:
            _check(lib.opus_decoder_ctl(decoder, SET_COMPLEXITY, ctypes.c_int(complexity)), "decoder complexity")
        pcm = np.zeros((len(packets), frame), np.int16)
        for packet, block in zip(packets, pcm, strict=True):
            _check(lib.opus_decode(decoder, packet, len(packet or b""), pointer(block), frame, 0), "opus_decode")
    finally:
        lib.opus_decoder_destroy(decoder)
    return pcm.reshape(-1)


@cache
def _library() -> ctypes.CDLL:
    """libopus with its signatures; control calls are variadic, so only their fixed arguments are declared."""
    lib = load("opus", "libopus.so.0", package="libopus0", variable="AUDIOCODEC_LIBOPUS")
    handle, integer, data = ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p
    lib.opus_get_version_string.restype = ctypes.c_char_p
    for side in ("encoder", "decoder"):
        getattr(lib, f"opus_{side}_create").restype = handle
        getattr(lib, f"opus_{side}_ctl").argtypes = [handle, integer]
        getattr(lib, f"opus_{side}_destroy").argtypes = [handle]
        getattr(lib, f"opus_{side}_destroy").restype = None
    lib.opus_encoder_create.argtypes = [integer, integer, integer, data]
    lib.opus_decoder_create.argtypes = [integer, integer, data]
    lib.opus_encode.argtypes = [handle, data, integer, data, integer]
    lib.opus_decode.argtypes = [handle, ctypes.c_char_p, integer, data, integer, integer]
    return lib


@cache
def _has_post_filters() -> bool:
    """Whether this libopus was built with its neural post-filters: if so, they change what a packet decodes to."""
    noise = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    packets, _ = Opus(9000, wideband=True).encode(noise).payload
    plain = _decode(packets, 16000, 0)
    try:
        return not np.array_equal(plain, _decode(packets, 16000, POST_FILTERS["nolace"]))
    except RuntimeError:  # the request is unknown to libopus before 1.5
        return False


def _check(code: int, what: str) -> int:
    if code < 0:
        raise RuntimeError(f"libopus: {what} returned error {code}")
    return code
