"""Which files a command works on, and where each result goes: files, globs, folders, standard input and output."""

import contextlib
import glob
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO, TypeAlias

import typer

from ..errors import CodecError
from . import console

STDIO = "-"
AUDIO_ENDINGS = (
    ".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".au", ".caf", ".w64", ".rf64",
)  # fmt: skip
ANC_ENDINGS = (".anc",)


class Backend(StrEnum):
    """What computes the networks."""

    auto = "auto"
    numpy = "numpy"
    onnx = "onnx"
    torch = "torch"


BackendOption: TypeAlias = Annotated[
    Backend,
    typer.Option("--backend", help="What computes the network; the codes are the same. auto: numpy, soonest started."),
]
Threads: TypeAlias = Annotated[int, typer.Option("--threads", min=1, help="CPU threads for the network.")]
_WILDCARDS = frozenset("*?[")


@dataclass(frozen=True)
class Input:
    """One file to read.

    Args:
        path: the file; None: standard input.
        relative: its place below the folder or glob that was named, or its name: mirrored in an output folder.
    """

    path: Path | None
    relative: Path
    from_tree: bool = False

    def __str__(self) -> str:
        return STDIO if self.path is None else str(self.path)

    def open(self) -> Path | BinaryIO:
        """Return what to read from."""
        return sys.stdin.buffer if self.path is None else self.path


@dataclass(frozen=True)
class Job:
    """One file to read and where its result goes; `target` None: standard output."""

    source: Input
    target: Path | None

    def __str__(self) -> str:
        return str(self.source)


def find_inputs(arguments: Sequence[str], endings: Sequence[str]) -> list[Input]:
    """Expand what was named on the command line.

    Args:
        arguments: files (whatever their ending), globs, folders (searched with their subfolders), `-`.
        endings: of files that are taken from folders, lower case.
    Returns:
        Inputs in order of naming, those of a folder or glob sorted; the same file only once.
    Raises:
        CodecError: a folder or glob holds nothing to work on.
    """
    found: dict[str, Input] = {}
    for argument in arguments:
        for item in _expand(argument, endings):
            found.setdefault(str(item), item)
    return list(found.values())


def _expand(argument: str, endings: Sequence[str]) -> list[Input]:
    path = Path(argument)
    if argument == STDIO:
        return [Input(None, Path("stdin"))]
    if path.is_dir():
        files = [Path(folder, name) for folder, _, names in os.walk(path) for name in names]
        items = [Input(p, p.relative_to(path), True) for p in sorted(files) if p.suffix.lower() in endings]
        if not items:
            raise CodecError(f"{argument}: this folder holds no file that ends in {', '.join(endings)}")
        return items
    if _WILDCARDS & set(argument) and not os.path.lexists(path):
        root = _fixed_part(path)
        files = [Path(name) for name in sorted(glob.glob(argument, recursive=True)) if os.path.isfile(name)]
        if not files:
            raise CodecError(f"{argument}: no file has a name like this")
        return [Input(p, p.relative_to(root), True) for p in files]
    return [Input(path, Path(path.name))]


def _fixed_part(pattern: Path) -> Path:
    """The folders of a glob before its first wildcard: `a/b/*/c*.wav` -> `a/b`."""
    parts = list(pattern.parts[:-1])
    first = next((i for i, part in enumerate(parts) if _WILDCARDS & set(part)), len(parts))
    return Path(*parts[:first])


def plan(inputs: Sequence[Input], output: str | None, suffix: str) -> list[Job]:
    """Say where every result goes: a path made from the input's path alone, never from what is in the file.

    Args:
        inputs: see `find_inputs`.
        output: None: beside the input, with another ending (for `-`: standard output); `-`: standard output; for one
            plain input the name of the file; otherwise (several inputs, a folder, a trailing slash) a folder.
        suffix: ending of the results, with its dot.
    Raises:
        CodecError: two inputs would share one result, several would share standard output, or the folder is a file.
    """
    if output is None:
        jobs = [Job(item, item.path.with_suffix(suffix) if item.path else None) for item in inputs]
    elif output == STDIO:
        jobs = [Job(item, None) for item in inputs]
    elif len(inputs) == 1 and not inputs[0].from_tree and not _is_folder(output):
        jobs = [Job(inputs[0], Path(output))]
    else:
        if os.path.lexists(output) and not os.path.isdir(output):
            raise CodecError(f"{output}: is a file; several inputs need a folder, name one with -o")
        jobs = [Job(item, Path(output) / item.relative.with_suffix(suffix)) for item in inputs]
    _refuse_shared(jobs)
    return jobs


def _is_folder(output: str) -> bool:
    return output.endswith((os.sep, "/")) or os.path.isdir(output)


def _refuse_shared(jobs: Sequence[Job]) -> None:
    owners: dict[str, Job] = {}
    for job in jobs:
        key = STDIO if job.target is None else os.path.abspath(job.target)
        if key in owners:
            where = "standard output" if job.target is None else str(job.target)
            raise CodecError(
                f"{owners[key]} and {job} would both become {where}; give them one by one, each with its own -o"
            )
        owners[key] = job


@contextlib.contextmanager
def folder_for(target: Path | None) -> Iterator[None]:
    """Make the folders above `target` for the block; if it fails, remove those that were made and are empty."""
    made = []
    if target is not None:
        missing = [folder for folder in target.parents if not folder.exists()]
        for folder in reversed(missing):
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
                made.append(folder)
    try:
        yield
    except BaseException:
        for folder in reversed(made):
            with contextlib.suppress(OSError):  # another program put something there
                folder.rmdir()
        raise


def standard_output(what: str) -> BinaryIO:
    """Return standard output for bytes; end with a usage error where it is a terminal."""
    if sys.stdout.isatty():
        console.usage_error(f"{what} would fill the terminal with bytes; name a file with -o, or send it into a pipe")
    return sys.stdout.buffer


def set_threads(threads: int, backend: Backend) -> None:
    """Say how many CPU threads the networks may take; to be called before anything imports NumPy."""
    for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[variable] = str(threads)
    if backend == Backend.torch:
        import torch

        torch.set_num_threads(threads)


def print_note(note: str) -> None:
    """Tell on stderr what the user should know although all went well."""
    print(f"audiocodec: note: {note}", file=sys.stderr)


def count(number: int, word: str) -> str:
    """`1 packet`, `3 packets`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def channels(number: int) -> str:
    """`mono`, `stereo`, `6 channels`."""
    return {1: "mono", 2: "stereo"}.get(number, f"{number} channels")
