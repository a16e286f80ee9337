"""Are codes the same whole, in pieces, in batches, in a pool and on two threads? Counted over hours of recordings.

    python -m benchmarks.equality speech/train.jsonl --hours 10          goes on where it was stopped
    python -m benchmarks.equality speech/train.jsonl --report            writes the table again

Every recording is encoded whole and alone; that is what all other ways are compared with, code by code. The manifest is
played at several gains until the hours are full. Counts are appended to OUT.jsonl after every group of recordings, and
summed up in OUT.md.
"""

import argparse
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audiocodec import Codec, equality
from audiocodec.audio.io import read_audio
from audiocodec.audio.resample import resample
from audiocodec.data import manifest
from audiocodec.evaluation.environment import describe
from audiocodec.states import AnyCodec

GROUP = 32  # recordings side by side
GAINS = (1.0, 0.3, 2.0, 0.1)
SINGLE = (1, 7, 1000, 1009)  # samples a push in a session of its own, all the way
RARE = 20  # decoding, sessions of their own and two threads are tried with every so many-th group: they take long
SINGLE_S = 4.0  # of the recording that a session of its own codes
LABELS = {
    "pool": f"pool of {GROUP}, each begins and ends when it likes, pushes of 1 to {max(equality.PUSHES)} samples",
    "batch": f"padded batch of {GROUP}",
    "threads": "two threads, whole and alone",
    **{f"push_{size}": f"one stream, pushes of {size} sample{'s' * (size > 1)}" for size in SINGLE},
}


def load(entry: manifest.Entry, codec: AnyCodec, gain: float) -> Tensor:
    """A recording as [1, L] at the codec's rate, first channel."""
    wav, rate = read_audio(entry.path)
    return torch.from_numpy(gain * resample(wav[:1], rate, codec.sample_rate).astype(np.float32))


def group_counts(codec: Codec, wavs: list[Tensor], seed: int, rare: bool) -> dict[str, tuple[float, float]]:
    """way -> (frames compared, frames with another code); "decode" -> (samples, largest difference)."""
    expected = equality.whole(codec, wavs)
    counts: dict[str, tuple[float, float]] = {
        "batch": equality.differing(expected, equality.batched(codec, wavs)),
        "pool": equality.differing(expected, equality.pooled(codec, wavs, seed)),
    }
    if rare:
        decoded = [codec.decode(codes[None])[0] for codes in expected]
        streamed = equality.pool_decoded(codec, expected, seed)
        worst = max(float((a - b).abs().max()) for a, b in zip(decoded, streamed, strict=True) if a.numel())
        counts["decode"] = sum(wav.shape[-1] for wav in decoded), worst
        piece = wavs[seed % len(wavs)][:, : int(SINGLE_S * codec.sample_rate)]
        alone = equality.whole(codec, [piece])
        for size in SINGLE:
            counts[f"push_{size}"] = equality.differing(alone, [equality.pushed(codec, piece, size)])
        torch.set_num_threads(2)
        try:
            some = slice(seed % 8, None, 8)
            counts["threads"] = equality.differing(expected[some], equality.whole(codec, wavs[some]))
        finally:
            torch.set_num_threads(1)
    return counts


def groups(entries: list[manifest.Entry], hours: float) -> Iterator[tuple[str, float, list[manifest.Entry]]]:
    """(name, gain, recordings) until the hours are full; recordings of like length are side by side."""
    entries, seconds = sorted(entries, key=lambda entry: entry.duration), 0.0
    for gain in GAINS:
        places = list(range(0, len(entries), GROUP))
        random.Random(0).shuffle(places)
        for place in places:
            if seconds >= 3600 * hours:
                return
            some = entries[place : place + GROUP]
            seconds += sum(entry.duration for entry in some)
            yield f"{gain}-{place}", gain, some


def report(rows: list[dict], codec_name: str) -> str:
    """Markdown: every way, frames compared and frames that differ."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0, 0])
    for row in rows:
        for way, (n, found) in row["counts"].items():
            sums[way] = [sums[way][0] + n, max(sums[way][1], found) if way == "decode" else sums[way][1] + found]
    hours = sum(row["seconds"] for row in rows) / 3600
    lines = [
        "# Codes of the same audio, computed in different ways",
        "",
        f"`{codec_name}`, {hours:.2f} h of speech, encoder in {rows[-1]['precision']}, beam {rows[-1]['beam']}; "
        "every frame of every way compared with the recording encoded whole, alone, on one thread. "
        "`python -m benchmarks.equality`.",
        "",
        "| way | frames compared | frames with any other code |",
        "|---|---:|---:|",
        *(f"| {label} | {sums[way][0]:,.0f} | {sums[way][1]:,.0f} |" for way, label in LABELS.items() if way in sums),
        "",
        f"Largest difference of a decoded sample, pool of {GROUP} in pieces against whole: {sums['decode'][1]:.1e} of "
        f"full scale, over {sums['decode'][0]:,.0f} samples.",
        "",
        *(f"- {name}: {value}" for name, value in describe().items() if name in ("date", "processor", "packages")),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Count what is not counted yet, then report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--hours", type=float, default=10.0)
    parser.add_argument("--model", default="speech-16k")
    parser.add_argument("--out", type=Path, default=Path("docs/results/equality"), help="without .jsonl and .md")
    parser.add_argument("--fast", action="store_true", help="encoder in float32")
    parser.add_argument("--report", action="store_true", help="only write the table")
    options = parser.parse_args()
    torch.set_num_threads(1)
    codec = Codec.from_pretrained(options.model, precision=torch.float32 if options.fast else torch.float64)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    path = options.out.with_suffix(".jsonl")
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    model = {
        "weights": codec.weights_sha256[:16],
        "beam": codec.quantizer.beam,
        "precision": str(codec.frozen().precision).removeprefix("torch."),
    }
    rows = [row for row in rows if {key: row.get(key) for key in model} == model]
    done = {row["group"] for row in rows}
    for number, (name, gain, entries) in enumerate(groups(manifest.read(options.manifest), options.hours)):
        if name in done or options.report:
            continue
        wavs = [load(entry, codec, gain) for entry in entries]
        counts = group_counts(codec, wavs, number, number % RARE == 0)
        seconds = sum(wav.shape[-1] for wav in wavs) / codec.sample_rate
        rows.append({"group": name, "seconds": seconds} | model | {"counts": counts})
        with path.open("a") as file:
            file.write(json.dumps(rows[-1]) + "\n")
        print(name, f"{sum(row['seconds'] for row in rows) / 3600:.2f} h", counts, flush=True)
    text = report(rows, options.model)
    options.out.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
