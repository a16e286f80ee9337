"""What is to be tokenised: one request a recording, or a stretch of one, from folders, globs, files and manifests."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np

from ..audio.reader import ArrayReader, AudioReader
from ..data.manifest import AUDIO_SUFFIXES, probe, resolve
from ..errors import AudioError, ConfigError

A = TypeVar("A")
B = TypeVar("B")
PATH_KEYS = ("path", "audio_filepath")  # ours, and NeMo's
_KNOWN = (*PATH_KEYS, "id", "offset", "duration", "sample_rate")  # the rest of a manifest's line is passed through
_AT_ONCE = 1024  # headers read ahead


@dataclass(frozen=True, slots=True)
class Request:
    """One recording to tokenise, or a stretch of one.

    Args:
        id: unique; the items of several channels add #0, #1, ... to it.
        source: the recording, as the manifest or folder names it.
        path: where it lies.
        seconds: how long it says it is; 0: unknown. For planning only, never trusted.
        offset: where the stretch starts, s; None: the whole recording.
        duration: of the stretch, s; None: to the end.
        fields: what the manifest says besides.
    """

    id: str
    source: str
    path: str
    seconds: float = 0.0
    offset: float | None = None
    duration: float | None = None
    fields: dict[str, Any] = field(default_factory=dict)

    def open(self) -> AudioReader | ArrayReader:
        """Open the recording.

        Raises:
            AudioError: it is none.
        """
        return AudioReader(self.path)

    def to_line(self) -> str:
        """One line of JSON."""
        return json.dumps({key: value for key, value in asdict(self).items() if value not in (None, {})}) + "\n"

    @classmethod
    def from_line(cls, line: str | bytes) -> Self:
        """Read what `to_line` wrote."""
        return cls(**json.loads(line))


@dataclass(frozen=True, slots=True)
class ArrayRequest(Request):
    """Samples in memory instead of a recording on disk."""

    wav: np.ndarray = field(default_factory=lambda: np.zeros((1, 0), np.float32))  # [C, L] or [L] float
    sample_rate: int = 0  # Hz

    def open(self) -> ArrayReader:
        """See Request."""
        return ArrayReader(self.wav, self.sample_rate)


def find_requests(places: Sequence[str | Path]) -> Iterator[Request]:
    """Requests of folders, manifests and recordings, in a fixed order.

    Args:
        places: `.jsonl` is a manifest: an object a line with `path` (or `audio_filepath`), and, where known, `id`,
            `duration` (s), `offset` (s, where the stretch of `duration` starts); all else is passed through to the
            store. A folder is searched for recordings. Anything else is a recording. Files that cannot be read are
            requests too: they fail later, each on its own.
    Raises:
        ConfigError: a place does not exist or holds nothing, or a line of a manifest is malformed.
    """
    for place in map(Path, places):
        count = 0
        for request in _of_place(place):
            count += 1
            yield request
        if not count:
            raise ConfigError(f"{place}: no recordings in it; readable are {', '.join(AUDIO_SUFFIXES[:5])}, ...")


def _of_place(place: Path) -> Iterator[Request]:
    if place.suffix == ".jsonl":
        yield from ahead(_probed, _manifest_requests(place))
    elif place.is_dir():
        paths = sorted(path for path in place.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES)
        names = (path.relative_to(place).as_posix() for path in paths)
        yield from ahead(_probed, (_request(name, path, {}) for name, path in zip(names, paths, strict=True)))
    elif place.exists():
        yield _probed(_request(place.name, place, {}))
    else:
        raise ConfigError(f"{place}: no such folder, manifest or recording")


def _manifest_requests(manifest: Path) -> Iterator[Request]:
    try:
        with open(manifest, encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    try:
                        yield _manifest_request(json.loads(line), manifest.parent)
                    except (ValueError, TypeError) as error:
                        raise ConfigError(f"{manifest}: line {number}: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{manifest}: cannot be read as a manifest: {error}") from None


def _manifest_request(row: Any, folder: Path) -> Request:
    if not isinstance(row, dict):
        raise TypeError(f"expected an object, got {type(row).__name__}")
    source = next((row[key] for key in PATH_KEYS if key in row), None)
    if not isinstance(source, str) or not source:
        raise ValueError(f"expected a text under {' or '.join(PATH_KEYS)}, got {source!r}")
    for key in ("offset", "duration"):
        value = row.get(key)
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e8
        ):
            raise ValueError(f"{key}: expected seconds, 0 or more, got {value!r}")
    if not isinstance(row.get("id", ""), str):
        raise TypeError(f"id: expected a text, got {row['id']!r}")
    return _request(source, resolve(Path(source), folder), row)


def _request(source: str, path: Path, row: dict[str, Any]) -> Request:
    offset, duration = row.get("offset"), row.get("duration")
    name = source.removesuffix(Path(source).suffix)
    return Request(
        id=row.get("id") or (name if offset is None else f"{name}@{offset:g}"),
        source=source,
        path=str(path.absolute()),
        seconds=float(duration or 0.0),
        offset=None if offset is None else float(offset),
        duration=None if offset is None or duration is None else float(duration),
        fields={key: value for key, value in row.items() if key not in _KNOWN},
    )


def _probed(request: Request) -> Request:
    """Look up how long a recording is, unless the manifest says so; 0 where it cannot be read."""
    if request.seconds:
        return request
    try:
        seconds = probe(request.path).duration - (request.offset or 0.0)
    except AudioError:
        seconds = 0.0
    return replace(request, seconds=max(0.0, seconds))


def ahead(function: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    """Map in threads, in order, in memory that does not grow with `items`."""
    items = iter(items)
    with ThreadPoolExecutor() as pool:
        while some := list(islice(items, _AT_ONCE)):
            yield from pool.map(function, some)
