"""Kaldi: binary archives with an index, and the text files that go with them.

    kaldiio.load_scp("OUT/codes.scp")[key]      # [T, n_q] float32, or ids int32 [T * n_q] with layout="flat"

Kaldi has matrices of floats and vectors of int32, nothing of whole numbers with two dimensions. Floats hold codes
exactly (they are below 2^24), and every Kaldi tool for features reads them.

Source: the archive format, kaldi-asr.org/doc/io.html; matrices as in kaldi-matrix.cc, vectors as in io-funcs-inl.h.
"""

import contextlib
import struct
from collections.abc import Iterator
from typing import BinaryIO, TextIO

import numpy as np

from ...errors import ConfigError
from ..item import TokenItem
from ..views import View, flat
from .job import Job, check_shard_items

LAYOUTS = ("matrix", "flat")


def write(job: Job, layout: str = "matrix", shard_items: int = 100_000) -> None:
    """Write codes.0.ark, codes.1.ark, ..., codes.scp, utt2num_frames, and text and utt2spk where the store has them.

    Spaces in ids become underscores: a key ends at a space.

    Args:
        job: what to export.
        layout: "matrix": frames x codebooks, raw codes; "flat": one row of ids, frame-interleaved, see `views.flat`.
        shard_items: items of one archive.
    Raises:
        ConfigError: another layout, or two ids that differ only in their spaces.
    """
    if layout not in LAYOUTS:
        raise ConfigError(f"layout {layout!r}: allowed are {', '.join(LAYOUTS)}")
    check_shard_items(shard_items)
    view = flat(job.sizes, ends=False) if layout == "flat" else None
    if view:
        job.declare(view, name="flat")
    with contextlib.ExitStack() as files:
        scp, frames, text, speakers = (
            files.enter_context(_lines(job, name)) for name in ("codes.scp", "utt2num_frames", "text", "utt2spk")
        )
        ark: BinaryIO | None = None
        for number, (key, item) in enumerate(_keyed(job)):
            if number % shard_items == 0:
                name = f"codes.{number // shard_items}.ark"
                ark = files.enter_context(open(job.folder / name, "wb"))
            assert ark is not None
            place = _append(ark, key, job.codes(item), view)
            scp.write(f"{key} {job.out / name}:{place}\n")
            frames.write(f"{key} {item.frames}\n")
            if item.fields.get("text"):
                text.write(f"{key} {' '.join(str(item.fields['text']).split())}\n")
            if item.fields.get("speaker"):
                speakers.write(f"{key} {'_'.join(str(item.fields['speaker']).split())}\n")
    for name in ("text", "utt2spk"):
        if not (job.folder / name).stat().st_size:
            (job.folder / name).unlink()


def _keyed(job: Job) -> Iterator[tuple[str, TokenItem]]:
    seen: set[str] = set()
    for _, item in job.items():
        key = "_".join(item.id.split()) or "_"
        if key != item.id and (key in seen or key in job.store):
            raise ConfigError(f"{item.id!r}: the key {key!r} of Kaldi, without spaces, is another item's id")
        if key != item.id:
            seen.add(key)
        yield key, item


def _append(ark: BinaryIO, key: str, codes: np.ndarray, view: View | None) -> int:
    """Write one entry; returns where its value begins, which is what a line of an scp file says."""
    ark.write(key.encode() + b" ")
    place = ark.tell()
    if view is None:
        ark.write(b"\0BFM " + struct.pack("<bibi", 4, codes.shape[1], 4, codes.shape[0]))
        ark.write(np.ascontiguousarray(codes.T, dtype="<f4").tobytes())
    else:
        ids = view(codes).tokens
        entries = np.empty(len(ids), dtype=[("width", "i1"), ("id", "<i4")])
        entries["width"], entries["id"] = 4, ids
        ark.write(b"\0B" + struct.pack("<bi", 4, len(ids)) + entries.tobytes())
    return place


@contextlib.contextmanager
def _lines(job: Job, name: str) -> Iterator[TextIO]:
    with open(job.folder / name, "w", encoding="utf-8", newline="\n") as file:
        yield file
