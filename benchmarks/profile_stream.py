"""Where the time of a live stream goes: operations by their own time, how many there are, and what is left for Python.

    python benchmarks/profile_stream.py --label now
    python benchmarks/profile_stream.py --label "now, ONNX Runtime" --onnx            the exported graphs
    PYTHONPATH=OTHER_CHECKOUT python benchmarks/profile_stream.py --label before      the same of another version

One voice, one thread, pushes of 20 ms through encoder and decoder. Profiles are kept by label in docs/results/
profile.json, and put side by side in profile.md.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from audiocodec import Codec, StreamingDecoder, StreamingEncoder

FRAMES = 200
SHOWN = 14  # operations in the table


def measure(model: str) -> dict:
    """Time pushes, then profile as many."""
    torch.set_num_threads(1)
    codec = Codec.from_pretrained(model)
    encoder, decoder = StreamingEncoder(codec), StreamingDecoder(codec)
    size = round(0.02 * codec.sample_rate)
    pieces = (0.1 * torch.randn(1, codec.channels, size * FRAMES)).split(size, dim=-1)

    def run() -> list[float]:
        times = []
        for piece in pieces:
            start = time.perf_counter()
            decoder.push(encoder.push(piece))
            times.append(time.perf_counter() - start)
        return times

    run()
    wall_ms = 1000 * statistics.median(run())
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        run()
    rows = [(row.key, row.self_cpu_time_total / 1000 / FRAMES, row.count / FRAMES) for row in seen.key_averages()]
    return {"frame_ms": wall_ms, "operations": sorted(rows, key=lambda row: -row[1])}


def measure_onnx(model: str) -> dict:
    """The same of the two graphs of `audiocodec export`."""
    import onnxruntime

    from audiocodec.inference.export import export  # which older versions lack

    with tempfile.TemporaryDirectory() as folder:
        facts = export(model, folder)
        wav = (0.1 * np.random.default_rng(0).standard_normal((FRAMES, 1, facts.channels, facts.hop_length))).astype(
            "f"
        )

        def sessions(profiled: bool) -> list[onnxruntime.InferenceSession]:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads, options.log_severity_level = 1, 3
            options.enable_profiling, options.profile_file_prefix = profiled, f"{folder}/profile"
            files = (f"{folder}/{name}.onnx" for name in ("encoder", "decoder"))
            return [onnxruntime.InferenceSession(file, options, ["CPUExecutionProvider"]) for file in files]

        def run(encoder: onnxruntime.InferenceSession, decoder: onnxruntime.InferenceSession) -> list[float]:
            shapes, times = (facts.encoder_states, facts.decoder_states), []
            coding, sounding = ([np.zeros((1, *shape), "f") for shape in some] for some in shapes)
            for frame in wav:
                start = time.perf_counter()
                codes, *coding = encoder.run(None, {"wav": frame} | _named(coding))
                _, *sounding = decoder.run(None, {"codes": codes} | _named(sounding))
                times.append(time.perf_counter() - start)
            return times

        plain = sessions(False)
        run(*plain)
        wall_ms = 1000 * statistics.median(run(*plain))
        watched = sessions(True)
        run(*watched)
        own: dict[str, list[float]] = {}
        for session in watched:
            for event in json.loads(Path(session.end_profiling()).read_text()):
                if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
                    own.setdefault(event["args"]["op_name"], []).append(event["dur"] / 1000)
    rows = [(kind, sum(times) / FRAMES, len(times) / FRAMES) for kind, times in own.items()]
    return {"frame_ms": wall_ms, "operations": sorted(rows, key=lambda row: -row[1])}


def _named(states: list[np.ndarray]) -> dict[str, np.ndarray]:
    return {f"state_{index}": state for index, state in enumerate(states)}


def table(profiles: dict[str, dict]) -> str:
    """Markdown of all profiles that are known."""
    lines = ["# Profile of one live stream", "", "A frame of 20 ms, encoder and decoder, one thread.", ""]
    lines += ["| | frame, ms | operations a frame | their own time, ms |", "|---|---:|---:|---:|"]
    for label, found in profiles.items():
        calls, own = (sum(row[place] for row in found["operations"]) for place in (2, 1))
        lines.append(f"| {label} | {found['frame_ms']:.2f} | {calls:.0f} | {own:.2f} |")
    for label, found in profiles.items():
        lines += ["", f"## {label}", "", "| operation | own time, ms a frame | calls a frame |", "|---|---:|---:|"]
        lines += [f"| {key} | {ms:.3f} | {calls:.1f} |" for key, ms, calls in found["operations"][:SHOWN]]
    lines += [
        "",
        "Times of operations are taken under the profiler, which itself costs about a microsecond a call: their sum is "
        "above the time of a frame.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Profile what is imported, and write the table of all labels."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--label", required=True)
    parser.add_argument("--model", default="speech-16k")
    parser.add_argument("--onnx", action="store_true", help="the exported graphs by ONNX Runtime, not PyTorch")
    parser.add_argument("--out", type=Path, default=Path("docs/results/profile"), help="without .json and .md")
    options = parser.parse_args()
    path = options.out.with_suffix(".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    profiles = json.loads(path.read_text()) if path.exists() else {}
    profiles[options.label] = (measure_onnx if options.onnx else measure)(options.model)
    path.write_text(json.dumps(profiles, indent=1) + "\n")
    options.out.with_suffix(".md").write_text(table(profiles))
    print(table(profiles))


if __name__ == "__main__":
    main()
