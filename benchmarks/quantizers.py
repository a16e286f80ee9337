"""Speed of residual quantizers, ours beside public ones: python -m benchmarks.quantizers [--out FOLDER]

The same shapes for all, one process, calls interleaved round by round so that a busy moment hits everyone; medians.
Peers are timed where they are installed (pip install diveq vector-quantize-pytorch encodec descript-audio-codec);
they are no dependency. "bare products" are the N x D x K matrix products that any exhaustive search must do, each
written into the same memory. --dim and --threads time a part; what is in FOLDER already of other parts is kept.
--rounds 0 times nothing and writes the page again.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from audiocodec import speed
from audiocodec.config.quantizer import Method, QuantizerConfig
from audiocodec.evaluation import environment
from audiocodec.quantizers import build

VECTORS, STAGES, CODES = 3000, 8, 1024
DIMS, THREADS = (8, 128), (1, 2)
METHODS: tuple[Method, ...] = ("ste", "ema", "rotation_trick", "gumbel_softmax", "nsvq", "sf_diveq", "fsq")
OURS, BARE = "audiocodec diveq", "bare products"
OURS_JOINT = f"{OURS} joint"  # what the package diveq computes in training
GOALS = {  # (task, dim): at least so many times as fast as every peer, at most so many times the bare products
    ("encode", 8): (8.0, 2.3),
    ("encode", 128): (2.0, 1.6),
    ("train", 8): (3.0, None),
    ("train", 128): (1.5, None),
}
Row = dict[str, Any]  # task, name, dim, threads, ms
Call = Callable[[], object]
Contender = tuple[str, Call | None, Call | None]  # name, encode in eval mode, training forward + backward


def contenders(dim: int) -> Iterator[Contender]:
    """Everything to be timed on VECTORS vectors of `dim` dimensions; missing packages are left out."""
    torch.manual_seed(0)
    rows = torch.randn(VECTORS, dim)
    yield BARE, bare_products(rows), None
    yield ours("diveq", rows)
    yield ours("diveq", rows, wiring="joint")
    for method in METHODS:
        yield ours(method, rows, wiring="joint" if method == "nsvq" else "per_stage")
    for peer in (diveq_package, lucidrains, encodec, dac):
        try:
            yield peer(rows)
        except ImportError as error:
            print(f"left out: {peer.__name__} ({error})")


def bare_products(rows: Tensor) -> Call:
    """STAGES products of all rows with all codewords, nothing else."""
    codebook, scores = torch.randn(CODES, rows.shape[1]), torch.empty(len(rows), CODES)

    @torch.no_grad()
    def call() -> None:
        for _ in range(STAGES):
            torch.mm(rows, codebook.t(), out=scores)

    return call


def ours(method: Method, rows: Tensor, wiring: Literal["joint", "per_stage"] = "per_stage") -> Contender:
    """This package; it takes [1, D, N], as a codec's encoder gives it."""
    config = QuantizerConfig(method=method, n_q=STAGES, codebook_size=CODES, wiring=wiring)
    z = rows.t()[None].contiguous()
    deployed, trained = build(config, rows.shape[1]).eval(), build(config, rows.shape[1])

    def loss(leaf: Tensor) -> Tensor:
        out = trained(leaf)
        return out.z_q.square().mean() + out.loss

    if method == "diveq" and wiring == "joint":
        return OURS_JOINT, None, training(loss, z)
    return f"audiocodec {method}", partial(deployed.encode, z), training(loss, z)


def diveq_package(rows: Tensor) -> Contender:
    """The DiVeQ authors' package: residual DiVeQ without replacement."""
    from diveq import ResidualDIVEQ

    def make() -> nn.Module:
        return ResidualDIVEQ(CODES, rows.shape[1], STAGES, codebook_reset=False, allow_warning=False, verbose=False)

    deployed, trained = make().eval(), make()
    call = torch.no_grad()(lambda: deployed.inference(rows))
    return f"diveq {version('diveq')}", call, training(lambda leaf: trained(leaf)[0].square().mean(), rows)


def lucidrains(rows: Tensor) -> Contender:
    """vector-quantize-pytorch with its DiVeQ."""
    from vector_quantize_pytorch import ResidualVQ

    def make() -> nn.Module:
        return ResidualVQ(dim=rows.shape[1], num_quantizers=STAGES, codebook_size=CODES, diveq=True)

    z, deployed, trained = rows[None], make().eval(), make()

    def loss(leaf: Tensor) -> Tensor:
        z_q, _, losses = trained(leaf)
        return z_q.square().mean() + losses.sum()

    name = f"vector-quantize-pytorch {version('vector-quantize-pytorch')}"
    return name, torch.no_grad()(lambda: deployed(z)[1]), training(loss, z)


def encodec(rows: Tensor) -> Contender:
    """EnCodec's residual quantizer (EMA), without its k-means start."""
    from encodec.quantization import ResidualVectorQuantizer

    def make() -> nn.Module:
        return ResidualVectorQuantizer(rows.shape[1], STAGES, CODES, kmeans_init=False, threshold_ema_dead_code=0)

    z, deployed, trained = rows.t()[None].contiguous(), make().eval(), make()

    def loss(leaf: Tensor) -> Tensor:
        out = trained(leaf, 50)
        return out.quantized.square().mean() + out.penalty

    return f"encodec {version('encodec')}", torch.no_grad()(lambda: deployed.encode(z, 50)), training(loss, z)


