"""Speed on a CPU beside other neural codecs: whole recordings, live streams, many voices, silence, memory.

    python -m benchmarks.speed                        every part, one and two threads: docs/results/speed.md
    python -m benchmarks.speed offline --threads 1    one part; its figures replace older ones in speed.json
    python -m benchmarks.speed --quick                a second of audio and one round: does everything run?

Peers are built at their published sizes with random weights, EnCodec, Mimi and DAC from the package `transformers`,
SNAC from `snac`; speed does not depend on the values of weights. Calls are interleaved, medians are taken. Those of
ours are "speech-16k" as it is shipped, with the encoder in float32, without multi-path search, without PyTorch, and a
network of DAC's size. Peers have no streaming sessions of 20 ms frames to compare with: "-".
"""

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from audiocodec import Codec, speed
from audiocodec.audio.io import write_audio
from audiocodec.evaluation.environment import describe
from benchmarks.speed_contenders import MODEL, contenders, own_settings

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
PARTS = ("offline", "streaming", "many", "memory", "hour")


def measure_offline(seconds: float, rounds: int) -> dict[str, Any]:
    """Times real time of every contender that can be built here; others say why not."""
    built, missing = {}, {}
    for name, make in contenders(seconds).items():
        try:
            built[name] = make()
        except ImportError as error:
            missing[name] = {"missing": str(error)}
    calls = {f"{way}|{name}": getattr(c, way) for name, c in built.items() for way in ("encode", "decode")}
    took = speed.interleaved(calls, rounds)
    return missing | {
        name: {
            "parameters": c.parameters,
            "encode": seconds / took[f"encode|{name}"],
            "decode": seconds / took[f"decode|{name}"],
        }
        for name, c in built.items()
    }


def measure_streaming(seconds: float) -> dict[str, Any]:
    """A live stream of each of ours, then the same ending in digital silence."""
    rows = {}
    for name, make in own_settings().items():
        codec = make()
        wav = speed.signal(codec, seconds)
        quiet = torch.cat([wav[..., : codec.sample_rate], torch.zeros_like(wav)], dim=-1)
        figures = {kind: speed.streaming(codec, x) for kind, x in {"speech": wav, "silence": quiet}.items()}
        rows[name] = {kind: asdict(found) for kind, found in figures.items()}
    return rows


def measure_many(voices: int, seconds: float) -> dict[str, Any]:
    """`voices` live streams in one pool."""
    rows = {}
    for name, make in own_settings().items():
        p50, p99, times = speed.many(make(), voices, seconds)
        rows[name] = {"voices": voices, "p50_ms": p50, "p99_ms": p99, "times_real_time": times}
    return rows


def measure_memory(seconds: float) -> dict[str, Any]:
    """Peak memory in MB of a process that encodes and decodes `seconds` of audio."""
    rows = {}
    for name in contenders(seconds):
        command = [sys.executable, "-m", "benchmarks.speed", "--alone", name, "--seconds", str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        rows[name] = float(done.stdout.split()[-1]) if done.returncode == 0 else None
    return rows


def measure_hour(seconds: float) -> dict[str, Any]:
    """`audiocodec compress` and `decompress` of a long file: wall time and peak memory."""
    codec, rows = Codec.from_pretrained(MODEL), {}
    with tempfile.TemporaryDirectory() as folder:
        wav = speed.signal(codec, 60.0)[0].repeat(1, max(1, round(seconds / 60)))
        write_audio(Path(folder) / "hour.wav", wav.numpy(), codec.sample_rate)
        for words in (["compress", "hour.wav", "-o", "hour.anc"], ["decompress", "hour.anc", "-o", "back.wav"]):
            script = (
                "import resource, subprocess, sys, time; t = time.perf_counter(); "
                "subprocess.run([sys.executable, '-m', 'audiocodec.cli.main', *sys.argv[1:]], check=True, "
                "stdout=subprocess.DEVNULL); "
                "print(time.perf_counter() - t, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)"
            )
            command = [sys.executable, "-c", script, *words]
            out = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, env=_here()).stdout
            took, peak = map(float, out.split()[-2:])
            rows[words[0]] = {"audio_s": wav.shape[-1] / codec.sample_rate, "wall_s": took, "peak_mb": peak}
    return rows


def _here() -> dict[str, str]:
    return os.environ | {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    }


def table(results: dict[str, Any]) -> str:
    """Markdown of whatever parts are there."""
    lines = ["# Speed on a CPU", "", "`python -m benchmarks.speed`; interleaved rounds, medians, wall time.", ""]
    for threads in (1, 2):
        if rows := results.get(f"offline-{threads}"):
            lines += offline_table(rows, threads, results.get("memory-1", {}))
        if rows := results.get(f"streaming-{threads}"):
            lines += streaming_table(rows, threads)
        if rows := results.get(f"many-{threads}"):
            lines += [f"## Many live streams in one pool, {threads} thread{'s' * (threads > 1)}", ""]
            lines += ["| | voices | 20 ms of all: median ms | p99 ms | times real time |", "|---|---:|---:|---:|---:|"]
            for name, row in rows.items():
                figures = f"{row['p50_ms']:.1f} | {row['p99_ms']:.1f} | {row['times_real_time']:.1f}x"
                lines.append(f"| {name} | {row['voices']} | {figures} |")
            lines.append("")
    if rows := results.get("hour-1"):
        lines += [
            "## A long file by the command line",
            "",
            "| | audio | wall time | peak memory |",
            "|---|---:|---:|---:|",
        ]
        for name, row in rows.items():
            lines.append(
                f"| {name} | {row['audio_s'] / 60:.0f} min | {row['wall_s']:.1f} s | {row['peak_mb']:.0f} MB |"
            )
        lines.append("")
    facts = describe()
    loads = [f"{part.replace('-', ' with ')} thread(s) {load:.1f}" for part, load in results["load"].items()]
    lines += [f"- {key}: {facts[key]}" for key in ("date", "processor", "packages")]
    lines.append(f"- processes that wanted to run, on average (above the cores: slow): {', '.join(loads)}")
    return "\n".join(lines) + "\n"


