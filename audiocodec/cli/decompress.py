"""`audiocodec decompress`: .anc files to recordings."""

from enum import StrEnum
from typing import Annotated

import typer

from . import console, jobs


class Ending(StrEnum):
    """File formats that can be written."""

    wav = "wav"
    flac = "flac"
    ogg = "ogg"


class SampleFormat(StrEnum):
    """How samples are written to WAV and FLAC."""

    pcm16 = "pcm16"
    pcm24 = "pcm24"
    float32 = "float32"


def decompress(
    inputs: Annotated[list[str], typer.Argument(metavar="IN", help=".anc files, globs, folders, or - for stdin.")],
    output: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", metavar="OUT", help="File (.wav, .flac, .ogg), folder, or - for stdout. [beside IN]"
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME|DIR", help="What made the files. [the file says]")
    ] = None,
    to: Annotated[Ending, typer.Option("--to", help="Format where OUT does not say it.")] = Ending.wav,
    sample_format: Annotated[
        SampleFormat, typer.Option("--sample-format", help="Of WAV and FLAC.")
    ] = SampleFormat.pcm16,
    start: Annotated[float, typer.Option("--start", metavar="SECONDS", min=0, help="Begin there.")] = 0.0,
    duration: Annotated[
        float | None, typer.Option("--duration", metavar="SECONDS", min=0, help="Only so much. [to the end]")
    ] = None,
    conceal: Annotated[
        bool, typer.Option("--conceal", help="Go on after damage and fill the gaps; without it damage is an error.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a file.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
    threads: jobs.Threads = 1,
    backend: jobs.BackendOption = jobs.Backend.auto,
) -> None:
    """Decompress .anc files to recordings with the length, sample rate and channels of the original."""
    work = jobs.plan(jobs.find_inputs(inputs, jobs.ANC_ENDINGS), output, f".{to}")
    pipe = jobs.standard_output("a WAV file") if any(job.target is None for job in work) else None
    if pipe and json:
        console.usage_error("--json and the recording cannot both go to standard output; name a file with -o")

    jobs.set_threads(threads, backend)
    from ..compress import decompress_file
    from ..compress.models import able, load_model

    codec = load_model(model, able(backend.value, conceal)) if model is not None else None

    def run(job: jobs.Job, progress: console.Report) -> None:
        with jobs.folder_for(job.target):
            report = decompress_file(
                job.source.open(),
                job.target or pipe,  # type: ignore[arg-type]
                model=codec,
                backend=backend.value,
                sample_format=sample_format.value,
                start=start,
                duration=duration,
                conceal=conceal,
                overwrite=force,
                progress=progress,
            )
        for note in report.notes:
            jobs.print_note(note)
        if json:
            console.print_json(report)
        elif job.target and not quiet:
            print(
                f"{job} -> {job.target}: {report.seconds:.2f} s, {report.sample_rate} Hz, "
                f"{jobs.channels(report.channels)}, {report.times_real_time:.0f} x real time"
            )

    console.run_each(work, run)
