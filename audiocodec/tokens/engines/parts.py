"""One part of several that know nothing of each other: a rank of `accelerate launch`, a task of a Slurm array.

Part i of n takes shards i, i + n, ...; nobody waits for anybody, so a part that dies holds nobody up. Who is through
early takes over from the far end of what is left. What a dead part left undone, the same command does when run again.
"""

from collections.abc import Iterator
from pathlib import Path

from ..plan import pending, read_plans
from ..work import Report, Settings, open_extractor
from . import Failed
from .local import attempt


def run_part(path: Path, part: int, parts: int, settings: Settings) -> Iterator[Report | Failed]:
    """Code the shards of one part, then help the others.

    Args:
        path: of the store.
        part: 0 to parts - 1.
        parts: how many share the work.
        settings: how this worker works.
    """
    extractor = open_extractor(path, settings)
    failed: set[int] = set()
    for plan in read_plans(path):
        for shard in plan.shards:
            if shard % parts == part:
                result = attempt(path, shard, extractor)
                failed |= {shard} if isinstance(result, Failed) else set()
                yield result
    # What is left is no more than what the others have in hand: nothing to help with.
    while len(left := [shard for shard in pending(path) if shard not in failed]) > parts:
        shard = left[-1 - part % len(left)]
        result = attempt(path, shard, extractor)
        failed |= {shard} if isinstance(result, Failed) else set()
        yield result
