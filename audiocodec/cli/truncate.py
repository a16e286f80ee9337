"""`audiocodec truncate`: a .anc file at a lower rate, by leaving out codebooks; needs no model and no torch."""

from typing import Annotated

import typer

from . import console, editing


def truncate(
    source: editing.Source,
    output: editing.Target,
    n_q: Annotated[int | None, typer.Option("--n-q", min=1, metavar="K", help="Codebooks to keep.")] = None,
    bitrate: Annotated[
        float | None, typer.Option("--bitrate", metavar="KBPS", help="Keep as many as fit in so many kbit/s.")
    ] = None,
    force: editing.Force = False,
) -> None:
    """Copy a .anc file with its first codebooks only; nothing is decoded."""
    if (n_q is None) == (bitrate is None):
        console.usage_error("give one of --n-q and --bitrate")

    from ..bitstream.edit import truncate_reader

    with editing.opened(source, output, force) as (file, target):
        reader = editing.reader_of(file)
        if n_q is None:
            rates = [reader.info.first_codebooks(k).bitrate for k in range(1, reader.info.n_q + 1)]
            n_q = max(1, sum(rate <= 1000 * (bitrate or 0) for rate in rates))
        info = truncate_reader(reader, target, n_q)
    editing.told(output, info)
