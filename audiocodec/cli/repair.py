"""`audiocodec repair`: what is left of a damaged .anc file, as a whole file; needs no model and no torch."""

import sys
from dataclasses import replace
from typing import Annotated

import typer

from . import editing, jobs


def repair(
    source: editing.Source,
    output: editing.Target,
    header_from: Annotated[
        str | None,
        typer.Option("--header-from", metavar="FILE", help="Where IN's header is destroyed: a file of the same kind."),
    ] = None,
    force: editing.Force = False,
) -> None:
    """Copy all undamaged packets of a .anc file; what is lost is marked, so that the rest keeps its place in time."""
    from ..bitstream.container import Reader
    from ..bitstream.repair import repair as save

    info = None
    if header_from is not None:
        with editing.source_file(header_from) as file:
            info = replace(Reader(file).info, tags={})
    with editing.opened(source, output, force) as (file, target):
        report = save(file, target, info=info)
    print(report, file=sys.stderr if output == jobs.STDIO else sys.stdout)
