"""What all codes of a store have in common: which codec made them, how many frames a second, how many codebooks."""

import hashlib
import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from .. import __version__
from ..errors import BitstreamError, ConfigError, ModelMismatchError

if TYPE_CHECKING:
    from ..codec import Codec

FORMAT, VERSION = "audiocodec tokens", 1
MAX_CODEBOOK_SIZE = 1 << 16  # codes are uint16
MAX_CODEBOOKS = 256


@dataclass(frozen=True)
class StoreHeader:
    """Facts that hold for every item of a store.

    Args:
        codec_name: of the codec that made the codes.
        weights_sha256, config_sha256: hex; its identity (`Codec.weights_sha256`, `Codec.config_sha256`).
        sample_rate: of the codec, Hz.
        hop_length: samples a frame at that rate.
        channels: that the codec codes jointly.
        codebook_sizes: distinct codes of each codebook that was kept, K of them.
    Raises:
        ConfigError: no codebook, too many, or one whose codes do not fit 16 bits.
    """

    codec_name: str
    weights_sha256: str
    config_sha256: str
    sample_rate: int
    hop_length: int
    channels: int
    codebook_sizes: tuple[int, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.codebook_sizes) <= MAX_CODEBOOKS:
            raise ConfigError(f"{len(self.codebook_sizes)} codebooks; a token store holds 1 to {MAX_CODEBOOKS}")
        if not all(1 <= size <= MAX_CODEBOOK_SIZE for size in self.codebook_sizes):
            raise ConfigError(
                f"codebooks of {max(self.codebook_sizes)} codes; a token store holds 1 to {MAX_CODEBOOK_SIZE} (uint16)"
            )
        if self.sample_rate < 1 or self.hop_length < 1 or self.channels < 1:
            raise ConfigError(
                f"{self.sample_rate} Hz, hop {self.hop_length}, {self.channels} channels: all must be 1 or more"
            )

    @property
    def n_q(self) -> int:
        """Codebooks, K."""
        return len(self.codebook_sizes)

    @property
    def frame_rate(self) -> Fraction:
        """Frames a second, exact, in Hz."""
        return Fraction(self.sample_rate, self.hop_length)

    @classmethod
    def of(cls, codec: "Codec", n_q: int | None = None) -> Self:
        """The header of a store that `codec` fills with its first `n_q` codebooks (default all)."""
        return cls(
            codec_name=codec.name,
            weights_sha256=codec.weights_sha256,
            config_sha256=codec.config_sha256,
            sample_rate=codec.sample_rate,
            hop_length=codec.hop_length,
            channels=codec.channels,
            codebook_sizes=(codec.codebook_size,) * codec.check_n_q(n_q),
        )

    def identity(self) -> dict[str, Any]:
        """What makes two stores alike, as plain JSON values; a codec's name does not, its weights do."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "weights_sha256": self.weights_sha256,
            "config_sha256": self.config_sha256,
            "sample_rate": self.sample_rate,
            "hop_length": self.hop_length,
            "channels": self.channels,
            "frame_rate": str(self.frame_rate),
            "codebook_sizes": list(self.codebook_sizes),
            "layout": "uint16 little-endian, frame after frame, the codes of a frame side by side",
        }

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of the identity as canonical JSON."""
        return hashlib.sha256(canonical(self.identity())).hexdigest()

    def to_json(self) -> str:
        """The text of a store's header.json."""
        return json.dumps({**self.identity(), "codec": self.codec_name, "made_by": __version__}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, name: str | Path) -> Self:
        """Read what `to_json` wrote.

        Args:
            text: of the file.
            name: what messages call it.
        Raises:
            BitstreamError: it is no header, or of a later version.
        """
        try:
            tree = json.loads(text)
            if tree["format"] != FORMAT:
                raise ValueError(f"its format is {tree['format']!r}, expected {FORMAT!r}")
            if tree["version"] != VERSION:
                raise ValueError(f"its version is {tree['version']!r}; this audiocodec reads {VERSION}: update it")
            header = cls(
                codec_name=str(tree["codec"]),
                weights_sha256=str(tree["weights_sha256"]),
                config_sha256=str(tree["config_sha256"]),
                sample_rate=int(tree["sample_rate"]),
                hop_length=int(tree["hop_length"]),
                channels=int(tree["channels"]),
                codebook_sizes=tuple(int(size) for size in tree["codebook_sizes"]),
            )
        except KeyError as error:
            raise BitstreamError(f"{name}: is no header of a token store: {error} is missing") from None
        except (ValueError, TypeError, ConfigError) as error:
            raise BitstreamError(f"{name}: is no header of a token store: {error}") from None
        if header.identity() != {key: tree.get(key) for key in header.identity()}:
            raise BitstreamError(f"{name}: contradicts itself: frame rate or layout do not fit the other facts")
        return header

    def check_codec(self, codec: "Codec", name: str | Path) -> None:
        """Refuse a codec that did not make the codes.

        Raises:
            ModelMismatchError: another codec; the message says which is needed.
        """
        theirs = (codec.weights_sha256, codec.config_sha256)
        if theirs != (self.weights_sha256, self.config_sha256):
            raise ModelMismatchError(
                f"{name}: was made by {self.codec_name!r} (weights {self.weights_sha256[:8]}, config "
                f"{self.config_sha256[:8]}), not by {codec.name!r} (weights {theirs[0][:8]}, config {theirs[1][:8]}); "
                "give the folder of the codec that made it"
            )

    def check_same(self, other: Self, name: str | Path) -> None:
        """Refuse to mix the codes of two codecs, or of another number of codebooks, in one store.

        Raises:
            ModelMismatchError: the message names what differs.
        """
        ours, theirs = self.identity(), other.identity()
        if differing := [key for key in ours if ours[key] != theirs[key]]:
            key = differing[0]
            raise ModelMismatchError(
                f"{name}: holds codes of {self.codec_name!r} with {key} {ours[key]}; got {other.codec_name!r} with "
                f"{theirs[key]}; one store holds the codes of one codec: choose another store"
            )


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