def dac(rows: Tensor) -> Contender:
    """DAC's residual quantizer, its codes in all dimensions so that the search is the same size."""
    from dac.nn.quantize import ResidualVectorQuantize

    def make() -> nn.Module:
        return ResidualVectorQuantize(rows.shape[1], STAGES, CODES, codebook_dim=rows.shape[1])

    z, deployed, trained = rows.t()[None].contiguous(), make().eval(), make()

    def loss(leaf: Tensor) -> Tensor:
        z_q, _, _, commitment, codebook = trained(leaf)
        return z_q.square().mean() + commitment + codebook

    name = f"descript-audio-codec {version('descript-audio-codec')}"
    return name, torch.no_grad()(lambda: deployed(z)[1]), training(loss, z)


def training(loss: Callable[[Tensor], Tensor], z: Tensor) -> Call:
    """Forward and backward of `loss`, with a gradient for z."""
    return lambda: loss(z.clone().requires_grad_()).backward()


def interleaved(calls: dict[str, Call], rounds: int) -> dict[str, float]:
    """Median milliseconds of each call; see speed.interleaved."""
    return {name: 1e3 * seconds for name, seconds in speed.interleaved(calls, rounds).items()}


def table(rows: list[Row]) -> str:
    """Markdown: milliseconds, and how many times the time of our DiVeQ each one takes."""
    lines = []
    columns = sorted({(r["dim"], r["threads"]) for r in rows})
    for task in ("encode", "train"):
        cells = {(r["name"], r["dim"], r["threads"]): r["ms"] for r in rows if r["task"] == task}
        title = "encode, eval mode" if task == "encode" else "training forward + backward"
        heads = [f"dim {dim}, {threads} thread{'s' if threads > 1 else ''}" for dim, threads in columns]
        lines += [f"| {title}: ms (times ours) | {' | '.join(heads)} |", "|---|" + "---|" * len(columns)]
        for name in dict.fromkeys(name for name, _, _ in cells):
            values = [f"{cells[name, *c]:.1f} ({cells[name, *c] / cells[OURS, *c]:.2f}x)" for c in columns]
            lines.append(f"| {name} | {' | '.join(values)} |")
        lines.append("")
    return "\n".join(lines)


def goals(rows: list[Row]) -> str:
    """Markdown: how far ahead of the fastest peer we are, and how near the bare products, beside what was aimed at."""
    head = "| | fastest peer, times ours | aim | ours, times bare products | aim | that peer, times bare products |"
    lines = [head, "|---|---|---|---|---|---|"]
    for task, dim, threads in dict.fromkeys((r["task"], r["dim"], r["threads"]) for r in rows):
        ms = {r["name"]: r["ms"] for r in rows if (r["task"], r["dim"], r["threads"]) == (task, dim, threads)}
        best = min(ms[OURS], ms.get(OURS_JOINT, ms[OURS]))
        peers = {name: time for name, time in ms.items() if not name.startswith(("audiocodec", BARE))}
        ahead, near = GOALS.get((task, dim), (None, None))
        fastest = min(peers, key=lambda name: peers[name], default=None)
        ratio = f"{peers[fastest] / best:.2f}x ({fastest})" if fastest else "no peer installed"
        bare = f"{best / ms[BARE]:.2f}x" if BARE in ms else ""
        bound = f"{peers[fastest] / ms[BARE]:.2f}x" if fastest and BARE in ms else ""
        aims = (f"{ahead:g}x" if ahead else "", f"{near:g}x" if near else "")
        what = f"{task}, dim {dim}, {threads} thread{'s' * (threads > 1)}"
        lines.append(f"| {what} | {ratio} | {aims[0]} | {bare} | {aims[1]} | {bound} |")
    return "\n".join(lines)


def main() -> None:
    """Time everything; print and write quantizers.md and quantizers.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "docs/results")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--dim", type=int, nargs="+", default=DIMS)
    parser.add_argument("--threads", type=int, nargs="+", default=THREADS)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    known = arguments.out / "quantizers.json"
    before = json.loads(known.read_text()) if known.exists() else {"about": "nothing timed yet", "rows": []}
    rows: list[Row] = before["rows"]
    dims = arguments.dim if arguments.rounds else []
    rows = [r for r in rows if r["dim"] not in dims or r["threads"] not in arguments.threads]
    for dim in dims:
        everyone = list(contenders(dim))
        for threads in arguments.threads:
            torch.set_num_threads(threads)
            for task, place in (("encode", 1), ("train", 2)):
                calls = {c[0]: c[place] for c in everyone if c[place] is not None}
                for name, ms in interleaved(calls, arguments.rounds).items():
                    rows.append({"task": task, "name": name, "dim": dim, "threads": threads, "ms": round(ms, 3)})
    rows.sort(key=lambda r: (r["task"], r["dim"], r["threads"]))
    machine = environment.describe()
    about = before["about"]
    if arguments.rounds:
        about = (
            f"{VECTORS} vectors, {STAGES} stages of {CODES}; {machine['date']}, {machine['processor']}, "
            f"torch {torch.__version__}, {arguments.rounds} interleaved rounds, medians."
        )
    text = (
        f"# Speed of residual quantizers\n\n`python -m benchmarks.quantizers`: {about}\n\n{table(rows)}\n"
        f"Ours is DiVeQ, in training the faster of both wirings. An exhaustive search can hardly be further ahead\n"
        f"of a peer than the last column says, for it must do the products.\n\n{goals(rows)}\n"
    )
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "quantizers.md").write_text(text)
    known.write_text(json.dumps({"about": about, "rows": rows}, indent=1) + "\n")
    print(text)


if __name__ == "__main__":
    main()
