"""`audiocodec tokens export`: a token store in the formats that other people's training code reads."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from . import console

Format = Literal["webdataset", "huggingface", "lhotse", "kaldi", "megatron"]


def export(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="Folder of the store.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to make; it appears when it is whole.")],
    format: Annotated[
        Format,
        typer.Option(
            "--format",
            "-f",
            help="webdataset: tar files; huggingface: Parquet for `datasets` and the hub; lhotse: manifests or Shar; "
            "kaldi: ark and scp; megatron: .bin and .idx.",
        ),
    ],
    n_q: Annotated[int | None, typer.Option("--n-q", min=1, help="Codebooks, the first ones; default all.")] = None,
    shard_items: Annotated[
        int | None, typer.Option("--shard-items", min=1, help="Items of one file (all but megatron).")
    ] = None,
    layout: Annotated[
        Literal["matrix", "flat"] | None,
        typer.Option("--layout", help="kaldi: frames x codebooks (default), or one row of ids."),
    ] = None,
    audio_root: Annotated[
        Path | None,
        typer.Option("--audio-root", help="lhotse: folder of the recordings, to refer to them in a manifest too."),
    ] = None,
    shar: Annotated[bool | None, typer.Option("--shar", help="lhotse: tar files instead of a file an item.")] = None,
    order: Annotated[
        Literal["flat", "coarse-first"] | None,
        typer.Option("--order", help="megatron: frame by frame (default), or codebook by codebook."),
    ] = None,
    ends: Annotated[
        bool | None, typer.Option("--ends/--no-ends", help="megatron: bos and eos around each item (default yes).")
    ] = None,
    base: Annotated[
        int | None, typer.Option("--base", min=0, help="megatron: first id, after a text vocabulary; default 0.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export in that folder.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Write a store in another format; export.json beside it says which codec and which vocabulary.

    audiocodec tokens export STORE --out tars --format webdataset --shard-items 5000

    audiocodec tokens export STORE --out megatron --format megatron --n-q 4 --base 128000
    """
    from ..tokens.exporters import export as write
    from ..tokens.exporters import options_of
    from ..tokens.store import TokenStore

    given = {
        "shard_items": shard_items,
        "layout": layout,
        "audio_root": audio_root,
        "shar": shar,
        "order": order,
        "ends": ends,
        "base": base,
    }
    options = {name: value for name, value in given.items() if value is not None}
    allowed = options_of(format)
    if foreign := [f"--{name.replace('_', '-')}" for name in options if name not in allowed]:
        console.usage_error(f"{', '.join(foreign)}: not an option of {format}; `audiocodec tokens export --help`")
    opened = TokenStore(store)
    with console.progress(f"{len(opened)} items") as report:
        summary = write(opened, out, format=format, n_q=n_q, overwrite=force, progress=report, **options)
    if json:
        console.print_json(summary)
    else:
        size = f"{summary.files} files, {summary.size_bytes} bytes"
        print(f"{summary.folder}: {summary.items} items, {summary.frames} frames; {size}")
