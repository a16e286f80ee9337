"""Who speaks, read from where a file lies: the folder layouts of well-known corpora."""

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
    entries: Sequence[Entry], layout: str | None = None, *, source: str = "", license: str = "", language: str = ""
) -> list[Entry]:
    """Entries with speakers and origin laid over what they say.

    Args:
        entries: the recordings.
        layout: a key of `LAYOUTS` that tells the speakers; None leaves them.
        source, license, language: of all of them; "" leaves what is there.
    """
    return [
        replace(
            e,
            speaker=e.speaker if layout is None else speaker(e.path, layout),
            source=source or e.source,
            license=license or e.license,
            language=language or e.language,
        )
        for e in entries
    ]
