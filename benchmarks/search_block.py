"""How many rows the nearest-codeword search should score at a time: python -m benchmarks.search_block [--out FOLDER]

One search of VECTORS rows, blocks of all sizes interleaved; medians. The number that this decides is `CPU_SCORES` in
audiocodec/quantizers/nearest.py. Run it on an otherwise idle machine: the answer is a few percent here and there.
"""

import argparse
from functools import partial
from pathlib import Path
from unittest import mock

import torch

from audiocodec.evaluation import environment
from audiocodec.quantizers import nearest
from benchmarks.quantizers import Call, interleaved

VECTORS = 3000
BLOCKS = (32, 64, 128, 256, 512, 1024, 3000)
SHAPES = ((256, 8), (256, 64), (1024, 8), (1024, 64), (1024, 128), (8185, 64))  # codewords, dimensions


def search(rows: torch.Tensor, table: nearest.Table, block: int) -> None:
    """One search with blocks of `block` rows, whatever the module's own choice is."""
    with mock.patch.object(nearest, "block_size", lambda *_: block):
        nearest.nearest(rows, table)


def lines(dtype: torch.dtype, threads: int, rounds: int) -> list[str]:
    """Rows of the table: medians in milliseconds, the fastest bold, the module's own choice in the last column."""
    torch.set_num_threads(threads)
    out = []
    for size, dim in SHAPES:
        torch.manual_seed(0)
        rows, table = torch.randn(VECTORS, dim, dtype=dtype), nearest.Table(torch.randn(size, dim, dtype=dtype))
        calls: dict[str, Call] = {str(block): partial(search, rows, table, block) for block in BLOCKS}
        times = interleaved(calls, rounds)
        best = min(times.values())
        cells = [f"**{ms:.2f}**" if ms == best else f"{ms:.2f}" for ms in times.values()]
        cells.append(str(min(nearest.block_size(rows, table), VECTORS)))
        name = str(dtype).removeprefix("torch.")
        out.append(f"| {name}, {threads} thread{'s' * (threads > 1)}, {size} x {dim} | {' | '.join(cells)} |")
    return out


def main() -> None:
    """Time everything; print and write search_block.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "docs/results")
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    table = [
        f"| ms, codewords x dimensions | {' | '.join(map(str, BLOCKS))} | chosen |",
        "|---|" + "---|" * (len(BLOCKS) + 1),
    ]
    for dtype in (torch.float32, torch.float64):
        for threads in (1, 2):
            table += lines(dtype, threads, arguments.rounds)
    machine = environment.describe()
    text = (
        "# Rows a block in the nearest-codeword search\n\n"
        f"`python -m benchmarks.search_block`: {VECTORS} rows, {arguments.rounds} interleaved rounds, medians. "
        f"{machine['date']}, {machine['processor']}, torch {torch.__version__}.\n\n" + "\n".join(table) + "\n"
    )
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "search_block.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
