"""Encoders [B, C, T * hop] -> latents [B, D, T] and decoders back, all Streamable; `build` chooses by configuration.

An encoder looks only back. A decoder may lag by `delay` samples (declared, a multiple of the hop): it then wants as
many frames more, and its first `delay` output samples belong before the signal. Codec and streaming hide that.
"""

from .build import build_networks

__all__ = ["build_networks"]
