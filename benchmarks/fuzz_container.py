"""Throws damaged and forged .anc files at every reader; only CodecError may come out, in time and in memory.

    python -m benchmarks.fuzz_container --seconds 60                 mutations of good files, both harnesses
    python -m benchmarks.fuzz_container --harness repaired --executions 1000000 --seed 7

Two harnesses: `raw` changes bytes anyhow, and nearly everything stops at a checksum; `repaired` changes fields and
payloads and then makes lengths, checksums and hash right again, so that what lies behind them is reached.
A failure is printed with the file in hexadecimal and ends the run with exit code 1. `benchmarks/fuzz_guided.py` gives
the same readers files that are found by coverage.
"""

import argparse
import io
import time
import tracemalloc
import zlib
from collections import Counter
from collections.abc import Callable
from itertools import islice

import numpy as np

from audiocodec.bitstream.container import Reader, Tables, read
from audiocodec.bitstream.edit import concatenate, cut, truncate
from audiocodec.bitstream.repair import repair, verify
from audiocodec.errors import CodecError
from benchmarks.container_mutations import Corpus, mutate_raw, mutate_repaired

SECONDS_PER_FILE, SECONDS_PER_BYTE = 0.5, 200e-6
"""Time that a reader may take. Honest files take 2e-6 s a byte; a forged one, full of codes of half a bit, 1e-4."""
BYTES_OF_MEMORY, MEMORY_PER_BYTE = 8 << 20, 128
"""Memory that a reader may take: of `read`, docs/format.md promises less; editing holds a second file."""
MOST_FRAMES = 100_000  # of one file that are decoded here; a repaired gap may rightly hold a million


def check(data: bytes, tables: Tables | None, choice: int) -> str:
    """Give a file to one of the readers; return what came of it, or raise what a reader must never raise."""
    started = time.process_time()  # not the clock on the wall: other programs may have the processor
    try:
        TARGETS[choice % len(TARGETS)](data, tables)
        result = "accepted"
    except CodecError:
        result = "refused"
    seconds = time.process_time() - started
    if seconds > SECONDS_PER_FILE + SECONDS_PER_BYTE * len(data):
        raise TimeoutError(f"{len(data)} bytes took {seconds:.2f} s")
    return result


def check_memory(data: bytes, tables: Tables | None, choice: int) -> tuple[str, int]:
    """As `check`, and measure what the reader allocated at most, which takes three times as long.

    Returns:
        What came of it, and bytes.
    """
    tracemalloc.start()
    try:
        result = check(data, tables, choice)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    if peak > BYTES_OF_MEMORY + MEMORY_PER_BYTE * len(data):
        raise MemoryError(f"{len(data)} bytes took {peak} bytes of memory")
    return result, peak


def _strict(data: bytes, tables: Tables | None) -> None:
    info, codes = read(io.BytesIO(data), tables=tables)
    assert codes.shape[0] == info.n_streams
    assert all(int(codes[:, k].max(initial=0)) < size for k, size in enumerate(info.alphabet_sizes[: codes.shape[1]]))


def _tolerant(data: bytes, tables: Tables | None) -> None:
    frames = 0
    for codes in Reader(io.BytesIO(data), tolerant=True, tables=tables):
        frames += codes.shape[2]
        if frames > MOST_FRAMES:
            break


def _seek(data: bytes, tables: Tables | None) -> None:
    reader = Reader(io.BytesIO(data), tables=tables, tolerant=bool(zlib.crc32(data) & 1))
    frame = zlib.adler32(data) % ((reader.n_frames or 50) + 1)
    assert reader.seek(frame) <= frame
    for codes in islice(reader, 3):
        assert codes.ndim == 3


def _repair(data: bytes, tables: Tables | None) -> None:
    target = io.BytesIO()
    repair(io.BytesIO(data), target, tables=tables)
    assert not verify(io.BytesIO(target.getvalue()), tables=tables).damage


def _edited(edit: Callable[[io.BytesIO, io.BytesIO], object]) -> Callable[[bytes, Tables | None], None]:
    def run(data: bytes, tables: Tables | None) -> None:
        target = io.BytesIO()
        edit(io.BytesIO(data), target)
        for _ in Reader(io.BytesIO(target.getvalue())).packets():
            pass

    return run


TARGETS: list[Callable[[bytes, Tables | None], None]] = [
    _strict, _strict, _tolerant, _tolerant, _seek, _repair,
    _edited(lambda source, target: truncate(source, target, 2)),
    _edited(lambda source, target: cut(source, target, 3, 17)),
    _edited(lambda source, target: concatenate([source], target)),
    lambda data, tables: Tables.from_bytes(b"\x89ANT\r\n\x01" + zlib.compress(data[60:], 0)) and None,
]  # fmt: skip
HARNESSES = {"raw": mutate_raw, "repaired": mutate_repaired}


def run(harness: str, executions: int, seconds: float, seed: int) -> Counter:
    """Run one harness until enough files were tried or enough time has gone; count what came of them."""
    corpus, rng, counts = Corpus(), np.random.default_rng(seed), Counter()
    started = time.perf_counter()
    for _ in range(executions):
        if time.perf_counter() - started > seconds:
            break
        data, choice = HARNESSES[harness](corpus, rng), int(rng.integers(1 << 30))
        try:
            counts[check(data, corpus.tables, choice)] += 1
        except BaseException as error:
            print(f"{harness}: target {choice % len(TARGETS)}: {type(error).__name__}: {error}\n{data.hex()}")
            raise
    return counts


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--harness", choices=[*HARNESSES, "both"], default="both")
    parser.add_argument("--executions", type=int, default=1 << 62)
    parser.add_argument("--seconds", type=float, default=60.0, help="per harness")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for harness in HARNESSES if options.harness == "both" else [options.harness]:
        started = time.perf_counter()
        counts = run(harness, options.executions, options.seconds, options.seed)
        seconds = time.perf_counter() - started
        print(f"{harness}: {counts.total()} executions in {seconds:.0f} s, {dict(counts)}, nothing else raised")


if __name__ == "__main__":
    main()
