"""`audiocodec tokens`: recordings to a token store on one machine or many, and what is done with a store after."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from ..errors import ConfigError
from . import console
from .tokens_export import export
from .tokens_store import info, listen, merge, split, verify

if TYPE_CHECKING:
    from ..tokens.engines import Failed
    from ..tokens.progress import Progress
    from ..tokens.work import Report, Settings

DEFAULT_MODEL = "speech-16k"
LOG_EVERY_S = 30.0


class _Group(TyperGroup):
    """Takes `tokens IN --out STORE` for `tokens extract IN --out STORE`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands:
            args = ["extract", *args]
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0].startswith("-") and args[0] not in ("-h", "--help"):
            args = ["extract", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Recordings to a token store for language models: `audiocodec tokens IN --out STORE`; and what comes after. "
    "(`audiocodec tokens extract --help` lists the options.)",
)

Model = Annotated[str | None, typer.Option("--model", help="Codec: name, folder or hub id.")]
Engine = Annotated[
    Literal["local", "ray"], typer.Option("--engine", help="local: processes of this machine; ray: a Ray cluster.")
]
Address = Annotated[str | None, typer.Option("--address", help="Of the Ray cluster; auto: the one of this machine.")]
Part = Annotated[str | None, typer.Option("--part", metavar="I/N", help="Only part I (0 to N-1) of N, for job arrays.")]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=0, help="Worker processes; 0: one a GPU, else one a core.")]
BatchSeconds = Annotated[
    float | None, typer.Option("--batch-seconds", help="Audio encoded at once, s; changes speed and memory only.")
]
DecodeWorkers = Annotated[
    int, typer.Option("--decode-workers", min=0, help="Threads (ray: tasks) that decode ahead, each worker.")
]
Device = Annotated[str | None, typer.Option("--device", help="cpu, cuda, ...; default: a GPU where there is one.")]
Log = Annotated[bool, typer.Option("--log", help="Progress as lines on stderr, for job logs.")]


@app.command()
def extract(
    inputs: Annotated[
        list[str], typer.Argument(metavar="IN", help="Recordings, folders, manifests (.jsonl: path, duration, ...).")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The store: a new folder, or one to go on with.")],
    model: Model = None,
    n_q: Annotated[int | None, typer.Option("--n-q", min=1, help="Codebooks to keep; default all.")] = None,
    channels: Annotated[
        Literal["split", "mix"], typer.Option("--channels", help="split: an item a channel; mix: all mixed to one.")
    ] = "split",
    append: Annotated[bool, typer.Option("--append", help="Add these recordings to what the store has.")] = False,
    shard_minutes: Annotated[
        float | None, typer.Option("--shard-minutes", help="Audio in a shard; default: by size of the corpus.")
    ] = None,
    plan_only: Annotated[bool, typer.Option("--plan-only", help="Make the store and its plan; code nothing.")] = False,
    jobs: Jobs = 0,
    engine: Engine = "local",
    address: Address = None,
    part: Part = None,
    batch_seconds: BatchSeconds = None,
    decode_workers: DecodeWorkers = 2,
    device: Device = None,
    retry_failures: Annotated[
        bool, typer.Option("--retry-failures", help="Code shards with failed items again.")
    ] = False,
    log: Log = False,
) -> None:
    """Code recordings into a token store; what is interrupted goes on when the same command is given again."""
    from ..tokens.work import Settings, begin

    plan = begin(
        out,
        inputs,
        model or DEFAULT_MODEL,
        n_q=n_q,
        channels=channels,
        shard_seconds=None if shard_minutes is None else 60 * shard_minutes,
        append=append,
    )
    if plan_only:
        size = f"{sum(plan.counts)} recordings, {plan.total_seconds / 3600:.2f} h in {len(plan.starts)} shards"
        print(f"{out}: {size}; to code them: audiocodec tokens run {out}")
        return
    settings = Settings(model, device, batch_seconds, decode_workers)
    _run(out, settings, jobs, engine, address, part, retry_failures, log)


@app.command()
def run(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="A store that is planned.")],
    model: Model = None,
    jobs: Jobs = 0,
    engine: Engine = "local",
    address: Address = None,
    part: Part = None,
    batch_seconds: BatchSeconds = None,
    decode_workers: DecodeWorkers = 2,
    device: Device = None,
    retry_failures: Annotated[
        bool, typer.Option("--retry-failures", help="Code shards with failed items again.")
    ] = False,
    log: Log = False,
) -> None:
    """Code what a store's plan wants and is not there yet."""
    from ..tokens.work import Settings

    _run(
        store, Settings(model, device, batch_seconds, decode_workers), jobs, engine, address, part, retry_failures, log
    )


for command in (info, verify, export, listen, merge, split):
    app.command()(command)


def _run(
    store: Path,
    settings: "Settings",
    jobs: int,
    engine: str,
    address: str | None,
    part: str | None,
    retry_failures: bool,
    log: bool,
) -> None:
    from ..tokens.plan import pending
    from ..tokens.progress import Progress, forget_failures, planned_hours, summary

    if engine != "ray" and address is not None:
        console.usage_error("--address is of the Ray engine: add --engine ray")
    if part is not None and (engine == "ray" or jobs > 1):
        console.usage_error("--part is one process of a job array: leave --engine and --jobs out")
    if retry_failures and part is None:
        forget_failures(store)
    elif retry_failures:
        console.usage_error("--retry-failures is for one process: give it without --part, then run the parts again")
    shards = pending(store)
    progress = Progress(planned_hours(store, shards), len(shards))
    results: Iterable[Report | Failed]
    if part is not None:
        from ..tokens.engines.parts import run_part

        results = run_part(store, *_part(part), settings)
    elif engine == "ray":
        from ..tokens.engines.on_ray import run_ray

        results = run_ray(store, shards, settings, address=address, workers=jobs)
    else:
        from ..tokens.engines.local import run_local

        results = run_local(store, shards, settings, jobs)
    with _shown(progress, log) as show:
        for result in results:
            progress.add(result)
            show()
    print(summary(store, progress))
    if progress.failed_items or progress.failed_shards:
        raise typer.Exit(1)


def _part(text: str) -> tuple[int, int]:
    """`2/16` as numbers."""
    try:
        part, parts = (int(number) for number in text.split("/"))
    except ValueError:
        raise ConfigError(f"--part {text!r}: expected I/N such as 0/16") from None
    if not 0 <= part < parts:
        raise ConfigError(f"--part {text!r}: parts are 0/{parts} to {parts - 1}/{parts}")
    return part, parts


@contextlib.contextmanager
def _shown(progress: "Progress", log: bool) -> Iterator[Callable[[], None]]:
    """Show progress while the block runs: a bar on a terminal, lines in a log if asked, else nothing."""
    if log:
        last = time.monotonic()

        def write() -> None:
            nonlocal last
            if time.monotonic() - last >= LOG_EVERY_S or progress.done == progress.shards:
                last = time.monotonic()
                print(progress.line(), file=sys.stderr, flush=True)

        yield write
        return
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich import progress as bars
    from rich.console import Console

    columns = (bars.BarColumn(), bars.TaskProgressColumn(), bars.TextColumn("{task.description}", markup=False))
    with bars.Progress(*columns, console=Console(stderr=True), transient=True) as display:
        task = display.add_task(
            f"{progress.planned_hours:.2f} h of audio in {progress.shards} shards", total=progress.shards
        )
        yield lambda: display.update(task, completed=progress.done, description=progress.line())
