"""A Ray cluster: an actor pool encodes, a shard at a time; tasks on any core of the cluster decode ahead for it.

Ray Data hands the shards to the actors, starts an actor anew elsewhere when its node goes, and gives its shard to
another. Decode tasks have nothing but their result, so Ray repeats those of a lost node. Each actor has a few batches
under way at most: audio never piles up, whatever the difference in speed. Actors write finished shards themselves, so
that the store must lie on a file system that all nodes see; what is there already is skipped.
"""

import copy
import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ConfigError
from ..extraction import Extractor, Timings
from ..loading import Loaded, load_all
from ..requests import Request
from ..shards import Marker
from ..work import Report, Settings, open_extractor
from . import Failed
from .local import attempt

DECODE_CPUS = 0.25  # of a core that a decode task counts as: it keeps a small part of one busy
PATIENCE_S = 60.0  # after which an actor that gets no cores for decoding decodes by itself


def run_ray(
    path: Path, shards: Sequence[int], settings: Settings, *, address: str | None = None, workers: int = 0
) -> Iterator[Report | Failed]:
    """Code shards on a Ray cluster.

    Args:
        path: of the store, on a file system that all nodes see.
        shards: their numbers.
        settings: how actors work; `decode_workers` tasks decode ahead for each.
        address: of the cluster; "auto": the one of this machine; None: Ray decides, starting one here if need be.
        workers: actors; 0: one a GPU, or, where there is none, one for four fifths of the cores.
    Raises:
        ConfigError: Ray is not installed or there is no such cluster.
    """
    ray = _ray()
    if not ray.is_initialized():
        try:
            ray.init(address=address, log_to_driver=False, logging_level="error")
        except (ConnectionError, ValueError) as error:
            raise ConfigError(f"no Ray cluster at {address}: {' '.join(str(error).split())}") from error
    if not shards:
        return
    ray.data.DataContext.get_current().enable_progress_bars = False
    gpus, cpus = (ray.cluster_resources().get(kind, 0) for kind in ("GPU", "CPU"))
    actor_cpus = 1 - DECODE_CPUS * min(settings.decode_workers, 2)
    room = int((cpus - DECODE_CPUS) / actor_cpus)  # some must be left for decoding
    wanted = workers or int(gpus) or int(0.8 * cpus)
    workers = max(1, min(wanted, room, len(shards)))
    pool = ray.data.from_items([{"shard": shard} for shard in shards], override_num_blocks=len(shards)).map_batches(
        _Encoder,
        fn_constructor_args=(str(path.absolute()), settings),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(
            min_size=1, max_size=workers, initial_size=workers, max_tasks_in_flight_per_actor=1
        ),
        num_gpus=1 if gpus else 0,
        num_cpus=actor_cpus,
    )
    for row in pool.iter_rows():
        yield _from_row(row)


class _Encoder:
    """An actor: keeps the codec, codes one shard a call."""

    def __init__(self, path: str, settings: Settings):
        self._path = Path(path)
        self._extractor = _RayExtractor(open_extractor(self._path, settings))

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list[str]]:
        results = [attempt(self._path, int(shard), self._extractor) for shard in batch["shard"]]
        return {"result": [json.dumps(asdict(result)) for result in results]}


class _RayExtractor(Extractor):
    """An extractor whose recordings are decoded by tasks on any node, a few batches ahead."""

    def __init__(self, extractor: Extractor):
        self.__dict__.update(copy.copy(extractor).__dict__)

    def load_ahead(self, requests: Sequence[Request], batches: Sequence[Sequence[int]]) -> Iterator[list[Loaded]]:
        """See Extractor."""
        ray = _ray()
        decode = ray.remote(load_all).options(num_cpus=DECODE_CPUS, max_retries=3, retry_exceptions=[OSError])
        waiting = deque([requests[i] for i in batch] for batch in batches)
        ahead: deque[tuple[list[Request], Any]] = deque()
        while waiting or ahead:
            while waiting and len(ahead) < max(1, 2 * self.decode_workers):
                some = waiting.popleft()
                ahead.append((some, decode.remote(some, self.layout, self.max_seconds)))
            some, task = ahead.popleft()
            ready, _ = ray.wait([task], timeout=PATIENCE_S)
            if ready:
                yield ray.get(task)
            else:
                ray.cancel(task)
                yield load_all(some, self.layout, self.max_seconds)


def _from_row(row: dict[str, Any]) -> Report | Failed:
    tree = json.loads(row["result"])
    if "error" in tree:
        return Failed(**tree)
    return Report(**{**tree, "marker": Marker(**tree["marker"]), "timings": Timings(**tree["timings"])})


def _ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ConfigError("the Ray engine needs Ray: pip install 'audiocodec[ray]'") from error
    return ray
