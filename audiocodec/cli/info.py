"""`audiocodec info`: what a .anc file says of itself; needs no model and no torch."""

from dataclasses import dataclass
from typing import Annotated, BinaryIO, cast

import typer

from ..errors import BitstreamError
from . import console, jobs


@dataclass(frozen=True)
class FileSummary:
    """One .anc file; None where it does not say."""

    file: str
    n_bytes: int
    seconds: float | None
    n_samples: int | None  # per channel, at the original rate
    original_rate: int  # of the recording, Hz
    channels: int
    model_name: str
    weights_sha256: str  # hex, at least the first 8 digits
    n_q: int
    codebook_sizes: tuple[int, ...]
    sample_rate: int  # of the codec, Hz
    frame_rate: float  # Hz
    n_frames: int
    n_packets: int
    bitrate_nominal: float  # bit/s of the codes in fixed width, all channels
    bitrate_measured: float | None  # n_bytes * 8 / seconds
    tags: dict[str, str]
    error: str | None  # what is wrong with the file


def info(
    inputs: Annotated[list[str], typer.Argument(metavar="IN", help=".anc files, globs, folders, or - for stdin.")],
    json: Annotated[bool, typer.Option("--json", help="One JSON object a file.")] = False,
) -> None:
    """Show duration, sample rate, channels, model, codebooks and bitrates of .anc files."""

    def run(item: jobs.Input, progress: console.Report) -> None:
        summary = summarize(item)
        if json:
            console.print_json(summary)
        else:
            print(describe(summary))
        if summary.error:
            raise BitstreamError(f"{item}: {summary.error}; `audiocodec verify` says where")

    console.run_each(jobs.find_inputs(inputs, jobs.ANC_ENDINGS), run)


def summarize(item: jobs.Input) -> FileSummary:
    """Read a whole .anc file, every checksum with it, but decode nothing.

    Raises:
        BitstreamError: there is no header to read.
    """
    from ..bitstream.container import Reader
    from ..bitstream.files import open_anc

    n_packets = n_frames = 0
    error = None
    with open_anc(item.open()) as anc:
        reader = Reader(cast(BinaryIO, anc))
        try:
            for packet in reader.packets():
                n_packets, n_frames = n_packets + 1, packet.end
        except BitstreamError as damage:
            error = str(damage)
        stream = reader.info
        seconds = None
        if stream.original_samples is not None:
            seconds = stream.original_samples / stream.original_rate
        return FileSummary(
            file=str(item),
            n_bytes=anc.n_bytes,
            seconds=seconds,
            n_samples=stream.original_samples,
            original_rate=stream.original_rate,
            channels=stream.channels,
            model_name=stream.model_name,
            weights_sha256=stream.weights_sha256.hex(),
            n_q=stream.n_q,
            codebook_sizes=stream.codebook_sizes,
            sample_rate=stream.sample_rate,
            frame_rate=float(stream.frame_rate),
            n_frames=n_frames,
            n_packets=n_packets,
            bitrate_nominal=stream.bitrate,
            bitrate_measured=anc.n_bytes * 8 / seconds if seconds else None,
            tags=stream.tags,
            error=error,
        )


def describe(summary: FileSummary) -> str:
    """Return the lines that `audiocodec info` prints for one file."""
    length = "unknown length" if summary.seconds is None else f"{summary.seconds:.3f} s ({summary.n_samples} samples)"
    sizes = sorted(set(summary.codebook_sizes))
    measured = "" if summary.bitrate_measured is None else f", {summary.bitrate_measured / 1000:.3f} kbit/s measured"
    lines = [
        summary.file,
        f"  audio    {length}, {summary.original_rate} Hz, {jobs.channels(summary.channels)}",
        f"  model    {summary.model_name}, weights {summary.weights_sha256[:8]}",
        f"  codes    {summary.n_q} codebooks of {', '.join(map(str, sizes))}, {summary.frame_rate:g} frames/s "
        f"at {summary.sample_rate} Hz",
        f"  packets  {summary.n_packets}, {jobs.count(summary.n_frames, 'frame')} in all",
        f"  size     {summary.n_bytes} bytes: {summary.bitrate_nominal / 1000:g} kbit/s nominal{measured}",
    ]
    lines += [f"  tag      {key}={value}" for key, value in summary.tags.items()]
    return "\n".join(line if line.isprintable() else repr(line)[1:-1] for line in lines)
