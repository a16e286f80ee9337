"""What the commands that change .anc files share: one or more files in, one file out, nothing half-written."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, TypeAlias, cast

import typer

from ..errors import ConfigError
from . import jobs

if TYPE_CHECKING:
    from ..bitstream.container import Reader, StreamInfo

Source: TypeAlias = Annotated[str, typer.Argument(metavar="IN", help=".anc file, or - for stdin.")]
Target: TypeAlias = Annotated[str, typer.Option("-o", "--output", metavar="OUT", help=".anc file, or - for stdout.")]
Force: TypeAlias = Annotated[bool, typer.Option("--force", help="Replace an existing file.")]


@contextlib.contextmanager
def opened(source: str, target: str, force: bool) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Open one .anc file and the file that is to be made from it; the latter appears only if the block succeeds."""
    with source_file(source) as file, target_file(target, force) as output:
        yield file, output


@contextlib.contextmanager
def source_file(source: str) -> Iterator[BinaryIO]:
    """Open a .anc file, or standard input for `-`; errors about its contents get its name."""
    from ..bitstream.files import open_anc

    [item] = [jobs.Input(None if source == jobs.STDIO else Path(source), Path(source))]
    with open_anc(item.open()) as file:
        yield cast(BinaryIO, file)


@contextlib.contextmanager
def target_file(target: str, force: bool) -> Iterator[BinaryIO]:
    """Open the file to be made, or standard output for `-`."""
    from ..audio.atomic import atomic_output

    if target == jobs.STDIO:
        yield jobs.standard_output("a .anc file")
    else:
        with atomic_output(target, overwrite=force) as file:
            yield file


def reader_of(file: BinaryIO) -> "Reader":
    """Open a .anc file with the entropy tables of the shipped model that it names, if that has any."""
    from ..bitstream.container import Reader
    from ..bitstream.tables import load_tables
    from ..pretrained import TABLES_FILE, shipped

    reader = Reader(file)
    for folder in shipped():
        if folder.name == reader.info.model_name and (folder / TABLES_FILE).is_file():
            reader.tables = load_tables(folder / TABLES_FILE)
    return reader


def frame_at(seconds: float, info: "StreamInfo") -> int:
    """The frame nearest to a time; refuse times that cannot be."""
    if not 0 <= seconds < 1e9:
        raise ConfigError(f"{seconds} s is no time in a recording; give seconds from 0 up")
    return round(seconds * info.frame_rate)


def told(target: str, info: "StreamInfo", n_frames: int | None = None) -> None:
    """Print what was made, unless the file itself went to standard output."""
    if target == jobs.STDIO:
        return
    if info.original_samples is not None:
        length = f"{info.original_samples / info.original_rate:.3f} s"
    else:
        length = "unknown length" if n_frames is None else f"{jobs.count(n_frames, 'frame')}"
    print(f"{target}: {length}, {jobs.count(info.n_q, 'codebook')}, {Path(target).stat().st_size} bytes")
