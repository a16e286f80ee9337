"""The file format on real recordings: overhead, entropy coding, every truncation and every flipped bit, equal bytes.

    python -m benchmarks.container_data VALID.jsonl                 all of it: docs/results/container_data.json
    python -m benchmarks.container_data VALID.jsonl --files 2       to see that it works

VALID.jsonl is a manifest, or a folder of recordings. Files are made by the shipped model (`--model`) at 6 kbit/s.
"""

import argparse
import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from audiocodec.bitstream.container import Reader, StreamInfo, Tables, read, write
from audiocodec.bitstream.header import encode_header
from audiocodec.errors import CodecError

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "container_data.json"
BITRATE = 6000
N_TRUNCATED, N_FLIPPED, FLIPPED_SECONDS = 5, 2, 2.0

DIGESTS = """
import hashlib, sys, torch
torch.set_num_threads(int(sys.argv[1]))
from audiocodec.compress import compress
for path in sys.argv[3:]:
    print(hashlib.sha256(compress(path, model=sys.argv[2], bitrate=6000)).hexdigest())
"""


def coded(paths: list[Path], model: str) -> Iterator[tuple[bytes, StreamInfo, np.ndarray]]:
    """The file of each recording, as `compress` makes it, its header and its codes."""
    from audiocodec.compress import compress
    from audiocodec.compress.models import load_model, tables_of

    tables = tables_of(load_model(model))
    for path in paths:
        data = compress(path, model=model, bitrate=BITRATE)
        yield data, *read(io.BytesIO(data), tables=tables)


def without_coding(info: StreamInfo, codes: np.ndarray) -> bytes:
    """The same codes in fixed width, without mention of tables."""
    file = io.BytesIO()
    write(file, replace(info, tables_id=b""), codes, entropy=False)
    return file.getvalue()


def overhead(files: list[tuple[bytes, StreamInfo, np.ndarray]]) -> dict[str, Any]:
    """Bytes in fixed width beyond the codes and beyond the nominal rate (the last frame is padded); with coding."""
    percent, nominal, fixed, small = [], 0.0, 0, 0
    for data, info, codes in files:
        assert info.original_samples is not None
        seconds = info.original_samples / info.original_rate
        plain = len(without_coding(info, codes))
        nominal, fixed, small = nominal + seconds * info.bitrate / 8, fixed + plain, small + len(data)
        bits = codes.shape[0] * codes.shape[2] * sum(info.widths)
        percent.append((seconds, 100 * (8 * plain / bits - 1), 100 * (8 * plain / (seconds * info.bitrate) - 1)))
    long = np.array([row for row in percent if row[0] > 5])
    info = replace(files[0][1], tables_id=b"")
    return {
        "nominal_bit_s": info.bitrate,
        "recordings": len(files),
        "recordings_over_5_s": len(long),
        "largest_overhead_percent_over_codes": round(float(long[:, 1].max()), 3),
        "largest_overhead_percent_over_nominal_rate": round(float(long[:, 2].max()), 3),
        "mean_overhead_percent_over_nominal_rate": round(float(long[:, 2].mean()), 3),
        "header_bytes": len(encode_header(info)),
        "header_bytes_naming_tables": len(encode_header(replace(info, tables_id=bytes(8)))),
        "bytes": {"nominal": round(nominal), "fixed_width": fixed, "entropy_coded": small},
        "saved_percent_of_nominal": round(100 * (1 - small / nominal), 2),
    }


def damage(files: list[tuple[bytes, StreamInfo, np.ndarray]], tables: Tables | None) -> dict[str, Any]:
    """Cut files off at every byte, and flip every bit of the first seconds of some; count what is noticed."""

    def refused(data: bytes) -> bool:
        try:
            read(io.BytesIO(data), tables=tables)
        except CodecError:
            return True
        return False

    files = sorted(files, key=lambda file: len(file[0]))
    whole = [data for data, _, _ in files[:: max(1, len(files) // N_TRUNCATED)]][:N_TRUNCATED]
    cut = [refused(data[:length]) for data in whole for length in range(len(data))]
    flips = []
    for _, info, codes in files[:: max(1, len(files) // N_FLIPPED)][:N_FLIPPED]:
        short, file = codes[:, :, : round(FLIPPED_SECONDS * info.frame_rate)], io.BytesIO()
        samples = short.shape[2] * info.hop_length * info.original_rate // info.sample_rate
        write(file, replace(info, original_samples=samples), short, tables=tables)
        data = bytearray(file.getvalue())
        assert not refused(bytes(data))
        for bit in range(8 * len(data)):
            data[bit >> 3] ^= 1 << (bit & 7)
            flips.append(refused(bytes(data)))
            data[bit >> 3] ^= 1 << (bit & 7)
    return {
        "truncations": {"files": len(whole), "tried": len(cut), "noticed": sum(cut)},
        "flipped_bits": {"files": N_FLIPPED, "tried": len(flips), "noticed": sum(flips)},
    }


def modes(files: list[tuple[bytes, StreamInfo, np.ndarray]]) -> dict[str, int]:
    """How many packets each coding won."""
    names = {0: "fixed width", 1: "static tables", 2: "adaptive"}
    packets = [packet for data, _, _ in files for packet in Reader(io.BytesIO(data)).packets()]
    return {name: sum(packet.mode == mode for packet in packets) for mode, name in names.items()}


def equal_bytes(files: list[bytes], paths: list[Path], model: str) -> dict[str, Any]:
    """Compress again, in other processes, on one thread and on two."""
    here = [hashlib.sha256(data).hexdigest() for data in files]
    result: dict[str, Any] = {"recordings": len(paths)}
    for threads in (1, 2):
        command = [sys.executable, "-c", DIGESTS, str(threads), model, *map(str, paths)]
        there = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        result[f"equal_in_another_process_on_{threads}_threads"] = sum(a == b for a, b in zip(here, there, strict=True))
    return result


def main() -> None:
    """Read the command line, measure, write the figures."""
    from audiocodec.compress.models import load_model, tables_of
    from audiocodec.data.manifest import collect
    from audiocodec.evaluation.environment import describe

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="manifest (.jsonl) or folder of recordings")
    parser.add_argument("--model", default="speech-16k")
    parser.add_argument("--files", type=int, default=1 << 30, help="at most so many recordings")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    paths = [entry.path for entry in collect([options.data])][: options.files]
    files = list(coded(paths, options.model))
    codec = load_model(options.model)
    figures = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "hardware": describe()["processor"],
        "model": f"{codec.name}, weights {codec.weights_sha256[:12]}",
        **overhead(files),
        "packets_by_coding": modes(files),
        "same_bytes": equal_bytes([data for data, _, _ in files[:8]], paths[:8], options.model),
        **damage(files, tables_of(codec)),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
