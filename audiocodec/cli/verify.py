"""`audiocodec verify`: whether .anc files are whole, and where they are not; needs no model and no torch."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

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
    n_frames: int  # in undamaged packets
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
            raise BitstreamError(f"{item}: is damaged in {jobs.count(len(verdict.damage), 'place')}")

    console.run_each(jobs.find_inputs(inputs, jobs.ANC_ENDINGS), run)


def check(item: jobs.Input) -> Verdict:
    """Read a whole .anc file past its damage.

    Raises:
        BitstreamError: there is no header to read, or too much damage to go on.
    """
    from ..bitstream.container import MODE_LOST
    from ..bitstream.files import open_anc

    n_packets = n_frames = n_lost = 0
    with open_anc(item.open(), tolerant=True) as anc:
        for packet in anc.reader.packets():
            if packet.mode == MODE_LOST:
                n_lost += packet.n_frames
            else:
                n_packets, n_frames = n_packets + 1, n_frames + packet.n_frames
        damage = tuple(anc.reader.damage)
        return Verdict(str(item), not damage, anc.n_bytes, n_packets, n_frames, n_lost, damage)


def describe(verdict: Verdict) -> str:
    """Return the lines that `audiocodec verify` prints for one file."""
    good = f"{jobs.count(verdict.n_packets, 'packet')} with {jobs.count(verdict.n_frames, 'frame')}"
    lost = f"{jobs.count(verdict.n_lost_frames, 'frame')} between them lost"
    if verdict.good:
        gaps = f"; when it was written it had {lost}" if verdict.n_lost_frames else ""
        return f"{verdict.file}: good: {good}, {verdict.n_bytes} bytes; all checksums and the file's hash agree{gaps}"
    lines = [f"{verdict.file}: damaged: {jobs.count(len(verdict.damage), 'place')}; {good} can be used, {lost}"]
    for place in verdict.damage:
        frames = f"frames {place.first_frame} to {place.end_frame - 1}"
        lines.append(
            f"  bytes {place.first_byte} to {place.end_byte - 1}: {place.reason}"
            + (f" ({frames} lost)" if place.end_frame > place.first_frame else "")
        )
    return "\n".join(lines)
