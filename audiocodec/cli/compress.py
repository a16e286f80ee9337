"""`audiocodec compress`: recordings to .anc files."""

from enum import StrEnum
from typing import Annotated

import typer

from . import console, jobs


class Precision(StrEnum):
    """Of the encoder."""

    float64 = "float64"
    float32 = "float32"


def compress(
    inputs: Annotated[list[str], typer.Argument(metavar="IN", help="Recordings, globs, folders, or - for stdin.")],
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="OUT", help="File, folder, or - for stdout. [beside IN]")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="NAME|DIR", help="Default: speech-16k.")] = None,
    bitrate: Annotated[
        float | None, typer.Option("--bitrate", metavar="KBPS", help="At most so many kbit/s, all channels together.")
    ] = None,
    n_q: Annotated[int | None, typer.Option("--n-q", metavar="K", help="So many codebooks. [all]")] = None,
    beam: Annotated[
        int | None,
        typer.Option("--beam", metavar="N", help="Paths to follow: 1 is fastest, more sound better. [the model's]"),
    ] = None,
    packet: Annotated[
        float | None,
        typer.Option("--packet", metavar="SECONDS", min=0.001, help="For live pipes: each packet leaves at once. [5]"),
    ] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", metavar="KEY=VALUE", help="Text to store.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a file.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors and notes.")] = False,
    threads: jobs.Threads = 1,
    backend: jobs.BackendOption = jobs.Backend.auto,
    precision: Annotated[
        Precision,
        typer.Option("--precision", help="float32: twice as fast, by ONNX Runtime; some codes differ."),
    ] = Precision.float64,
) -> None:
    """Compress recordings of any sample rate, length and number of channels."""
    if bitrate is not None and n_q is not None:
        console.usage_error("--bitrate and --n-q contradict one another; give one")
    tags = _parse_tags(tag or [])
    work = jobs.plan(jobs.find_inputs(inputs, jobs.AUDIO_ENDINGS), output, ".anc")
    pipe = jobs.standard_output("a .anc file") if any(job.target is None for job in work) else None
    if pipe and json:
        console.usage_error("--json and the .anc file cannot both go to standard output; name a file with -o")

    jobs.set_threads(threads, backend)
    from ..compress import DEFAULT_MODEL, Report, compress_file
    from ..compress.models import load_model

    codec = load_model(model or DEFAULT_MODEL, backend.value, beam, precision.value)

    def run(job: jobs.Job, progress: console.Report) -> None:
        with jobs.folder_for(job.target):
            report: Report = compress_file(
                job.source.open(),
                job.target or pipe,  # type: ignore[arg-type]
                model=codec,
                bitrate=1000 * bitrate if bitrate is not None else None,
                n_q=n_q,
                tags=tags,
                packet_seconds=packet,
                overwrite=force,
                progress=progress,
            )
        for note in report.notes:
            jobs.print_note(note)
        if json:
            console.print_json(report)
        elif job.target and not quiet:
            rate = f"{report.bitrate / 1000:.2f} kbit/s" if report.seconds else "no samples"
            print(
                f"{job} -> {job.target}: {report.seconds:.2f} s, {report.n_bytes} bytes, {rate}, "
                f"{report.times_real_time:.0f} x real time"
            )

    console.run_each(work, run)


def _parse_tags(pairs: list[str]) -> dict[str, str]:
    tags = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            console.usage_error(f"--tag {pair!r}: expected KEY=VALUE")
        tags[key] = value
    return tags
