"""`audiocodec cut`: a stretch of a .anc file as a file of its own; needs no model and no torch."""

from typing import Annotated

import typer

from . import editing


def cut(
    source: editing.Source,
    start: Annotated[float, typer.Argument(metavar="START", help="Seconds from the beginning.")],
    output: editing.Target,
    end: Annotated[
        float | None, typer.Argument(metavar="[END]", help="Seconds from the beginning. [end of the file]")
    ] = None,
    force: editing.Force = False,
) -> None:
    """Copy the stretch from START to END, to the nearest frame; no code is changed, nothing is decoded."""
    from ..bitstream.edit import cut_reader

    with editing.opened(source, output, force) as (file, target):
        reader = editing.reader_of(file)
        frames = [None if time is None else editing.frame_at(time, reader.info) for time in (start, end)]
        info = cut_reader(reader, target, frames[0] or 0, frames[1])
    editing.told(output, info)