def offline_table(rows: dict[str, Any], threads: int, memory: dict[str, Any]) -> list[str]:
    """Times real time of whole recordings, and how much faster the shipped model is."""
    lines = [f"## Whole recordings, {threads} thread{'s' * (threads > 1)}", ""]
    lines += ["Times real time; in brackets how many times as fast our shipped model is.", ""]
    lines += ["| | parameters, M | encode | decode | peak memory, MB |", "|---|---:|---:|---:|---:|"]
    mine = rows[f"ours, {MODEL}"]
    for name, row in rows.items():
        if "missing" in row:
            lines.append(f"| {name} | not run: {row['missing']} | | | |")
            continue
        cells = [f"{row[w]:.1f}x ({mine[w] / row[w]:.1f})" for w in ("encode", "decode")]
        peak = f"{memory[name]:.0f}" if memory.get(name) else "-"
        lines.append(f"| {name} | {row['parameters'] / 1e6:.1f} | {' | '.join(cells)} | {peak} |")
    return [*lines, ""]


def streaming_table(rows: dict[str, Any], threads: int) -> list[str]:
    """Cost of a frame, on speech and into silence."""
    lines = [f"## One live stream, encoder and decoder, pushes of 20 ms, {threads} thread{'s' * (threads > 1)}", ""]
    lines += ["| | encode ms | decode ms | both ms | p99 ms | p99 in silence, ms | times real time | first sample ms |"]
    lines += ["|---" + "|---:" * 7 + "|"]
    for name, row in rows.items():
        s = row["speech"]
        cells = [s["encode_p50_ms"], s["decode_p50_ms"], s["p50_ms"], s["p99_ms"], row["silence"]["p99_ms"]]
        figures = " | ".join(f"{cell:.2f}" for cell in cells)
        lines.append(f"| {name} | {figures} | {s['times_real_time']:.1f}x | {s['first_sample_ms']:.1f} |")
    return [*lines, ""]


def main() -> None:
    """Measure the parts asked for, and write all that is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="default: all")
    parser.add_argument("--threads", type=int, choices=(1, 2), help="default: both")
    parser.add_argument("--seconds", type=float, default=4.0, help="audio for a round of whole recordings")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stream-seconds", type=float, default=12.0)
    parser.add_argument("--voices", type=int, default=50)
    parser.add_argument("--hour", type=float, default=3600.0, help="length in s of the long file")
    parser.add_argument("--quick", action="store_true", help="as little as possible")
    parser.add_argument("--out", type=Path, default=Path("docs/results/speed"), help="without .json and .md")
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    if options.alone:
        torch.set_num_threads(1)
        contender = contenders(options.seconds)[options.alone]()
        contender.encode()
        contender.decode()
        print(speed.peak_mb())
        return
    if options.quick:
        options.seconds, options.rounds, options.stream_seconds, options.voices, options.hour = 1.0, 1, 2.0, 8, 60.0
    path = options.out.with_suffix(".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    for part in options.parts or PARTS:
        for threads in (options.threads,) if options.threads else (1, 2):
            if part in ("memory", "hour") and threads == 2:
                continue
            if os.environ.get("OMP_NUM_THREADS") == str(threads):
                measure(part, threads, options, path)
            else:  # NumPy's library asks when it is loaded, once
                given = sys.argv[1:] if options.parts else [*sys.argv[1:], part]
                words = [word for word in given if word not in PARTS or word == part]
                command = [sys.executable, "-m", "benchmarks.speed", *words, "--threads", str(threads)]
                subprocess.run(command, check=True, env=_here() | dict.fromkeys(THREADS, str(threads)))
    print(path.with_suffix(".md").read_text())


def measure(part: str, threads: int, options: argparse.Namespace, path: Path) -> None:
    """Measure a part here and now, and put its figures to the others."""
    torch.set_num_threads(threads)
    match part:
        case "offline":
            figures = measure_offline(options.seconds, options.rounds)
        case "streaming":
            figures = measure_streaming(options.stream_seconds)
        case "many":
            figures = measure_many(options.voices, min(options.stream_seconds, 3.0))
        case "memory":
            figures = measure_memory(options.seconds)
        case _:
            figures = measure_hour(options.hour)
    results = json.loads(path.read_text()) if path.exists() else {}
    results[f"{part}-{threads}"] = figures
    results.setdefault("load", {})[f"{part}-{threads}"] = os.getloadavg()[0]
    path.write_text(json.dumps(results, indent=1) + "\n")
    path.with_suffix(".md").write_text(table(results))


if __name__ == "__main__":
    main()
