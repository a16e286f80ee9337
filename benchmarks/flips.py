"""How many codes another processor or precision gives otherwise; processes run with fewer instruction sets.

    python -m benchmarks.flips speech/train.jsonl --hours 0.5

A setting in which PyTorch, oneDNN and MKL may use fewer instructions stands in for an older processor: sums are then
added in another order. Compared with the encoder in float64 with every instruction of this machine. Writes OUT.md.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from audiocodec import Codec, equality
from audiocodec.data import manifest
from audiocodec.evaluation.environment import describe
from audiocodec.inference import InferenceCodec
from benchmarks.equality import groups, load

SETTINGS: dict[str, dict[str, str]] = {
    "all instructions": {},
    "AVX2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    "SSE": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE"},
}
LIVE = "float32, ONNX Runtime"  # InferenceCodec
RUNS = [*((precision, name) for precision in ("float64", "float32") for name in SETTINGS), (LIVE, "all instructions")]


def codes_of(options: argparse.Namespace, precision: str) -> list[np.ndarray]:
    """Codes of all recordings, here and now."""
    torch.set_num_threads(1)
    batches = groups(manifest.read(options.manifest), options.hours)
    if precision == LIVE:
        live = InferenceCodec.from_pretrained(options.model, backend="onnx", precision="float32")
        return [live.encode(load(entry, live, gain)[None])[0] for _, gain, entries in batches for entry in entries]
    codec = Codec.from_pretrained(options.model, precision=getattr(torch, precision))
    found = []
    for _, gain, entries in batches:
        found += equality.whole(codec, [load(entry, codec, gain) for entry in entries])
    return found


def elsewhere(options: argparse.Namespace, precision: str, environment: dict[str, str]) -> list[np.ndarray]:
    """Codes of all recordings, from a process with `environment`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "codes.npz"
        words = [str(options.manifest), "--hours", str(options.hours), "--model", options.model]
        command = [sys.executable, "-m", "benchmarks.flips", *words, "--dump", str(path), "--precision", precision]
        subprocess.run(command, check=True, env=os.environ | environment)
        with np.load(path) as archive:
            return [archive[f"arr_{index}"] for index in range(len(archive.files))]


def main() -> None:
    """Count and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--hours", type=float, default=0.5)
    parser.add_argument("--model", default="speech-16k")
    parser.add_argument("--out", type=Path, default=Path("docs/results/flips"), help="without .md")
    parser.add_argument("--precision", default="float64", help=argparse.SUPPRESS)
    parser.add_argument("--dump", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.dump:
        np.savez(options.dump, *codes_of(options, options.precision))
        return
    codec, lines, expected = Codec.from_pretrained(options.model), [], []
    for precision, name in RUNS:
        found = elsewhere(options, precision, SETTINGS[name])
        expected = expected or found
        frames = sum(codes.shape[1] for codes in expected)
        pairs = list(zip(expected, found, strict=True))
        bad = sum(int((a != b).any(axis=0).sum()) for a, b in pairs)
        codes = sum(int((a != b).sum()) for a, b in pairs)
        lines.append(f"| {precision} | {name} | {frames:,} | {bad:,} ({1e6 * bad / frames:,.0f} ppm) | {codes:,} |")
        print(lines[-1], flush=True)
    text = "\n".join(
        [
            "# Codes on other processors and in another precision",
            "",
            f"`{options.model}` (weights {codec.weights_sha256[:12]}, beam {codec.quantizer.beam}), "
            f"{float(frames / codec.frame_rate / 3600):.2f} h of speech; frames with any code other than the "
            "first line's, and codes. `python -m benchmarks.flips`.",
            "",
            "| encoder in | instructions | frames | frames that differ | codes that differ |",
            "|---|---|---:|---:|---:|",
            *lines,
            "",
            *(f"- {key}: {value}" for key, value in describe().items() if key in ("date", "processor", "packages")),
        ]
    )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.with_suffix(".md").write_text(text + "\n")


if __name__ == "__main__":
    main()
