"""`audiocodec cat`: .anc files one after the other in one file; needs no model and no torch."""

import contextlib
from typing import Annotated

import typer

from . import editing


def cat(
    sources: Annotated[list[str], typer.Argument(metavar="IN", help=".anc files of one model and kind, in order.")],
    output: editing.Target,
    force: editing.Force = False,
) -> None:
    """Join .anc files; each but the last is filled up to a whole frame."""
    from ..bitstream.edit import concatenate

    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(editing.source_file(source)) for source in sources]
        info = concatenate(files, stack.enter_context(editing.target_file(output, force)))
    editing.told(output, info)
