"""Sizes and speeds of the file format, printed as one JSON object.

python -m benchmarks.container
"""

import io
import json
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from audiocodec.bitstream.container import Packet, StreamInfo, read, write
from audiocodec.bitstream.header import encode_header
from audiocodec.bitstream.train_tables import train_tables

INFO = StreamInfo("speech-16k", bytes(32), bytes(32), 16_000, 320, 1, (1024,) * 12, 16_000)
"""The shipped model: 600 codes a second, 6 kbit/s."""
CODES_PER_SECOND = 600


def overhead() -> dict[str, float]:
    """Bytes beyond the codes in fixed width, in percent, by length of the recording in seconds."""
    rng = np.random.default_rng(0)
    result = {}
    for seconds in (1, 2, 5, 5.5, 7.5, 10, 30, 60, 600):
        info = replace(INFO, original_rate=44_100, original_samples=int(seconds * 44_100))
        size = size_of(info, rng.integers(0, 1024, (1, 12, round(50 * seconds))))
        result[f"{seconds:g}"] = round(100 * (size / (seconds * 750) - 1), 3)
    return result


def size_of(info: StreamInfo, codes: np.ndarray) -> int:
    """Bytes of a file in fixed width."""
    file = io.BytesIO()
    write(file, info, codes, entropy=False)
    return len(file.getvalue())


def speeds() -> dict[str, dict[str, float]]:
    """Thousand codes a second of processor time, written and read, and the ratio to real time at 6 kbit/s."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 1024, (1, 12, 10_000))
    skewed = (1024 * rng.random((1, 12, 10_000)) ** 2).astype(np.int64)
    tables = train_tables([skewed[0]], INFO.codebook_sizes, max_rows=1)
    result = {}
    for name, codes, options in (
        ("fixed width", noise, {"entropy": False}),
        ("noise, all modes tried", noise, {}),
        ("adaptive", skewed, {}),
        ("static tables", skewed, {"tables": tables}),
    ):
        file = io.BytesIO()
        writing = seconds_of(lambda codes=codes, options=options, file=file: write(file, INFO, codes, **options))
        data = io.BytesIO(file.getvalue())
        reading = seconds_of(lambda data=data, options=options: read(data, tables=options.get("tables")))
        result[name] = {
            "bytes_of_fixed": round(len(file.getvalue()) / (codes.size * 10 / 8), 4),
            "write_kcodes_s": round(codes.size / writing / 1000),
            "read_kcodes_s": round(codes.size / reading / 1000),
            "write_times_real_time": round(codes.size / CODES_PER_SECOND / writing),
            "read_times_real_time": round(codes.size / CODES_PER_SECOND / reading),
        }
    return result


def seconds_of(call: Callable[[], object]) -> float:
    """Processor time of one call."""
    started = time.process_time()
    call()
    return time.process_time() - started


if __name__ == "__main__":
    empty = size_of(replace(INFO, original_samples=0), np.zeros((1, 12, 0), dtype=int))
    header = len(encode_header(INFO))
    one = size_of(replace(INFO, original_samples=80_000), np.zeros((1, 12, 250), dtype=int))
    framing = len(Packet(0, 250, 12, bytes(3750)).encode(INFO, 0)) - 3750
    figures = {
        "header_bytes": header,
        "header_bytes_without_name": header - len(INFO.model_name),
        "footer_bytes_of_5_s": one - header - 3750 - framing,
        "packet_bytes_of_5_s": framing,
        "empty_file_bytes": empty,
        "overhead_percent_at_6_kbit_s": overhead(),
        "speed": speeds(),
    }
    print(json.dumps(figures, indent=1))
