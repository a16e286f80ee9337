"""One item of a token store: its row of the index, its codes, its sound."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConfigError
from .index import Row

if TYPE_CHECKING:
    from ..codec import Codec
    from .store import TokenStore


@dataclass(frozen=True)
class TokenItem:
    """One item of a store: a channel of a recording, or of a stretch of one. Nothing is read until it is asked for."""

    store: "TokenStore"
    shard: int
    row: Row

    @property
    def id(self) -> str:
        """Unique in the store."""
        return self.row.id

    @property
    def source(self) -> str:
        """The recording, as its manifest names it."""
        return self.row.source

    @property
    def samples(self) -> int:
        """Length in samples of the source, at `sample_rate`."""
        return self.row.samples

    @property
    def sample_rate(self) -> int:
        """Of the source, Hz."""
        return self.row.sample_rate

    @property
    def frames(self) -> int:
        """T."""
        return self.row.frames

    @property
    def seconds(self) -> float:
        """Length of the audio."""
        return self.samples / self.sample_rate if self.samples else 0.0

    @property
    def fields(self) -> dict[str, Any]:
        """What the manifest said besides, such as text and speaker."""
        return self.row.fields

    @property
    def codes(self) -> np.ndarray:
        """[K, T] uint16, read-only, mapped from disk: only what is looked at is read."""
        return self.read(0, self.frames)

    def read(self, start_frame: int, frames: int) -> np.ndarray:
        """A stretch of the codes; on disk its frames lie side by side, so this is one short read.

        Args:
            start_frame: first frame, 0 or more.
            frames: how many; the stretch must lie within the item.
        Returns:
            [K, frames] uint16, read-only, mapped from disk.
        Raises:
            ConfigError: the stretch reaches beyond the item.
        """
        if start_frame < 0 or frames < 0 or start_frame + frames > self.frames:
            raise ConfigError(
                f"{self.id}: frames {start_frame} to {start_frame + frames} asked for; it has {self.frames} frames"
            )
        first = self.row.start + start_frame
        return self.store.shard_codes(self.shard)[first : first + frames].T

    def decode(
        self,
        codec: "Codec | str | None" = None,
        *,
        n_q: int | None = None,
        start_s: float = 0.0,
        seconds: float | None = None,
    ) -> tuple[np.ndarray, int]:
        """The audio of the item, wav [C, L], and its rate in Hz: see `decoding.decode_item`."""
        from .decoding import decode_item

        return decode_item(self, codec, n_q=n_q, start_s=start_s, seconds=seconds)
