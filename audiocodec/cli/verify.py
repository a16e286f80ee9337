"""`audiocodec verify`: whether .anc files are whole, and where they are not; needs no model and no torch."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, BinaryIO, cast

import typer

from ..errors import BitstreamError
from . import console, jobs

if TYPE_CHECKING:
    from ..bitstream.container import Damage


@dataclass(frozen=True)
class Verdict:
    """What was found in one .anc file."""

    file: str
    good: bool
    n_bytes: int
    n_packets: int  # undamaged ones
    n_frames: int  # in all, as far as known
    n_lost_frames: int  # damaged, missing, or marked as lost by the writer
    damage: "tuple[Damage, ...]"


def verify(
    inputs: Annotated[list[str], typer.Argument(metavar="IN", help=".anc files, globs, folders, or - for stdin.")],
    json: Annotated[bool, typer.Option("--json", help="One JSON object a file.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print damaged files only.")] = False,
) -> None:
    """Check every checksum of .anc files; exit 1 if one is damaged."""

    def run(item: jobs.Input, progress: console.Report) -> None:
        verdict = check(item)
        if json:
            console.print_json(verdict)
        elif not (verdict.good and quiet):
            print(describe(verdict))
        if not verdict.good:
            raise BitstreamError(f"{item}: is {_places(verdict)}")

    console.run_each(jobs.find_inputs(inputs, jobs.ANC_ENDINGS), run)


def check(item: jobs.Input) -> Verdict:
    """Read a whole .anc file past its damage.

    Raises:
        BitstreamError: there is no header to read, or nothing but damage.
    """
    from ..bitstream.files import open_anc
    from ..bitstream.repair import verify as scan

    with open_anc(item.open()) as anc:
        found = scan(cast(BinaryIO, anc))
        return Verdict(str(item), found.ok, anc.n_bytes, found.n_packets, found.n_frames, found.n_lost, found.damage)


def describe(verdict: Verdict) -> str:
    """Return the lines that `audiocodec verify` prints for one file."""
    good = f"{jobs.count(verdict.n_packets, 'good packet')}, {jobs.count(verdict.n_frames, 'frame')}"
    if verdict.good:
        return f"{verdict.file}: good: {good}, {verdict.n_bytes} bytes; all checksums and the file's hash agree"
    lines = [f"{verdict.file}: {_places(verdict)}; {good}, {verdict.n_lost_frames} of them lost"]
    for place in verdict.damage:
        frames = f"frames {place.first_frame} to {place.end_frame - 1}"
        lines.append(
            f"  bytes {place.first_byte} to {max(place.first_byte, place.end_byte - 1)}: {place.reason}"
            + (f" ({frames} lost)" if place.end_frame > place.first_frame else "")
        )
    return "\n".join(lines)


def _places(verdict: Verdict) -> str:
    """What is wrong, in a few words; without damage it is that the writer itself had lost frames."""
    return f"damaged in {jobs.count(len(verdict.damage), 'place')}" if verdict.damage else "not complete"
