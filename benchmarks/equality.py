"""Are codes the same whole, in pieces, in batches, in a pool and on two threads? Counted over hours of recordings.

    python -m benchmarks.equality speech/train.jsonl --hours 10          goes on where it was stopped
    python -m benchmarks.equality speech/train.jsonl --encoder onnx      float32 by ONNX Runtime; or float32 by PyTorch
    python -m benchmarks.equality speech/train.jsonl --report            writes the table again

Every recording is encoded whole and alone; that is what all other ways are compared with, code by code. The manifest is
played at several gains until the hours are full. Counts are appended to OUT.jsonl after every group of recordings, and
summed up in OUT.md, every encoder a column.
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
from audiocodec.inference import InferenceCodec
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


ENCODERS = {"float64": "float64", "float32": "float32", "onnx": "float32 by ONNX Runtime"}


def make(model: str, encoder: str) -> AnyCodec:
    """The model with one of ENCODERS."""
    if encoder == "onnx":
        return InferenceCodec.from_pretrained(model, backend="onnx", precision="float32")
    codec = Codec.from_pretrained(model, precision=getattr(torch, encoder))
    if codec.frozen().precision != codec.precision:
        raise SystemExit("float32 is not reproducible here: the codec takes float64")
    return codec


def load(entry: manifest.Entry, codec: AnyCodec, gain: float) -> Tensor:
    """A recording as [1, L] at the codec's rate, first channel."""
    wav, rate = read_audio(entry.path)
    return torch.from_numpy(gain * resample(wav[:1], rate, codec.sample_rate).astype(np.float32))


def group_counts(codec: AnyCodec, wavs: list[Tensor], seed: int, rare: bool) -> dict[str, tuple[float, float]]:
    """way -> (frames compared, frames with another code); "decode" -> (samples, largest difference)."""
    expected = equality.whole(codec, wavs)
    counts: dict[str, tuple[float, float]] = {
        "batch": equality.differing(expected, equality.batched(codec, wavs)),
        "pool": equality.differing(expected, equality.pooled(codec, wavs, seed)),
    }
    if not rare:
        return counts
    decoded = [codec.to_numpy(codec.decode(codec.as_codes(codes[None])))[0] for codes in expected]
    streamed = equality.pool_decoded(codec, expected, seed)
    worst = max(float(np.abs(a - b).max()) for a, b in zip(decoded, streamed, strict=True) if a.size)
    counts["decode"] = sum(wav.shape[-1] for wav in decoded), worst
    piece = wavs[seed % len(wavs)][:, : int(SINGLE_S * codec.sample_rate)]
    alone = equality.whole(codec, [piece])
    for size in SINGLE:
        counts[f"push_{size}"] = equality.differing(alone, [equality.pushed(codec, piece, size)])
    if isinstance(codec, Codec):  # ONNX Runtime fixes its threads when a model is loaded
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
    """Markdown: every way, and for every encoder the frames that differ, of those compared."""
    found = {encoder: sums([row for row in rows if row["encoder"] == encoder]) for encoder in ENCODERS}
    found = {encoder: counts for encoder, counts in found.items() if counts}
    hours = {e: sum(row["seconds"] for row in rows if row["encoder"] == e) / 3600 for e in found}
    lines = [
        "# Codes of the same audio, computed in different ways",
        "",
        f"`{codec_name}` (weights {rows[-1]['weights'][:12]}, beam {rows[-1]['beam']}): frames with any code other "
        "than when the recording is encoded whole, alone, on one thread, of the frames compared. "
        "`python -m benchmarks.equality`.",
        "",
        f"| encoder in | {' | '.join(ENCODERS[e] for e in found)} |",
        "|---" + "|---:" * len(found) + "|",
        f"| speech, h | {' | '.join(f'{hours[e]:.2f}' for e in found)} |",
    ]
    for way, label in LABELS.items():
        cells = [f"{c[way][1]:,.0f} of {c[way][0]:,.0f}" if way in c else "-" for c in found.values()]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    cells = [f"{c['decode'][1]:.1e} of full scale" for c in found.values()]
    lines += [
        f"| largest difference of a decoded sample, pool of {GROUP} in pieces against whole | {' | '.join(cells)} |"
    ]
    facts = describe()
    return "\n".join([*lines, "", *(f"- {name}: {facts[name]}" for name in ("date", "processor", "packages"))]) + "\n"


def sums(rows: list[dict]) -> dict[str, list[float]]:
    """way -> what is compared and what differs in all of `rows`; of decoding the largest difference."""
    whole: dict[str, list[float]] = defaultdict(lambda: [0, 0])
    for row in rows:
        for way, (n, found) in row["counts"].items():
            worst = max(whole[way][1], found) if way == "decode" else whole[way][1] + found
            whole[way] = [whole[way][0] + n, worst]
    return whole


def main() -> None:
    """Count what is not counted yet, then report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--hours", type=float, default=10.0)
    parser.add_argument("--model", default="speech-16k")
    parser.add_argument("--encoder", choices=ENCODERS, default="float64")
    parser.add_argument("--out", type=Path, default=Path("docs/results/equality"), help="without .jsonl and .md")
    parser.add_argument("--report", action="store_true", help="only write the table")
    options = parser.parse_args()
    torch.set_num_threads(1)
    codec = make(options.model, options.encoder)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    path = options.out.with_suffix(".jsonl")
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    model = {"weights": codec.weights_sha256[:16], "beam": codec.config.quantizer.beam}
    rows = [row for row in rows if {key: row.get(key) for key in model} == model]
    done = {row["group"] for row in rows if row["encoder"] == options.encoder}
    for number, (name, gain, entries) in enumerate(groups(manifest.read(options.manifest), options.hours)):
        if name in done or options.report:
            continue
        wavs = [load(entry, codec, gain) for entry in entries]
        counts = group_counts(codec, wavs, number, number % RARE == 0)
        seconds = sum(wav.shape[-1] for wav in wavs) / codec.sample_rate
        rows.append({"group": name, "seconds": seconds, "encoder": options.encoder} | model | {"counts": counts})
        with path.open("a") as file:
            file.write(json.dumps(rows[-1]) + "\n")
        print(
            name,
            f"{sum(r['seconds'] for r in rows if r['encoder'] == options.encoder) / 3600:.2f} h",
            counts,
            flush=True,
        )
    if not rows:
        raise SystemExit(f"{path}: nothing counted yet for these weights and this beam; run it without --report")
    text = report(rows, options.model)
    options.out.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
