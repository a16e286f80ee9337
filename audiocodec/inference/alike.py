"""Whether frames come out alike, bit for bit, alone, in any batch and at any place: tried on the spot.

Sums in float32 depend on their order, and libraries choose the order by the shape of what they are given. An encoder
that passes this trial with a library on a machine gives a stream, a file and a batch the same codes; one that does not
has to be given one shape only, or float64.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

FRAMES = 70  # of the trial's signals: enough for every size of piece below, with remainders
PIECES = (1, 2, 3, 5, 8, 13, 37)  # frames at a time
STREAMS = 3


def frames_come_out_alike(
    begin: Callable[[int], Any],
    step: Callable[[Array, Any], tuple[Array, Any]],
    channels: int,
    hop_length: int,
) -> bool:
    """Return whether pieces of many sizes, alone and in batches, give what the whole gives, bit for bit.

    Args:
        begin: state of so many streams before the first frame.
        step: wav [B, C, t * hop_length] float32 and a state -> numbers [B, t, any] of these frames, the state after.
        channels: of the audio.
        hop_length: samples a frame.
    """
    shape = STREAMS, channels, FRAMES * hop_length
    level = np.geomspace(1e-4, 1, shape[2])
    wav = (0.3 * level * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)

    def in_pieces(some: Array, size: int) -> Array:
        state, parts = begin(len(some)), []
        for start in range(0, some.shape[2], size):
            part, state = step(some[..., start : start + size], state)
            parts.append(part)
        return np.concatenate(parts, axis=1)

    whole = in_pieces(wav, shape[2])
    if not np.array_equal(in_pieces(wav[1:2], shape[2]), whole[1:2]):
        return False
    return all(np.array_equal(in_pieces(wav[: 1 + n % 2], n * hop_length), whole[: 1 + n % 2]) for n in PIECES)
