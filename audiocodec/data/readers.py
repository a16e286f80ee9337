"""Recordings that other libraries find: torchaudio's corpora, Lhotse's manifests, Hugging Face's data sets."""

import gzip
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import soundfile

from ..errors import AudioError, ConfigError
from .manifest import Entry, probe


@dataclass(frozen=True, slots=True)
class Corpus:
    """A corpus that `torchaudio.datasets` reads."""

    reader: str  # class in torchaudio.datasets
    name: str
    license: str
    subset: str  # keyword of the reader for `subset`, "" where there is none
    speaker: int | None  # place of the speaker in the reader's items; None: a single one
    layout: str  # what the reader expects below the root


CORPORA = {
    "librispeech": Corpus("LIBRISPEECH", "LibriSpeech", "CC BY 4.0", "url", 3, "LibriSpeech/SUBSET/84/121123"),
    "libritts": Corpus("LIBRITTS", "LibriTTS", "CC BY 4.0", "url", 4, "LibriTTS/SUBSET/84/121123"),
    "vctk": Corpus("VCTK_092", "VCTK 0.92", "CC BY 4.0", "mic_id", 3, "VCTK-Corpus-0.92/wav48_silence_trimmed"),
    "ljspeech": Corpus("LJSPEECH", "LJSpeech", "public domain", "", None, "LJSpeech-1.1/wavs"),
}


def read_torchaudio(corpus: str, root: str | Path, subset: str = "") -> list[Entry]:
    """List a corpus through its reader in torchaudio, without decoding anything.

    Args:
        corpus: a key of `CORPORA`.
        root: the folder that holds the unpacked archive's top folder.
        subset: "train-clean-100", ... of LibriSpeech and LibriTTS, "mic1" or "mic2" of VCTK; "": the reader's default.
    Returns:
        entries with speaker, language, source and licence; recordings that cannot be read are left out.
    Raises:
        ConfigError: torchaudio is missing, the corpus is not there, or its transcripts, which readers want, are not.
    """
    found, root = CORPORA[corpus], Path(root)
    try:
        import torchaudio
        from torchaudio import datasets
    except (ImportError, OSError) as error:
        raise ConfigError(f"--reader {corpus} needs torchaudio: {error}; `audiocodec doctor` tells the cure") from None
    options = {found.subset: subset} if subset and found.subset else {}
    if subset and not found.subset:
        raise ConfigError(f"--subset {subset}: {corpus} has no subsets; leave it out")
    entries: list[Entry] = []
    try:
        reader = getattr(datasets, found.reader)(str(root), **options)
        with _listing(torchaudio) as read:
            for number in range(len(reader)):
                item = reader[number]
                speaker = "single" if found.speaker is None else str(item[found.speaker])
                entries += [replace(read.pop(), speaker=speaker)] if read else []
    except (OSError, RuntimeError, ValueError, IndexError) as error:
        reason = " ".join(str(error).split()).partition(" Please ")[0].rstrip(".")
        raise ConfigError(f"{root}: no {corpus} that torchaudio can read: {reason}; expected {found.layout}") from None
    source = f"{found.name} {subset}".strip()
    return [replace(e, source=source, license=found.license, language="en") for e in entries]


@contextmanager
def _listing(torchaudio: Any) -> Iterator[list[Entry]]:
    """Within the block the readers look into headers where they would decode; the list gets what they looked at.

    All four call `torchaudio.load` with the path, which only needs torchcodec to hand us samples that nobody wants.
    """
    read: list[Entry] = []

    def look(path: str | Path, *_: Any, **__: Any) -> tuple[None, int]:
        try:
            entry = probe(path)
        except AudioError:
            return None, 16000  # what LibriSpeech's reader insists on
        if entry.duration > 0:
            read.append(entry)
        return None, entry.sample_rate

    load, torchaudio.load = torchaudio.load, look
    try:
        yield read
    finally:
        torchaudio.load = load


