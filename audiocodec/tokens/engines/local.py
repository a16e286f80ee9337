"""Processes of this machine: one a GPU, or one a core. One that dies costs its shard some time, nothing else."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from ...data.pool import SLOT_VARIABLE, Job, Pool, Step
from ...errors import CodecError
from ..extraction import Extractor
from ..work import Report, Settings, open_extractor, run_shard
from . import Failed

TRIES = 3
_FOREVER_S = 1e6


def run_local(path: Path, shards: Sequence[int], settings: Settings, workers: int = 0) -> Iterator[Report | Failed]:
    """Code shards on this machine.

    Args:
        path: of the store.
        shards: their numbers.
        settings: how workers work.
        workers: processes; 0: see `default_workers`. With 1 the shards are coded in this process.
    """
    workers = min(workers or default_workers(), len(shards))
    if workers <= 1:
        yield from run_here(path, shards, settings)
        return
    tries: Counter[int] = Counter()
    with Pool(workers, timeout_s=_FOREVER_S, log=os.devnull) as pool:
        for shard in shards:
            pool.submit(Job(_run, (path, shard, settings)))
        for outcome in pool.outcomes():
            shard = outcome.job.arguments[1]
            tries[shard] += 1
            if not outcome.error:
                yield outcome.value
            elif tries[shard] < TRIES:
                pool.submit(outcome.job)
            else:
                yield Failed(shard, outcome.error)


def run_here(path: Path, shards: Sequence[int], settings: Settings) -> Iterator[Report | Failed]:
    """Code shards one after the other in this process."""
    extractor = open_extractor(path, settings) if shards else None
    for shard in shards:
        assert extractor is not None
        yield attempt(path, shard, extractor)


def attempt(path: Path, shard: int, extractor: Extractor) -> Report | Failed:
    """Code a shard; what goes wrong is told."""
    try:
        return run_shard(path, shard, extractor)
    except (CodecError, OSError) as error:
        return Failed(shard, str(error))


def default_workers() -> int:
    """One process a GPU where there are some, else one a core that this process may use."""
    import torch

    return torch.cuda.device_count() or len(os.sched_getaffinity(0))


def _run(path: Path, shard: int, settings: Settings, step: Step) -> Report:
    step(f"shard {shard}")
    return run_shard(path, shard, _extractor(path, settings))


@lru_cache(maxsize=1)
def _extractor(path: Path, settings: Settings) -> Extractor:
    """The codec of a worker process, loaded once; each worker takes the GPU of its number."""
    import torch

    if settings.device is None and torch.cuda.is_available():
        slot = int(os.environ[SLOT_VARIABLE]) % torch.cuda.device_count()
        settings = replace(settings, device=f"cuda:{slot}")
    return open_extractor(path, settings)
