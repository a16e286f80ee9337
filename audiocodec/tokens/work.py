"""The one function under all engines: code a shard of a plan and put it into the store, unless it is there already."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from ..compress.models import load_torch
from ..errors import ConfigError
from .extraction import Extracted, Extractor, Timings, on_device
from .header import StoreHeader
from .index import ERROR, Row
from .loading import Channels
from .plan import Plan, make_plan, read_plans, read_requests
from .requests import Request, find_requests
from .shards import Marker, read_marker, write_shard
from .store import SHARDS_FOLDER, read_header
from .writer import create


@dataclass(frozen=True)
class Settings:
    """How a worker works; nothing here changes a byte of the store.

    Args:
        model: where this worker finds the codec; None: where the plan says.
        device: torch device; None: an NVIDIA GPU where there is one.
        batch_seconds, decode_workers: see `Extractor`.
    """

    model: str | None = None
    device: str | None = None
    batch_seconds: float | None = None
    decode_workers: int = 2


@dataclass(frozen=True)
class Report:
    """What came of a shard.

    Args:
        shard: its number.
        marker: what it holds.
        timings: where the time went.
        wall_seconds: from start to end.
        processor_seconds: of this process and its threads meanwhile.
        was_there: nothing had to be done.
    """

    shard: int
    marker: Marker
    timings: Timings = field(default_factory=Timings)
    wall_seconds: float = 0.0
    processor_seconds: float = 0.0
    was_there: bool = False


def open_extractor(path: Path, settings: Settings) -> Extractor:
    """Load the codec that fills a store.

    Raises:
        ConfigError: the store has no plan, or the codec cannot be found.
        ModelMismatchError: the codec is another one than the store was begun with.
    """
    header, plans = read_header(path), read_plans(path)
    if not plans:
        raise ConfigError(f"{path}: has no plan of work; `audiocodec tokens IN --out {path}` makes one")
    codec = load_torch(settings.model or plans[0].model)
    header.check_codec(codec, path)
    return Extractor(
        on_device(codec, settings.device),
        n_q=header.n_q,
        batch_seconds=settings.batch_seconds,
        decode_workers=settings.decode_workers,
    )


def run_shard(path: Path, shard: int, extractor: Extractor) -> Report:
    """Code the recordings of a shard and write it; once it is there, do nothing.

    May be called again, elsewhere and at the same time: whoever comes last replaces equal bytes.

    Args:
        path: of the store.
        shard: number of the shard.
        extractor: from `open_extractor`.
    Raises:
        OSError: recordings cannot be read at present, or the store cannot be written: try again.
    """
    folder = path / SHARDS_FOLDER
    if marker := read_marker(folder, shard):
        return Report(shard, marker, was_there=True)
    begin, processor = time.perf_counter(), time.process_time()
    plan, requests = read_requests(path, shard)
    extractor = extractor.for_channels(plan.channels)
    results = extractor.run(requests)
    rows = [row for request, result in zip(requests, results, strict=True) for row in rows_of(request, result)]
    writing = time.perf_counter()
    marker = write_shard(folder, shard, rows, [codes for result in results for codes in result.codes])
    end = time.perf_counter()
    timings = replace(extractor.timings, writing=end - writing)
    return Report(shard, marker, timings, end - begin, time.process_time() - processor)


def rows_of(request: Request, result: Extracted) -> list[Row]:
    """The rows of a request: one for each of its channels, or one that says why there are none."""
    found = result.recording
    if result.error:
        offset = round((request.offset or 0.0) * found.sample_rate)
        error = Row(request.id, request.source, offset, 0, found.sample_rate, 0, 0, 0, ERROR, result.error)
        return [replace(error, fields=request.fields)]
    note = " ".join(found.notes).replace(request.path, request.source)
    return [
        Row(
            id=request.id if len(found.channels) == 1 else f"{request.id}#{channel}",
            source=request.source,
            offset=found.offset,
            samples=found.samples,
            sample_rate=found.sample_rate,
            channel=channel,
            start=0,
            frames=0,
            note=note,
            fields=request.fields,
        )
        for channel in found.channels
    ]


def begin(
    path: Path,
    places: Sequence[str | Path],
    model: str,
    *,
    n_q: int | None = None,
    channels: Channels = "split",
    shard_seconds: float | None = None,
    append: bool = False,
) -> Plan:
    """Make a store and its plan, or find both as they were made before.

    Args:
        path: of the store.
        places: recordings, folders, manifests; see `find_requests`.
        model: name, folder or hub id of the codec.
        n_q: codebooks to keep (default all; when appending, as many as the store has).
        channels, shard_seconds, append: see `make_plan`.
    Raises:
        ConfigError, ModelMismatchError: nothing to code, or the store holds something else.
    """
    codec = load_torch(model)
    if n_q is None and append:
        n_q = read_header(path).n_q
    requests = find_requests(places)
    first = next(requests, None)  # before the store is made: what is not there leaves no empty store behind
    create(path, StoreHeader.of(codec, n_q))
    where = str(codec.folder) if codec.folder is not None and Path(model).is_dir() else model
    return make_plan(path, chain([first] if first else [], requests), where, channels, shard_seconds, append)
