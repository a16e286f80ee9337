"""A codec made ready for inference: every frame computed in one way, whatever else is computed beside it.

Codes are decisions: two float32 results that differ in their last bit lie, for some frame in a thousand, on two sides
of a decision. Encoding therefore runs in float64, where such differences are of 1e-16 and a tie would have to be closer
than that to flip: on any processor, by any library. Whoever stays on one machine can have twice the speed: what a live
service or one run over a corpus needs is only that a frame comes out alike, bit for bit, alone, in any batch and at any
place. Networks that can be brought into such a form in float32 have a method `pack`; whether it holds on this machine,
with this build of PyTorch and this number of threads, is tried before it is used.
"""

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from .inference.alike import frames_come_out_alike
from .nn.packed import packable
from .nn.stream import Delayed, State, Streamable
from .quantizers import ResidualQuantizer

M = TypeVar("M", bound=torch.nn.Module)

MAX_CODEWORDS = 2**16  # of all codebooks together: up to here decoding looks them up in one table


@dataclass(frozen=True, eq=False)
class Frozen:
    """Encoder, quantizer and decoder as inference runs them; copies, which later training does not change."""

    version: object  # of the weights and settings that it was made of
    encoder: Streamable
    quantizer: ResidualQuantizer
    decoder: Delayed
    codewords: Tensor | None  # [K * N, D] of all codebooks, where there are not too many
    precision: torch.dtype  # of the encoder
    wide: torch.dtype  # of the search for codewords
    device: torch.device

    def encoder_state(self, batch_size: int) -> State:
        """State of `encode` before the first sample."""
        return self.encoder.init_state(torch.zeros(batch_size, 1, dtype=self.precision, device=self.device))

    def encode(self, wav: Tensor, state: State, n_q: int) -> tuple[Tensor, State]:
        """Whole frames [B, C, t * hop] after `state` -> codes [B, n_q, t] and the state after them."""
        z, state = self.encoder.step(wav.to(self.device, self.precision), state)
        return self.quantizer.encode(z.to(self.wide), n_q), state

    def decoder_state(self, batch_size: int) -> State:
        """State of `decode` before the first frame."""
        return self.decoder.init_state(torch.zeros(batch_size, 1, device=self.device))

    def latents(self, codes: Tensor) -> Tensor:
        """Codes [B, K', t] -> latents [B, D, t] float32."""
        if self.codewords is None:
            return self.quantizer.decode(codes).float()
        size = len(self.codewords) // self.quantizer.n_q
        rows = codes.transpose(1, 2) + torch.arange(0, codes.shape[1] * size, size, device=codes.device)
        return torch.nn.functional.embedding(rows, self.codewords).sum(dim=2).transpose(1, 2)

    def decode(self, z: Tensor, state: State) -> tuple[Tensor, State]:
        """Latents [B, D, t] after `state` -> wav [B, C, t * hop], `decoder.delay` samples late, and the new state."""
        return self.decoder.step(z, state)


def versions(tensors: Iterable[Tensor]) -> list[object]:
    """What changes when one of `tensors` is changed, moved or replaced."""
    return [(id(t), 0 if t.is_inference() else t._version, t.device) for t in tensors]


def freeze(
    encoder: Streamable,
    quantizer: ResidualQuantizer,
    decoder: Delayed,
    hop_length: int,
    precision: torch.dtype,
    version: object = None,
) -> Frozen:
    """Return the form for inference of a codec's parts, which are left as they are.

    Args:
        encoder: wav [B, C, T * hop_length] -> latents [B, D, T].
        quantizer: of latents.
        decoder: latents [B, D, T] -> wav.
        hop_length: samples a frame.
        precision: of the encoder, see Codec.
        version: kept with it.
    """
    device = next(encoder.parameters()).device
    wide = torch.float32 if device.type == "mps" else torch.float64
    quantizer = _still(quantizer).to(wide)
    quantizer.hold_tables(wide)
    codewords = None
    if quantizer.n_q * quantizer.codebook_sizes[0] <= MAX_CODEWORDS:
        codewords = torch.cat(quantizer.points(quantizer.n_q, wide)).float()
    encoder, precision = _exact(encoder, hop_length, precision)
    decoder = _still(decoder).float()
    if device.type == "cpu" and packable():
        decoder.pack()
    return Frozen(version, encoder, quantizer, decoder, codewords, precision, wide, device)


def _exact(encoder: Streamable, hop_length: int, precision: torch.dtype) -> tuple[Streamable, torch.dtype]:
    """Return the encoder for inference, and its precision."""
    device = next(encoder.parameters()).device.type
    if device == "mps":
        return _still(encoder).float(), torch.float32
    if precision == torch.float32 and device == "cpu" and packable():
        packed = _still(encoder).float()
        if packed.pack() and reproducible(packed, hop_length):
            return packed, torch.float32
    return _still(encoder).double(), torch.float64


def _still(module: M) -> M:
    return copy.deepcopy(module).requires_grad_(False).eval()


@torch.inference_mode()
def reproducible(encoder: Streamable, hop_length: int) -> bool:
    """Return whether latents come out alike in any pieces and batches: see inference/alike.py."""

    def begin(batch_size: int) -> State:
        return encoder.init_state(torch.zeros(batch_size, 1))

    def step(wav: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        z, state = encoder.step(torch.from_numpy(wav), state)
        return z.transpose(1, 2).numpy(), state

    return frames_come_out_alike(begin, step, 1, hop_length)
