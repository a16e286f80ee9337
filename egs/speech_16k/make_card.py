"""Write MODEL_CARD.md beside a model's weights, every number of it read from its training and from its evaluation.

    python egs/speech_16k/make_card.py audiocodec/pretrained/speech-16k --manifest speech/train.jsonl \
        --histories egs/speech_16k/results/{first_half,second_half,decoder,discriminators}/training.json \
        --evaluation out/speech_16k
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path
from statistics import mean

from audiocodec import Codec
from audiocodec.evaluation.environment import describe

FIGURES = {"pesq_wb": "PESQ-WB", "stoi": "STOI", "mel_distance": "mel distance", "si_sdr": "SI-SDR, dB"}

CARD = """---
license: MIT
weights_sha256: {weights_sha256}
---
# speech-16k

Causal neural codec for speech at 16 kHz, mono: {frame_rate} frames/s, {n_q} codebooks of {codebook_size},
{low:g} to {high:g} kbit/s by prefix before entropy coding. {parameters:.1f} million parameters, lapped transform and
ConvNeXt blocks (`spectral`), residual DiVeQ, encoded along {beam} paths. Algorithmic delay {delay} samples
({delay_ms:g} ms). Codes are the same for a whole file, any chunks and any batch.

## Figures

{n_files} recordings, {minutes:.1f} min, that it was not trained on (it was on others by some of their speakers);
bitrate from file bytes. Mean and 95 % bootstrap interval over files.

{figures}

Made by `{command}`; all systems and definitions in egs/speech_16k/results.

## Training

`egs/speech_16k/run.sh`, two halves of everything and then the decoder alone, at last with discriminators: {steps} steps
of {batch} s of audio, {audio_h:.0f} h heard in all,
{hours:.1f} h of one core's time on {processor}, evaluated {date}. Curves and codebook
usage: `training.png` of each part in egs/speech_16k/results; what was tried, and which settings came in on the way:
egs/speech_16k/experiments.md. Two terms of the loss imitate PESQ and STOI (`loudness`, `intelligibility`), so these two
measures flatter this model beside codecs that were not trained on them; ViSQOL and DistillMOS know nothing of that.

| recordings | language | min | licence |
|---|---|---|---|
{data}

## Use and limits

For compressing, storing and tokenising speech. Music, several voices at once and strong noise were not trained on and
come out poorly; languages other than those of the table are less well tried. Below about 1 kHz the waveform is coded,
above it only the envelope of the spectrum: there the decoder makes up the fine structure, and voices sound grainy, the
more so the lower the rate. Measures that compare with the original do not mind; DistillMOS, which listens without one,
puts the upper rates beside AMR-WB at 8.85 kbit/s and Lyra at 3.2, above plain Opus at 9, below Lyra at 9.2
(egs/speech_16k/results/extended.md), while speaker similarity and word error rate agree with the others. Do not use
decoded speech as evidence of who spoke.
"""


def main() -> None:
    """Write the card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="folder with config.json and model.safetensors")
    parser.add_argument("--histories", type=Path, nargs="+", required=True, help="training.json of every run, in order")
    parser.add_argument("--manifest", type=Path, required=True, help="what it was trained on")
    parser.add_argument("--evaluation", type=Path, required=True, help="folder of `audiocodec evaluate`")
    options = parser.parse_args()
    codec = Codec.from_pretrained(options.model)
    evaluation = json.loads((options.evaluation / "run.json").read_text())
    own = [s for s in evaluation["summaries"] if s["family"] == options.model.name]
    records = [json.loads(line) for line in (options.evaluation / "results.jsonl").read_text().splitlines()]
    seconds = {r["file"]: r["seconds"] for r in records if r["system"] == own[0]["system"]}
    runs = [json.loads(path.read_text()) for path in options.histories]
    curves = [run["curves"] for run in runs]
    batch_s = mean(a * s for c in curves for a, s in zip(c["audio_per_s"], c["step_s"], strict=True))
    steps = sum(run["steps"] for run in runs)
    facts = describe()
    text = CARD.format(
        frame_rate=codec.frame_rate,
        n_q=codec.n_q,
        codebook_size=codec.codebook_size,
        low=codec.bitrate(1) / 1000,
        high=codec.bitrate() / 1000,
        parameters=sum(p.numel() for p in codec.parameters()) / 1e6,
        delay=codec.delay,
        delay_ms=1000 * codec.delay / codec.sample_rate,
        n_files=own[0]["n_files"],
        minutes=sum(seconds.values()) / 60,
        figures=figures(own),
        command=evaluation["facts"]["command"],
        beam=codec.config.quantizer.beam,
        steps=steps,
        batch=round(batch_s),
        audio_h=steps * batch_s / 3600,
        hours=sum(run["hours"] for run in runs),
        processor=facts["processor"],
        date=facts["date"].split()[0],
        data=data(options.manifest),
        weights_sha256=codec.weights_sha256,
    )
    (options.model / "MODEL_CARD.md").write_text(text, encoding="utf-8")


def figures(summaries: list[dict]) -> str:
    """Table of the model's rates, lowest first."""
    lines = ["| kbit/s | " + " | ".join(FIGURES.values()) + " |", "|---" * (1 + len(FIGURES)) + "|"]
    for summary in sorted(summaries, key=lambda s: s["bitrate"]):
        cells = [f"{summary['bitrate'] / 1000:.2f}"]
        for name in FIGURES:
            score = summary["metrics"][name]
            digits = 3 if name == "stoi" else 2
            cells.append(f"{score['mean']:.{digits}f} ({score['low']:.{digits}f} to {score['high']:.{digits}f})")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def data(manifest: Path) -> str:
    """Table of sources with minutes and licences."""
    minutes: dict[tuple[str, str, str], float] = defaultdict(float)
    for row in map(json.loads, manifest.read_text().splitlines()):
        minutes[row["source"], row["language"], row["license"]] += row["duration"] / 60
    rows = sorted(minutes.items(), key=lambda item: -item[1])
    return "\n".join(f"| {source} | {language} | {m:.0f} | {licence} |" for (source, language, licence), m in rows)


if __name__ == "__main__":
    main()
