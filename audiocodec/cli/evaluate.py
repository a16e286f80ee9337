"""`audiocodec evaluate`: codecs side by side on a set of recordings, ours and other people's."""

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..errors import CodecError, ConfigError
from . import console


def evaluate(
    data: Annotated[list[str], typer.Option("--data", help="Folder, manifest (.jsonl) or recording; may be repeated.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for results, tables, plots and report.html.")],
    codec: Annotated[str, typer.Option("--codec", help="Our models, comma-separated: names, folders or hub ids.")] = "",
    bitrate: Annotated[str, typer.Option("--bitrate", help="kbit/s for each of our models.")] = "1.5,3,6",
    peers: Annotated[
        str, typer.Option("--peers", help="Families (opus, amrwb, lyra, …), settings (opus_9k) or all.")
    ] = "",
    metrics: Annotated[str, typer.Option("--metrics", help="Names or groups: core, extended, all.")] = "core",
    sample_rate: Annotated[int, typer.Option("--sample-rate", help="Hz at which signals are compared.")] = 16000,
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Processes; 0: one a core.")] = 0,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds for one file and codec.")] = 900.0,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N recordings.")] = None,
    examples: Annotated[int, typer.Option("--examples", min=0, help="Worst files to hear in the report.")] = 10,
    listen: Annotated[int, typer.Option("--listen", min=0, help="Also make a blind test of N recordings.")] = 0,
    lyra_weights: Annotated[
        str | None, typer.Option("--lyra-weights", help="Folder with Lyra's .tflite files.")
    ] = None,
    earlier: Annotated[
        list[Path] | None, typer.Option("--with", help="results.jsonl of another run to take scores from.")
    ] = None,
) -> None:
    """Score codecs on recordings and write tables, plots and a report; an interrupted run is taken up again."""
    from ..data.manifest import collect
    from ..data.pool import Pool
    from ..evaluation.listening import spread_over, write_page
    from ..evaluation.outputs import write_outputs
    from ..evaluation.own import OwnCodec
    from ..evaluation.peers import parse
    from ..evaluation.run import evaluate as run
    from ..evaluation.tables import brief
    from ..metrics.catalogue import choose

    rates = _bitrates(bitrate)
    models = [name for name in (part.strip() for part in codec.split(",")) if name]
    systems = [*(OwnCodec(model, rate) for model in models for rate in rates), *parse(peers, lyra_weights)]
    if not systems:
        console.usage_error("nothing to evaluate: give --codec, --peers or both")
    recordings, wanted = collect(data)[:limit], choose(metrics)
    n_processes = jobs or os.cpu_count() or 1
    command = shlex.join(_publishable(word) for word in sys.argv)
    out.mkdir(parents=True, exist_ok=True)
    with Pool(n_processes, timeout, log=str(out / "workers.log")) as pool:
        with console.progress(f"{len(recordings)} files, {len(systems)} codecs") as report:
            evaluation = run(
                recordings,
                systems,
                wanted,
                out,
                pool,
                sample_rate=sample_rate,
                earlier=earlier or (),
                report=report,
            )
        summaries = write_outputs(evaluation, out, pool, command=command, n_examples=examples)
        if listen:
            page, key = write_page(evaluation, spread_over(list(evaluation.paths), listen), out, pool)
            print(f"{page}: for listeners; {key}: not for them; recipes/listening.py puts their answers together")
    print(brief(evaluation, summaries))
    print(f"\n{evaluation.wall_s:.0f} s; {out / 'report.html'}, {out / 'table.md'}, {out / 'table.csv'}")
    if failed := sum(summary.n_failed for summary in summaries):
        raise CodecError(f"{failed} of {len(evaluation.records)} codings gave no audio; {out / 'table.md'} says why")


def _publishable(word: str) -> str:
    """A word of the command line as published results may show it: paths outside the working folder by name only."""
    outside = word.startswith(("/", "~", ".."))
    return Path(word).name if outside else word


def _bitrates(text: str) -> list[float]:
    """Comma-separated kbit/s as bit/s."""
    try:
        rates = [1000 * float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise ConfigError(f"--bitrate {text!r}: expected kbit/s such as 1.5,3,6") from None
    if not rates or min(rates) <= 0:
        raise ConfigError(f"--bitrate {text!r}: expected kbit/s above 0 such as 1.5,3,6")
    return rates
