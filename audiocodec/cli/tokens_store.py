"""`audiocodec tokens info, verify, listen, merge, split`: what can be done with a token store that is there."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import BitstreamError, ConfigError
from . import console, jobs

if TYPE_CHECKING:
    from ..tokens.store import TokenItem, TokenStore

Store = Annotated[Path, typer.Argument(metavar="STORE", help="Folder of the store.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]


def info(
    store: Store,
    json: Json = False,
    failures: Annotated[bool, typer.Option("--failures", help="Only the items that failed, and why.")] = False,
    items: Annotated[bool, typer.Option("--items", help="Only the items, one a line: id, seconds, frames.")] = False,
) -> None:
    """Say what a store holds, how far it is and what failed."""
    from ..tokens.store import TokenStore

    opened = TokenStore(store)
    if failures:
        for row in opened.failures():
            console.print_json(row) if json else print(f"{row.id}: {row.error}")
    elif items:
        for item in opened:
            console.print_json(item.row) if json else print(f"{item.id}\t{item.seconds:.3f} s\t{item.frames} frames")
    else:
        facts = read_facts(opened)
        console.print_json(facts) if json else print(describe(facts))


def read_facts(store: "TokenStore") -> dict[str, Any]:
    """What `audiocodec tokens info` says of a store."""
    from ..tokens.plan import pending, read_plans

    header, missing = store.header, pending(store.path)
    return {
        "store": store.path,
        "codec": header.codec_name,
        "weights_sha256": header.weights_sha256,
        "config_sha256": header.config_sha256,
        "sample_rate": header.sample_rate,
        "frame_rate": header.frame_rate,
        "codebook_sizes": header.codebook_sizes,
        "items": len(store),
        "failed": store.n_failed,
        "hours": store.hours,
        "frames": store.n_frames,
        "bytes": sum(marker.codes_bytes + marker.index_bytes for marker in store.markers),
        "shards": len(store.shard_numbers),
        "shards_missing": len(missing),
        "recordings_planned": sum(sum(plan.counts) for plan in read_plans(store.path)),
        "hash": store.hash,
    }


def describe(facts: dict[str, Any]) -> str:
    """The lines that `audiocodec tokens info` prints."""
    sizes = facts["codebook_sizes"]
    books = f"{len(sizes)} codebooks of {sizes[0]}" if len(set(sizes)) == 1 else f"codebooks of {list(sizes)}"
    missing, failed = facts["shards_missing"], facts["failed"]
    state = f"{missing} more are planned: `audiocodec tokens run` goes on" if missing else "complete"
    return (
        f"{facts['store']}\n"
        f"  codec      {facts['codec']} (weights {facts['weights_sha256'][:8]}, config {facts['config_sha256'][:8]})\n"
        f"  codes      {books}, {facts['frame_rate']} frames/s, from {facts['sample_rate']} Hz\n"
        f"  items      {facts['items']}, {facts['hours']:.2f} h, {facts['frames']} frames"
        + (f"; {failed} failed: --failures lists them\n" if failed else "\n")
        + f"  shards     {facts['shards']}, {facts['bytes']} bytes; {state}\n"
        f"  hash       {facts['hash']}"
    )


def verify(
    store: Store,
    audio: Annotated[
        float, typer.Option("--audio", min=0, max=1, help="Share of the recordings to code again and compare.")
    ] = 0.0,
    model: Annotated[str | None, typer.Option("--model", help="Codec for --audio; default: as planned.")] = None,
    json: Json = False,
) -> None:
    """Check every checksum, index row and code of a store; exit 1 if something is wrong."""
    from ..tokens.verify import verify as check
    from ..tokens.work import Settings

    with console.progress(str(store)) as report:
        verdict = check(store, audio=audio, settings=Settings(model=model), report=report)
    if json:
        console.print_json(verdict)
    else:
        for fault in verdict.faults:
            print(f"{fault.file}: {fault.what}")
        again = f", {jobs.count(verdict.checked, 'item')} coded again" if audio else ""
        missing = f"; {jobs.count(verdict.missing, 'shard')} not there yet" if verdict.missing else ""
        print(
            f"{store}: {jobs.count(verdict.items, 'item')}, {verdict.failed} failed{again}{missing}: "
            + (f"{jobs.count(len(verdict.faults), 'fault')}" if verdict.faults else "good")
        )
    if verdict.faults:
        raise BitstreamError(
            f"{store}: {jobs.count(len(verdict.faults), 'fault')}; delete the .done files of damaged "
            "shards and give `audiocodec tokens run` to make them again"
        )


def listen(
    store: Store,
    item: Annotated[str, typer.Argument(metavar="ITEM", help="Id of an item, or its number (-1: the last).")],
    out: Annotated[Path, typer.Option("--out", "-o", help=".wav, .flac or .ogg to write.")],
    start: Annotated[float, typer.Option("--start", min=0, help="Where to begin, s.")] = 0.0,
    seconds: Annotated[float | None, typer.Option("--seconds", min=0, help="How much; default: to the end.")] = None,
    n_q: Annotated[int | None, typer.Option("--n-q", min=1, help="Only the first codebooks.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Codec; default: the shipped one of its name.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Decode an item, or a stretch of it, into an audio file."""
    from ..audio.io import write_audio
    from ..tokens.store import TokenStore

    found = _find(TokenStore(store), item)
    wav, rate = found.decode(model, n_q=n_q, start_s=start, seconds=seconds)
    write_audio(out, wav, rate, overwrite=force)
    print(f"{found.id} -> {out}: {wav.shape[1] / rate:.2f} s at {rate} Hz")


def _find(store: "TokenStore", name: str) -> "TokenItem":
    if name in store:
        return store[name]
    try:
        return store[int(name)]
    except (ValueError, IndexError):
        raise ConfigError(
            f"{name!r}: no item of {store.path} has this id or number; it has {len(store)} items: "
            f"`audiocodec tokens info {store.path} --items`"
        ) from None


def merge(
    stores: Annotated[list[Path], typer.Argument(metavar="STORE...", help="Stores of one codec.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The new store.")],
) -> None:
    """Put the shards of several stores into a new one; files are linked, not copied, where that can be."""
    from ..tokens.edit import merge as put_together

    with console.progress(str(out)) as report:
        merged = put_together(stores, out, report)
    print(f"{out}: {len(merged)} items, {merged.hours:.2f} h from {len(stores)} stores; hash {merged.hash}")


def split(
    store: Store,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the new stores.")],
    parts: Annotated[str, typer.Option("--parts", help="Names and shares, such as train=0.98,valid=0.02.")],
    by: Annotated[
        str, typer.Option("--by", help="What stays together: id, source, or a field such as speaker.")
    ] = "id",
    seed: Annotated[int, typer.Option("--seed", help="Another one deals otherwise.")] = 0,
) -> None:
    """Deal the items of a store out to several; where an item goes depends on its key and the seed alone."""
    from ..tokens.edit import split as deal

    with console.progress(str(store)) as report:
        made = deal(store, out, _shares(parts), by=by, seed=seed, report=report)
    for name, part in made.items():
        print(f"{out / name}: {len(part)} items, {part.hours:.2f} h")


def _shares(text: str) -> dict[str, float]:
    try:
        pairs = [part.split("=") for part in text.split(",")]
        return {name.strip(): float(share) for name, share in pairs}
    except ValueError:
        raise ConfigError(f"--parts {text!r}: expected names and shares such as train=0.98,valid=0.02") from None
