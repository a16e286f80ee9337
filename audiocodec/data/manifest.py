"""Lists of recordings: JSON lines with path, duration and origin, or folders that are searched."""

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import soundfile

from ..errors import AudioError, ConfigError

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".caf", ".w64")


@dataclass(frozen=True, slots=True)
class Entry:
    """One recording. `duration` in seconds and `sample_rate` in Hz are those of the file."""

    path: Path
    duration: float
    sample_rate: int
    speaker: str = ""
    language: str = ""
    source: str = ""
    license: str = ""


def collect(places: Sequence[str]) -> list[Entry]:
    """Gather the recordings of manifests, folders and single files, in a fixed order.

    Args:
        places: paths; `.jsonl` is a manifest, a folder is searched for audio files, anything else is a recording.
    Returns:
        the entries, at least one.
    Raises:
        ConfigError: a place does not exist, a manifest line is malformed, or there is no recording at all.
    """
    entries: list[Entry] = []
    for place in map(Path, places):
        if place.suffix == ".jsonl":
            entries += read(place)
        elif place.is_dir():
            entries += probe_all(sorted(p for p in place.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES))
        elif place.exists():
            entries.append(probe(place))
        else:
            raise ConfigError(f"{place}: no such folder, manifest or recording")
    if not entries:
        names = ", ".join(places) or "nothing given"
        raise ConfigError(
            f"no recordings in {names}; give a folder of {', '.join(AUDIO_SUFFIXES[:4])}, ... or a manifest"
        )
    return entries


def read(path: str | Path) -> list[Entry]:
    """Read a manifest: one JSON object a line with at least `path`, `duration` (s) and `sample_rate` (Hz).

    A relative path counts from the manifest's folder, or from the folder above where the file lies only there.

    Raises:
        ConfigError: the file cannot be read, or lines are malformed: the first ten are listed.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a manifest: {error}") from None
    entries, faults = [], []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entries.append(_entry(json.loads(line), path.parent))
        except (ValueError, TypeError) as error:
            faults.append(f"  line {number}: {error}")
    if faults:
        more = f"\n  and {len(faults) - 10} more" if len(faults) > 10 else ""
        raise ConfigError(f"{path}: {len(faults)} malformed lines\n" + "\n".join(faults[:10]) + more)
    if not entries:
        raise ConfigError(f"{path}: the manifest is empty; recipes/prepare_data.py writes one from a folder")
    return entries


def write(path: str | Path, entries: Iterable[Entry]) -> None:
    """Write a manifest beside its recordings: paths below its folder become relative to it."""
    path = Path(path)
    folder = path.parent.resolve()
    with open(path, "w", encoding="utf-8") as file:
        for entry in entries:
            row: dict[str, Any] = {key: value for key, value in asdict(entry).items() if value != ""}
            full = Path(entry.path).resolve()
            row["path"] = str(full.relative_to(folder) if full.is_relative_to(folder) else full)
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def probe(path: str | Path) -> Entry:
    """Make an entry from a file's header.

    Raises:
        AudioError: the file is no readable recording.
    """
    try:
        info = soundfile.info(str(path))
    except (soundfile.SoundFileError, OSError, TypeError) as error:
        raise AudioError(f"{path}: not a readable recording: {error}") from None
    return Entry(Path(path), info.frames / info.samplerate, info.samplerate)


def probe_all(paths: Sequence[Path]) -> Iterator[Entry]:
    """Entries of the files that are recordings with at least one sample, in the order given; the rest is left out."""

    def attempt(path: Path) -> Entry | None:
        try:
            return probe(path)
        except AudioError:
            return None

    with ThreadPoolExecutor() as pool:
        yield from (entry for entry in pool.map(attempt, paths) if entry and entry.duration > 0)


def _entry(row: Any, folder: Path) -> Entry:
    if not isinstance(row, dict):
        raise TypeError(f"expected an object, got {type(row).__name__}")
    missing = [key for key in ("path", "duration", "sample_rate") if key not in row]
    if missing:
        raise ValueError(f"{', '.join(missing)} missing")
    duration, rate = row["duration"], row["sample_rate"]
    if not isinstance(row["path"], str):
        raise TypeError(f"path: expected text, got {row['path']!r}")
    if not isinstance(duration, int | float) or not 0 < duration < 1e7:
        raise ValueError(f"duration: expected seconds above 0, got {duration!r}")
    if not isinstance(rate, int) or not 0 < rate <= 768_000:
        raise ValueError(f"sample_rate: expected whole Hz, got {rate!r}")
    texts = {key: str(row.get(key) or "") for key in ("speaker", "language", "source", "license")}
    return Entry(resolve(Path(row["path"]), folder), float(duration), rate, **texts)


def resolve(path: Path, folder: Path) -> Path:
    """Where a manifest's relative path leads: beside the manifest, or in the folder above where it lies only there."""
    beside = folder / path
    if path.is_absolute() or beside.exists():
        return beside
    above = folder.parent / path
    return above if above.exists() else beside
