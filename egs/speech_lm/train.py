"""Trains a small language model on a token store; perplexity on items that it never saw, before and while it learns.

python egs/speech_lm/train.py STORE --out OUT [--resume]
"""

import argparse
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from checkpoint import Clock, State, load, save
from model import DelayLM, LMConfig, losses
from torch import Tensor
from tqdm import tqdm

from audiocodec.evaluation.environment import describe
from audiocodec.tokens import TokenStore
from audiocodec.tokens.datasets import TokenDataset, token_loader
from audiocodec.tokens.timing import covering_frames
from audiocodec.tokens.views import musicgen

HELD_OUT_EVERY = 20  # item 0, 20, 40, ... of the store are never trained on


def main() -> None:
    """Read the arguments, train, write model.safetensors and training.json."""
    args = arguments()
    torch.manual_seed(args.seed)
    store = TokenStore(args.store)
    training, held_out = datasets(store, args)
    view = training.view
    vocabulary = view.vocabulary
    model = DelayLM(LMConfig(view.n_q, vocabulary.codebook_sizes[0], vocabulary.size))
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, betas=(0.9, 0.95), weight_decay=0.1)
    state = load(args.out, model, optimizer) if args.resume else None
    state = state or State(0, {"epoch": 0, "step": 0}, [point(0, model, held_out)], {"wall": 0.0, "cpu": 0.0})
    loader = token_loader(
        training, args.batch_size, seed=args.seed, epochs=None, position=state.position, drop_last=True
    )
    clock = Clock(state.seconds)
    last = min(args.until or args.steps, args.steps)
    steps = range(state.step + 1, last + 1)
    progress = tqdm(zip(steps, loader, strict=False), total=last, initial=state.step, unit="step")
    for step, batch in progress:
        torch.manual_seed(args.seed + step)  # of dropout: a run that is stopped and resumed is the same run
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, args)
        nats, codes = losses(model, batch["tokens"], batch["mask"])
        loss = nats.sum() / codes.sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        progress.set_postfix(perplexity=f"{loss.exp().item():.1f}")
        if step % args.evaluate_every == 0 or step == last:
            state.curve.append(point(step, model, held_out) | {"train": loss.exp().item()})
            save(args.out, model, optimizer, State(step, batch["position"], state.curve, clock.seconds()))
            tqdm.write(f"step {step}: held-out perplexity {state.curve[-1]['perplexity']:.1f}")
    report(args, store, training, held_out, model, state.curve, clock.seconds())


def arguments() -> argparse.Namespace:
    """Those of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("store", type=Path, help="token store of the voice")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--n-q", type=int, default=4, help="codebooks, the first ones")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--until", type=int, metavar="STEP", help="stop there, on the way to --steps")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--crop-seconds", default="5")
    parser.add_argument("--lr", type=float, default=3e-3, help="highest learning rate")
    parser.add_argument("--evaluate-every", type=int, default=40, metavar="STEPS", help="and save")
    parser.add_argument("--resume", action="store_true", help="go on from what OUT holds")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def datasets(store: TokenStore, args: argparse.Namespace) -> tuple[TokenDataset, TokenDataset]:
    """Random crops of the items to learn from, and the held-out items tiled: each of their codes counts once."""
    view = musicgen(store.header.codebook_sizes, args.n_q)
    frames = len(covering_frames(0, args.crop_seconds, store.header.frame_rate))
    held_out = range(0, len(store), HELD_OUT_EVERY)
    rest = [number for number in range(len(store)) if number not in held_out]
    training = TokenDataset(store, view, crop_frames=frames, items=rest, seed=args.seed)
    return training, TokenDataset(store, view, crop_frames=frames, items=held_out, random_crops=False)


def learning_rate(step: int, args: argparse.Namespace) -> float:
    """Linear for a tenth of the steps, then half a cosine down to a tenth."""
    warmup = max(args.steps // 10, 1)
    if step <= warmup:
        return float(args.lr * step / warmup)
    return float(args.lr * (0.55 + 0.45 * math.cos(math.pi * (step - warmup) / max(args.steps - warmup, 1))))


@torch.inference_mode()
def evaluate(model: DelayLM, held_out: TokenDataset) -> tuple[Tensor, Tensor]:
    """Nats and codes of each codebook over all held-out items, [K] each."""
    model.eval()
    pairs = [losses(model, b["tokens"], b["mask"]) for b in token_loader(held_out, 32, shuffle=False)]
    model.train()
    nats, codes = (torch.stack(column).sum(0) for column in zip(*pairs, strict=True))
    return nats, codes


def point(step: int, model: DelayLM, held_out: TokenDataset) -> dict[str, Any]:
    """One point of the curve: perplexity over all codes and of each codebook."""
    nats, codes = evaluate(model, held_out)
    each = (nats / codes).exp().tolist()
    return {"step": step, "perplexity": (nats.sum() / codes.sum()).exp().item(), "codebooks": each}


def unigram(training: TokenDataset, held_out: TokenDataset) -> list[float]:
    """Perplexity of each codebook for a model that knows only how frequent each code is (counts plus one)."""
    sizes = training.view.vocabulary.codebook_sizes
    tables = []
    for dataset in (training, held_out):
        counts = [np.zeros(size) for size in sizes]
        for item in {dataset.crops(0, number).item for number in range(len(dataset))}:
            for k, row in enumerate(dataset.store[item].codes[: len(sizes)]):
                counts[k] += np.bincount(row, minlength=sizes[k])
        tables.append(counts)
    known, seen = tables
    return [
        float(np.exp(-(s * np.log((k + 1) / (k + 1).sum())).sum() / s.sum())) for k, s in zip(known, seen, strict=True)
    ]


def report(
    args: argparse.Namespace,
    store: TokenStore,
    training: TokenDataset,
    held_out: TokenDataset,
    model: DelayLM,
    curve: list[dict[str, Any]],
    seconds: dict[str, float],
) -> None:
    """Write training.json: what was trained on what, and how perplexity fell."""
    facts = {
        "model": asdict(model.cfg) | {"parameters": sum(p.numel() for p in model.parameters())},
        "codec": store.header.codec_name,
        "store": {"items": len(store), "hours": round(store.hours, 3), "hash": store.hash},
        "held_out": {"items": len(range(0, len(store), HELD_OUT_EVERY)), "crops": len(held_out)},
        "training": {name: value for name, value in vars(args).items() if name not in ("store", "out", "resume")},
        "unigram_perplexity": unigram(training, held_out),
        "seconds": {name: round(value) for name, value in seconds.items()},
        "threads": torch.get_num_threads(),
        "facts": describe(),
        "curve": curve,
    }
    (args.out / "training.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    first, last = (f"{place['perplexity']:.1f}" for place in (curve[0], curve[-1]))
    print(f"held-out perplexity {first} before, {last} after {seconds['wall']:.0f} s")


if __name__ == "__main__":
    main()
