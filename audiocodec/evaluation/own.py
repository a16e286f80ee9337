"""Our own codecs under test, as a user meets them: samples to the bytes of an .anc file and back."""

import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..errors import CodecError
from ..metrics.base import Signal
from .systems import Encoded, MissingError, System, kilo

if TYPE_CHECKING:
    from ..codec import Codec


@dataclass(frozen=True)
class OwnCodec(System):
    """A model of this package, by name, folder or hub id, at a bitrate in bit/s that chooses its codebooks."""

    model: str
    bitrate: float
    counted = "whole .anc file, header and packet framing included"

    @property
    def name(self) -> str:
        return f"{self.family}_{kilo(self.bitrate)}"

    @property
    def family(self) -> str:  # type: ignore[override]
        return Path(self.model).name

    @property
    def sample_rate(self) -> int:  # type: ignore[override]
        return _codec(self.model).sample_rate

    def version(self) -> str:
        from ..compress.models import tables_of

        codec = _codec(self.model)
        parts = [f"audiocodec {__version__}", f"weights {codec.weights_sha256[:12]}"]
        if tables := tables_of(codec):  # they decide how many bits it takes
            parts.append(f"entropy tables {tables.id.hex()[:12]}")
        return ", ".join(parts)

    def encode(self, signal: Signal) -> Encoded:
        from ..compress import compress

        codec = _codec(self.model)
        data = compress(signal, sample_rate=codec.sample_rate, model=codec, bitrate=self.bitrate)
        return Encoded(data, 8 * len(data))

    def decode(self, encoded: Encoded) -> Signal:
        from ..compress import decompress

        wav, _ = decompress(encoded.payload, model=_codec(self.model))
        return wav[0]

    def codes(self, signal: Signal) -> tuple[tuple[int, ...], NDArray[np.integer]]:
        """What stands in the file that the codec writes.

        Args:
            signal: [L] float32 at `sample_rate`.
        Returns:
            (how many codes each codebook knows, codes [K, T]).
        """
        from ..bitstream.container import read
        from ..compress.models import tables_of

        info, codes = read(io.BytesIO(self.encode(signal).payload), tables=tables_of(_codec(self.model)))
        return info.alphabet_sizes, codes[0]


@cache
def _codec(model: str) -> "Codec":
    """Load a model once for each process, to run on one thread: workers share the machine among themselves."""
    import torch

    from ..codec import Codec

    torch.set_num_threads(1)
    try:
        return Codec.from_pretrained(model)
    except CodecError as error:
        raise MissingError(str(error)) from error
