"""The receiving side of real-time transport: datagrams in any order become codes frame by frame, or known gaps."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .header import StreamInfo
from .tables import Tables
from .transport import MIDDLE, decode_datagram

MAX_CAPACITY = 4096  # frames


@dataclass
class Arrivals:
    """What became of the frames and datagrams so far.

    Args:
        datagrams: that arrived undamaged.
        late: datagrams of which no frame was of use any more, duplicates included.
        played: frames handed out with codes.
        recovered: those of them that only a coarse copy brought.
        lost: frames handed out without codes.
        jumps: times that the stream went on too far ahead, and the buffer with it.
    """

    datagrams: int = 0
    late: int = 0
    played: int = 0
    recovered: int = 0
    lost: int = 0
    jumps: int = 0


class JitterBuffer:
    """Puts datagrams in order. `put` what arrives, when it arrives; `take` one frame for each frame interval.

    How long to wait between the first `put` and the first `take` is the caller's choice: at least the longest distance
    of redundant copies, and what the network's delay varies by. Memory is bounded by `capacity` frames.

    Args:
        info: from the sender's header (`read_session`).
        tables: the entropy tables of the model, where `info` names some.
        capacity: frames that it holds; a datagram further ahead than that makes it jump there.
    Attributes:
        arrivals: counts.
    Raises:
        ConfigError: `capacity` is not 1 to 4096.
    """

    def __init__(self, info: StreamInfo, *, tables: Tables | None = None, capacity: int = 512):
        if not 1 <= capacity <= MAX_CAPACITY:
            raise ConfigError(f"capacity must be 1 to {MAX_CAPACITY} frames, got {capacity}")
        self.info, self.arrivals = info, Arrivals()
        self._tables, self._capacity = tables, capacity
        self._frames: dict[int, tuple[NDArray[np.integer], bool]] = {}  # index -> codes [S, K, 1], whether a copy
        self._next: int | None = None  # the frame to be taken next; None before the first datagram

    @property
    def waiting(self) -> int:
        """Frames from the next one up to the newest that arrived, gaps between them included."""
        return max(self._frames) + 1 - self._next if self._frames and self._next is not None else 0

    def put(self, datagram: bytes) -> None:
        """Take what arrived.

        Args:
            datagram: one, undamaged or not, old or new; it may come from a stranger.
        Raises:
            BitstreamError: it is damaged or belongs to another stream; the buffer is as before.
        """
        parts = decode_datagram(datagram, self.info, self._tables, MIDDLE if self._next is None else self._next)
        self.arrivals.datagrams += 1
        first = parts[0].frame
        if self._next is None:
            self._next = first
        elif first + parts[0].codes.shape[2] > self._next + self._capacity:
            self._frames.clear()
            self._next, self.arrivals.jumps = first, self.arrivals.jumps + 1
        fresh = False
        for number, part in enumerate(parts):
            for t in range(part.codes.shape[2]):
                fresh |= self._store(part.frame + t, part.codes[:, :, t : t + 1], copy=number > 0)
        self.arrivals.late += not fresh

    def take(self) -> NDArray[np.integer] | None:
        """Hand out the next frame.

        Returns:
            Its codes [S, K', 1], of K' < K codebooks where only a coarse copy arrived; None if nothing arrived in time,
            so that it must be concealed. Before the first datagram always None.
        """
        if self._next is None:
            return None
        found = self._frames.pop(self._next, None)
        self._next += 1
        if found is None:
            self.arrivals.lost += 1
            return None
        self.arrivals.played += 1
        self.arrivals.recovered += found[1]
        return found[0]

    def peek(self) -> NDArray[np.integer] | None:
        """The codes that the next `take` will hand out, as far as is known now: concealment can lead over to them."""
        found = None if self._next is None else self._frames.get(self._next)
        return found[0] if found else None

    def _store(self, frame: int, codes: NDArray[np.integer], copy: bool) -> bool:
        """Keep a frame unless it is late or there with as many codebooks; return whether it was kept."""
        assert self._next is not None
        known = self._frames.get(frame)
        if frame < self._next or (known is not None and known[0].shape[1] >= codes.shape[1]):
            return False
        self._frames[frame] = (codes, copy)
        return True
