"""Who speaks, read from where a file lies: the folder layouts of well-known corpora, and Lhotse's manifests."""

import gzip
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import ConfigError
from .manifest import Entry

LAYOUTS = {
    "folder": "the speaker is the name of the folder that holds the file",
    "librispeech": "LibriSpeech, LibriTTS: speaker-chapter-utterance.flac",
    "vctk": "VCTK: p225_001_mic1.flac",
    "single": "one speaker, for example LJSpeech",
    "none": "speakers are not known",
}


def speaker(path: Path, layout: str) -> str:
    """The speaker of a recording under a layout.

    Args:
        path: of the recording.
        layout: a key of `LAYOUTS`.
    """
    match layout:
        case "folder":
            return path.parent.name
        case "librispeech":
            return path.stem.split("-" if "-" in path.stem else "_")[0]
        case "vctk":
            return path.stem.split("_")[0]
        case "single":
            return "single"
        case "none":
            return ""
    raise ConfigError(f"layout {layout!r}: expected one of {', '.join(LAYOUTS)}")


def with_origin(
    entries: Sequence[Entry], layout: str, *, source: str = "", license: str = "", language: str = ""
) -> list[Entry]:
    """Entries with their speakers, and with one origin for all."""
    return [
        replace(e, speaker=speaker(e.path, layout), source=source, license=license, language=language) for e in entries
    ]


def read_lhotse(path: str | Path) -> list[Entry]:
    """Read a Lhotse recording manifest (`.jsonl` or `.jsonl.gz`); Lhotse itself is not needed.

    Recordings of one file source are taken; relative paths count from the present folder, as in Lhotse.

    Raises:
        ConfigError: the file is no such manifest.
    """
    path = Path(path)
    try:
        text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
        return [
            Entry(Path(row["sources"][0]["source"]), float(row["duration"]), int(row["sampling_rate"]))
            for row in rows
            if len(row["sources"]) == 1 and row["sources"][0]["type"] == "file"
        ]
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ConfigError(f"{path}: no Lhotse recording manifest: {error}") from None
