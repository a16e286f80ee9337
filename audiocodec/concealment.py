"""Concealment: a stream of codes with gaps becomes a stream of samples without clicks, on time and of full length.

What is missing is replaced in the latents: the last one that arrived is held and fades to that of silence; where the
frame after the gap is known already, it is led over to that. The decoder's own memory and overlap smooth the edges.
docs/transport.md says what else was tried and what it gave.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from .arrays import mixed
from .codec import Codec
from .errors import ConfigError
from .frozen import Frozen
from .shapes import Codes, Wav
from .streaming import DecoderState, StreamingDecoder

_SETTLED = 64  # frames of silence after which its code no longer changes, or nearly
FADE_FRAMES = 5
"""Frames of a gap after which silence is reached: 100 ms at 50 Hz; held for longer, speech sounds like a buzzer."""


@dataclass(frozen=True)
class ConcealingState(DecoderState):
    """What a ConcealingDecoder remembers."""

    last: Tensor  # [B, D, 1] latents of the last frame that arrived
    gap: int  # frames concealed since


class ConcealingDecoder(StreamingDecoder):
    """A StreamingDecoder that goes on where codes are missing: `push` those that come, `conceal` those that do not.

    Without gaps it gives what StreamingDecoder gives, bit for bit. After a gap it does so again, to 1e-4 of full scale,
    as soon as the network has forgotten it: after `streaming.decoder_memory` frames.
    """

    codec: Codec
    state: ConcealingState

    def __init__(self, codec: Codec, batch_size: int = 1, fade_frames: int = FADE_FRAMES):
        """Begin.

        Args:
            codec: as for StreamingDecoder.
            batch_size: streams side by side; a gap is a gap of all of them.
            fade_frames: frames of a gap until it is silent, 1 or more.
        Raises:
            ConfigError: `fade_frames` is below 1.
        """
        if fade_frames < 1:
            raise ConfigError(f"fade_frames must be 1 or more, got {fade_frames}")
        self.fade_frames = fade_frames
        super().__init__(codec, batch_size)

    def _fresh(self) -> ConcealingState:
        fresh = super()._fresh()
        return ConcealingState(fresh.early, fresh.layers, self._silence.expand(self.batch_size, -1, 1), 0)

    @cached_property
    @torch.inference_mode()
    def _silence(self) -> Tensor:
        """Latents [1, D, 1] of digital silence."""
        codec = self.codec
        wav = torch.zeros(1, codec.channels, _SETTLED * codec.hop_length, device=self.device)
        return codec.frozen().latents(codec.encode(wav)[..., -1:])

    @property
    def _networks(self) -> Frozen:
        """The networks as they were when the stream began."""
        return self.codec._present()

    @torch.inference_mode()
    def push(self, codes: Codes) -> Wav:
        """Take the next frames, as StreamingDecoder does."""
        wav = super().push(codes)
        if codes.shape[-1]:
            self.state = replace(self.state, last=self._networks.latents(codes[..., -1:]), gap=0)
        return wav

    @torch.inference_mode()
    def conceal(self, n_frames: int = 1, until: Codes | None = None) -> Wav:
        """Go on without the codes of the next frames.

        Args:
            n_frames: how many are missing, 0 or more; a long gap may come in pieces.
            until: [batch_size, K', 1 or more] codes of the frames after them, where they are there already. They are
                only looked at, and must be pushed afterwards.
        Returns:
            wav [batch_size, C, n_frames * hop_length], as `push` would have given.
        """
        if until is not None:
            self.codec.check_codes(until)
        if not n_frames:
            return self.state.last.new_zeros(self.batch_size, self.codec.channels, 0)
        z = self._estimate(n_frames, None if until is None else self._networks.latents(until[..., :1]))
        wav = self._after(*self._networks.decode(z, self.state.layers))
        self.state = replace(self.state, gap=self.state.gap + n_frames)
        return wav

    def _estimate(self, n_frames: int, after: Tensor | None) -> Tensor:
        """Latents [B, D, n_frames] for the next frames; `after` [B, D, 1] are those of the frame after them."""
        last, silence = self.state.last, self._silence
        z = silence + self._gains(self.state.gap, n_frames, last) * (last - silence)
        if after is None:
            return z
        coming = silence + self._gains(0, n_frames, after).flip(-1) * (after - silence)
        share = torch.arange(1, n_frames + 1, device=z.device) / (n_frames + 1)
        return (1 - share) * z + share * coming

    def _gains(self, gap: int, n_frames: int, like: Tensor) -> Tensor:
        """How loud the frames [n_frames] are that come after a gap of `gap` frames: 1, then down to 0."""
        place = torch.arange(gap, gap + n_frames, device=like.device, dtype=like.dtype)
        return (1 - place / self.fade_frames).clamp(min=0).sqrt()

    def reset(self, mask: Tensor | None = None) -> None:
        """Start anew, as StreamingDecoder does."""
        last = self.state.last
        super().reset(mask)
        if mask is not None:
            self.state = replace(self.state, last=mixed(mask, self._fresh().last, last))