def read_lhotse(path: str | Path) -> list[Entry]:
    """Read a Lhotse manifest of recordings or of cuts (`.jsonl` or `.jsonl.gz`); Lhotse itself is not needed.

    Recordings of one file source are taken, each once and whole; cuts also tell speaker and language where all
    supervisions of a recording agree. Relative paths count from the present folder, as in Lhotse.

    Raises:
        ConfigError: the file is no such manifest.
    """
    path = Path(path)
    found: dict[Path, tuple[Entry, set[str], set[str]]] = {}
    try:
        text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for row in (json.loads(line) for line in text.splitlines() if line.strip()):
            recording = row.get("recording", row)
            sources = recording["sources"]
            if len(sources) != 1 or sources[0]["type"] != "file":
                continue
            entry = Entry(Path(sources[0]["source"]), float(recording["duration"]), int(recording["sampling_rate"]))
            _, speakers, languages = found.setdefault(entry.path, (entry, set(), set()))
            speakers |= {str(s.get("speaker") or "") for s in row.get("supervisions", ())}
            languages |= {str(s.get("language") or "") for s in row.get("supervisions", ())}
    except (OSError, EOFError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ConfigError(f"{path}: no Lhotse manifest of recordings or cuts: {type(error).__name__} {error}") from None
    return [replace(e, speaker=_only(speakers), language=_only(languages)) for e, speakers, languages in found.values()]


def read_huggingface(source: str, files: Path, split: str = "train", column: str = "audio") -> list[Entry]:
    """List a data set that the library `datasets` can open; sound inside its tables is written to files as it is.

    Args:
        source: a folder made by `save_to_disk`, a folder of Parquet files, or a name on the hub.
        files: folder for recordings that lie inside the tables; made where it is needed.
        split: of the data set.
        column: that holds the sound.
    Returns:
        entries with the speaker and the language where there are columns of the usual names.
    Raises:
        ConfigError: `datasets` is missing, or there is no such data set, split or column.
    """
    table = _open_dataset(source, split)
    if column not in table.column_names:
        raise ConfigError(f"{source}: no column {column!r}; there are {', '.join(table.column_names)}")
    from datasets import Audio

    table = table.cast_column(column, Audio(decode=False))
    entries = []
    for number, row in enumerate(table):
        try:
            entry = probe(_as_file(row[column], files, number))
        except AudioError:
            continue
        speaker, language = _first(row, "speaker_id", "speaker", "client_id"), _first(row, "language", "locale")
        entries.append(replace(entry, speaker=speaker, language=language))
    return entries


def _open_dataset(source: str, split: str) -> Any:
    try:
        import datasets
    except ImportError:
        raise ConfigError("--reader huggingface needs the package `datasets`: pip install datasets") from None
    saved = any((Path(source) / name).exists() for name in ("dataset_info.json", "dataset_dict.json"))
    try:
        found = datasets.load_from_disk(source) if saved else datasets.load_dataset(source)
    except Exception as error:  # the library has no base class of its own errors
        reason = " ".join(str(error.__cause__ or error).split())
        raise ConfigError(f"{source}: `datasets` cannot open it: {reason}") from None
    if not isinstance(found, Mapping):
        return found
    if split not in found:
        raise ConfigError(f"{source}: no split {split!r}; there are {', '.join(found)}")
    return found[split]


def _as_file(sound: Mapping[str, Any], files: Path, number: int) -> Path:
    """Where a cell's sound lies as a file; written there if the table itself holds it."""
    data, name = sound.get("bytes"), sound.get("path") or ""
    if data is None:
        return Path(name)
    suffix = Path(name).suffix
    if not suffix:
        try:
            suffix = f".{soundfile.info(BytesIO(data)).format.lower()}"
        except soundfile.SoundFileError as error:
            raise AudioError(f"row {number}: {error}") from None
    path = files / f"{number:07d}{suffix}"
    files.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _only(names: set[str]) -> str:
    return next(iter(names)) if len(names) == 1 else ""


def _first(row: Mapping[str, Any], *names: str) -> str:
    """The first of these columns that is there; class labels stay numbers."""
    return next((str(row[name]) for name in names if row.get(name) is not None), "")
