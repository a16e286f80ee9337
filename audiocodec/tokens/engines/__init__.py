"""Who runs the shards of a plan: processes of this machine, parts of a job array, a Ray cluster. Same bytes from each.

An engine is a generator: it takes shard numbers and yields a `Report` or a `Failed` for each, as they come.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Failed:
    """A shard that could not be coded, in several tries."""

    shard: int
    error: str
