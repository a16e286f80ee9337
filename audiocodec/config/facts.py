"""What a codec's configuration says about it, whatever computes its networks."""

from fractions import Fraction
from typing import Any

from ..errors import ConfigError, ShapeError
from .codec import CodecConfig

BLOCK_FRAMES = 512  # encode and decode walk through long audio in blocks of this many frames: memory stays bounded


class CodecFacts:
    """Properties of a codec that follow from `config` and `name`."""

    config: CodecConfig
    name: str

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.config.sample_rate

    @property
    def channels(self) -> int:
        """Channels coded jointly; a mono codec takes stereo as two items of a batch."""
        return self.config.channels

    @property
    def hop_length(self) -> int:
        """Samples a frame."""
        return self.config.hop_length

    @property
    def frame_rate(self) -> Fraction:
        """Frames a second, exact, in Hz."""
        return self.config.frame_rate

    @property
    def n_q(self) -> int:
        """Codebooks."""
        return self.config.quantizer.n_q

    @property
    def codebook_size(self) -> int:
        """Distinct codes of one codebook."""
        return self.config.quantizer.alphabet_size

    @property
    def config_sha256(self) -> str:
        """See CodecConfig.sha256."""
        return self.config.sha256

    def bitrate(self, n_q: int | None = None) -> float:
        """Nominal bit/s of the first `n_q` codebooks (default all), before container and entropy coding."""
        return self.config.bitrate(n_q)

    def check_n_q(self, n_q: int | None) -> int:
        """Return `n_q`, or all codebooks for None.

        Raises:
            ConfigError: out of range.
        """
        if n_q is None:
            return self.n_q
        if not 1 <= n_q <= self.n_q:
            raise ConfigError(f"n_q={n_q}: {self.name} has codebooks 1 to {self.n_q}")
        return int(n_q)

    def check_wav(self, wav: Any) -> None:
        """Refuse an array or tensor that is no batch of signals.

        Raises:
            ShapeError: not [B, channels, L].
        """
        if wav.ndim != 3 or wav.shape[1] != self.channels:
            raise ShapeError(
                f"wav has shape {list(wav.shape)}; expected [B, {self.channels}, L] ({self.channels} channel(s))"
            )

    def check_codes(self, codes: Any) -> None:
        """Refuse an array or tensor that cannot be decoded.

        Raises:
            ShapeError: not [B, 1..n_q, T], or a code outside its codebook.
        """
        if codes.ndim != 3 or not 1 <= codes.shape[1] <= self.n_q:
            raise ShapeError(f"codes have shape {list(codes.shape)}; expected [B, 1..{self.n_q}, T]")
        if 0 not in codes.shape and not 0 <= int(codes.min()) <= int(codes.max()) < self.codebook_size:
            raise ShapeError(f"codes hold {int(codes.min())}..{int(codes.max())}; allowed 0..{self.codebook_size - 1}")

    def check_length(self, length: int | None, n_frames: int) -> int:
        """Return the samples wanted of so many frames, all for None.

        Raises:
            ShapeError: the frames hold fewer.
        """
        whole = n_frames * self.hop_length
        if length is None:
            return whole
        if not 0 <= length <= whole:
            raise ShapeError(f"length {length} samples: {n_frames} frames hold 0 to {whole}")
        return length
