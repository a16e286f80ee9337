"""Finding damage in .anc files, and saving what is not damaged."""

from dataclasses import dataclass, replace
from typing import BinaryIO

from .container import Damage, Reader, StreamInfo, Writer
from .packets import MODE_LOST
from .tables import Tables


@dataclass(frozen=True)
class Report:
    """What `verify` or `repair` found.

    Args:
        info: the header, with the length if the footer says it.
        n_packets: good packets.
        n_frames: frames in all, missing ones included.
        n_lost: frames whose codes are missing.
        n_unchecked: packets whose checksum is right, but whose codes were not decoded (entropy tables not given, or a
            coding mode of a later version).
        has_footer: the file ends as it should.
        damage: every stretch that could not be used.
    """

    info: StreamInfo
    n_packets: int
    n_frames: int
    n_lost: int
    n_unchecked: int
    has_footer: bool
    damage: tuple[Damage, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing at all is wrong with the file."""
        return self.has_footer and not self.damage and not self.n_lost

    def __str__(self) -> str:
        seconds = float(self.n_frames / self.info.frame_rate)
        lines = [f"{self.n_packets} good packets, {self.n_frames} frames ({seconds:.2f} s), {self.n_lost} lost"]
        if self.n_unchecked:
            lines.append(f"{self.n_unchecked} packets have the right checksum but were not decoded")
        for damage in self.damage:
            frames = f", frames {damage.first_frame} to {damage.end_frame - 1} lost"
            where = f"bytes {damage.first_byte} to {damage.end_byte - 1}" if damage.end_byte > damage.first_byte else (
                f"byte {damage.first_byte}")  # fmt: skip
            lines.append(f"{where}{frames * (damage.end_frame > damage.first_frame)}: {damage.reason}")
        return "\n".join(lines)


def verify(source: BinaryIO, *, tables: Tables | None = None, info: StreamInfo | None = None) -> Report:
    """Check a whole file: every checksum, every code, the order of packets, the footer and the hash of the whole.

    Args:
        source: the .anc file; a pipe will do.
        tables: entropy tables of the model, to decode the packets that need them.
        info: a header to use in place of the file's own, if that is destroyed.
    Returns:
        What was found; `report.ok` says whether all is well.
    Raises:
        BitstreamError: there is no usable header, or nothing but damage.
    """
    return _scan(source, None, tables, info)


def repair(
    source: BinaryIO, target: BinaryIO, *, tables: Tables | None = None, info: StreamInfo | None = None
) -> Report:
    """Copy every undamaged packet into a whole file, in which missing frames are marked as lost.

    Args:
        source: the damaged .anc file; a pipe will do.
        target: opened for writing in binary.
        tables, info: as in `verify`; `info` may come from any file made by the same model with the same settings.
    Returns:
        What was found in the source.
    Raises:
        BitstreamError: as `verify`.
    """
    return _scan(source, target, tables, info)


def _scan(source: BinaryIO, target: BinaryIO | None, tables: Tables | None, info: StreamInfo | None) -> Report:
    reader = Reader(source, tolerant=True, tables=tables, info=info)
    writer = None
    if target is not None:
        whole = len(reader.info.weights_sha256) == 32
        writer = Writer(target, replace(reader.info, original_samples=None), full_hashes=whole)
    n_packets = n_frames = n_lost = n_unchecked = 0
    for packet in reader.packets():
        n_frames = packet.end
        if packet.mode == MODE_LOST:
            n_lost += packet.n_frames
        else:
            n_packets += 1
            n_unchecked += not reader.can_decode(packet)
        if writer is not None:
            writer.write_packet(replace(packet, redundant=False))
    if writer is not None:
        writer.close(reader.info.original_samples)
    has_footer = reader.ended_well
    return Report(reader.info, n_packets, n_frames, n_lost, n_unchecked, has_footer, tuple(reader.damage))
