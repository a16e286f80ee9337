"""Train the static entropy tables of a model on .anc files that it made, and say what they save on others.

    audiocodec compress TRAIN_DIR -o codes/train && audiocodec compress VALID_DIR -o codes/valid
    python recipes/train_tables.py codes/train codes/valid --out entropy.tables

Needs numpy only. Six hours of speech with 12 codebooks of 1024 take two or three minutes.
"""

import argparse
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # also runs from a checkout that is not installed

from audiocodec.bitstream.container import StreamInfo, Tables, read, write
from audiocodec.bitstream.train_tables import bits_per_code, train_tables
from audiocodec.bitstream.writer import PACKET_SECONDS
from audiocodec.errors import CodecError, ConfigError


def files_in(folder: Path) -> Iterator[tuple[StreamInfo, NDArray[np.integer]]]:
    """Yield header and codes of every .anc file of a folder, in a fixed order."""
    for path in sorted(folder.rglob("*.anc")):
        with open(path, "rb") as file:
            yield read(file)


def segments(info: StreamInfo, codes: NDArray[np.integer]) -> NDArray[np.integer]:
    """What tables see of codes: the space-filling bits taken off."""
    return codes >> np.array(info.sf_bits_per_codebook, dtype=codes.dtype)[:, None]


def size_of(info: StreamInfo, codes: NDArray[np.integer], tables: Tables | None, entropy: bool) -> int:
    """Bytes of a file with these codes."""
    file = io.BytesIO()
    write(file, replace(info, tables_id=b""), codes, tables=tables, entropy=entropy)
    return len(file.getvalue())


def load(folder: Path) -> list[tuple[StreamInfo, NDArray[np.integer]]]:
    """All files of a folder; refuse a mixture of models."""
    files = list(files_in(folder))
    if not files:
        raise ConfigError(f"{folder}: holds no .anc files")
    first = files[0][0]
    for info, _ in files:
        if info.codebook_sizes != first.codebook_sizes or not info.is_model(first.weights_sha256, first.config_sha256):
            raise ConfigError(f"{folder}: the files are not all of one model with one number of codebooks")
    return files


def main() -> int:
    """Read the command line, train, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path, help="folder of .anc files to learn from, all codebooks in them")
    parser.add_argument("valid", type=Path, help="folder of .anc files to measure with")
    parser.add_argument("--out", type=Path, required=True, help="file of tables to write")
    parser.add_argument("--max-rows", type=int, default=128, help="contexts per codebook; more make the file larger")
    options = parser.parse_args()
    try:
        train, valid = load(options.train), load(options.valid)
        info = train[0][0]
        frames = round(PACKET_SECONDS * info.frame_rate)
        recordings = [segments(*file) for file in train]
        tables = train_tables(recordings, info.codebook_sizes, packet_frames=frames, max_rows=options.max_rows)
        options.out.write_bytes(tables.to_bytes())
        fixed = sum(size_of(*file, None, False) for file in valid)
        adaptive = sum(size_of(*file, None, True) for file in valid)
        static = sum(size_of(*file, tables, True) for file in valid)
        bits = bits_per_code(tables, [segments(*file) for file in valid], frames)
    except (CodecError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    shares = bits / (np.array(info.widths) - np.array(info.sf_bits_per_codebook))
    for k, (cost, share, layer) in enumerate(zip(bits, shares, tables.layers, strict=True)):
        contexts = f"{len(layer.repeat)} classes before x {layer.n_above} above"
        print(f"codebook {k:2}: {cost:6.3f} bits a code, {100 * (1 - share):5.1f} % saved, {contexts}")
    report = {
        "valid_bytes_fixed": fixed,
        "valid_bytes_adaptive": adaptive,
        "valid_bytes_tables": static,
        "saved_percent": round(100 * (1 - static / fixed), 2),
        "tables_bytes": options.out.stat().st_size,
        "tables_id": tables.id.hex(),
    }
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
