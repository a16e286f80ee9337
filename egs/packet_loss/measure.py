"""PESQ and STOI over packet loss: our codec in datagrams of 20 ms, several ways, beside Opus with its own concealment.

    egs/packet_loss/run.sh VALID.jsonl                  everything; what was measured before is not measured again
    egs/packet_loss/run.sh VALID.jsonl --files 2        to see that it works
    egs/packet_loss/run.sh VALID.jsonl --draw           only the table and the picture, of what is there

Every system loses the same packets. Records go to out/packet_loss/records.jsonl, one a recording, system and channel.
"""

import argparse
import json
import multiprocessing
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
import soxr

sys.path.insert(0, str(Path(__file__).parent))

from receivers import RATE_HZ, Held, HeldCoarse, Muted, OpusCall, Ours, PitchRepeated, System
from report import write_report

from audiocodec.bitstream.channel import Channel, GilbertElliott, Uniform
from audiocodec.data.manifest import collect
from audiocodec.errors import CodecError
from audiocodec.metrics.pesq import pesq_wb
from audiocodec.metrics.stoi import stoi

MODEL = "speech-16k"
RATES = (0.0, 0.03, 0.1, 0.2, 0.3)
BURST = 3.0  # packets lost in a row, on average
SECONDS = 8.0  # of each recording
CURVES: list[System] = [
    Ours("ours", "ours, 6 kbit/s", MODEL),
    Ours("ours_wait", "ours, next packet awaited (+20 ms)", MODEL, wait=True),
    Ours("ours_copy4", "ours, 4 codebooks sent twice (+20 ms)", MODEL, copies=4),
    OpusCall("opus_6k", "Opus 6k", 6000),
    OpusCall("opus_9k", "Opus 9k", 9000),
    OpusCall("opus_9k_deep", "Opus 9k, neural concealment", 9000, deep=True),
]
WAYS: list[System] = [
    Ours("way_muted", "silence at once", MODEL, decoder=Muted),
    Ours("way_held", "last frame held, no fade", MODEL, decoder=Held),
    Ours("way_coarse", "4 codebooks of the last frame held, fading", MODEL, decoder=HeldCoarse),
    Ours("way_pitch", "last pitch period repeated, encoded again", MODEL, decoder=PitchRepeated),
]
WAYS_AT = [("uniform", 0.1), ("bursts", 0.2)]


def channel_of(kind: str, rate: float) -> Channel:
    """The channel of a curve at one loss rate."""
    return GilbertElliott.with_rate(rate, BURST) if kind == "bursts" and rate else Uniform(rate)


def points(system: System) -> list[tuple[str, float]]:
    """Where a system is measured."""
    if system in WAYS:
        return WAYS_AT
    return [("uniform", rate) for rate in RATES] + [("bursts", rate) for rate in RATES[1:]]


def load(path: Path) -> np.ndarray:
    """The first seconds of a recording, [L] at 16 kHz."""
    wav, rate = sf.read(path, dtype="float32", always_2d=True)
    mono = np.ascontiguousarray(wav[:, 0])
    return np.asarray(soxr.resample(mono, rate, RATE_HZ), np.float32)[: int(SECONDS * RATE_HZ)]


def measure(task: tuple[Path, set[tuple[str, str, str, float]], float]) -> list[dict[str, Any]]:
    """All that is not known yet of one recording, until the time is up."""
    path, known, until = task
    wav, records = load(path), []
    for system in [*CURVES, *WAYS]:
        try:
            version = system.version()
        except CodecError:
            continue  # said in main
        wanted = [point for point in points(system) if (system.name, version, *point) not in known]
        packets = system.send(wav) if wanted else []
        n_packets = len(packets) - isinstance(system, OpusCall)
        rate = 8 * sum(map(len, packets[-n_packets:])) / (len(wav) / RATE_HZ) if packets else 0
        for kind, loss in wanted:
            if time.time() > until:
                return records
            seed = zlib.crc32(f"{path.name} {kind} {loss}".encode())
            lost = channel_of(kind, loss).losses(4096, seed)
            lost[0] = False  # a call begins when something arrives
            decoded = system.receive(packets, lost)[: len(wav)]
            scores = {metric.name: metric.score(wav, decoded, RATE_HZ) for metric in (pesq_wb, stoi)}
            records.append({
                "system": system.name, "version": version, "channel": kind, "loss": loss, "file": path.name,
                "lost": round(float(lost[:n_packets].mean()), 5), "bits_per_second": round(rate, 1),
                **{name: None if np.isnan(score.value) else round(score.value, 5) for name, score in scores.items()},
            })  # fmt: skip
    return records


def recordings(manifest: str, count: int) -> Iterator[Path]:
    """Recordings spread evenly over a manifest or folder, of those that last at least three seconds."""
    entries = [entry for entry in collect([manifest]) if entry.duration >= 3]
    yield from (entries[len(entries) * i // count].path for i in range(min(count, len(entries))))


def main() -> None:
    """Read the command line, measure, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="manifest (.jsonl) or folder of recordings")
    parser.add_argument("--files", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after so many; run again to go on")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--draw", action="store_true", help="measure nothing")
    parser.add_argument("--records", type=Path, default=Path("out/packet_loss/records.jsonl"))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    options.records.parent.mkdir(parents=True, exist_ok=True)
    options.records.touch()
    records = [json.loads(line) for line in options.records.read_text(encoding="utf-8").splitlines()]
    versions = {}
    for system in [*CURVES, *WAYS]:
        try:
            versions[system.name] = system.version()
        except CodecError as error:
            print(f"{system.label}: left out: {error}", file=sys.stderr)
    paths = list(recordings(options.data, options.files))
    if not options.draw:
        until, tasks = time.time() + options.seconds, []
        for path in paths:
            mine = [r for r in records if r["file"] == path.name]
            tasks.append((path, {(r["system"], r["version"], r["channel"], r["loss"]) for r in mine}, until))
        with multiprocessing.get_context("spawn").Pool(options.processes) as pool, options.records.open("a") as file:
            for number, found in enumerate(pool.imap(measure, tasks), 1):
                file.writelines(json.dumps(record) + "\n" for record in found)
                file.flush()
                records += found
                print(f"{number} of {len(paths)} recordings", file=sys.stderr, flush=True)
    names = {path.name for path in paths}
    wanted = {(system.name, *point) for system in [*CURVES, *WAYS] for point in points(system)}
    current = [r for r in records if versions.get(r["system"]) == r["version"] and r["file"] in names]
    current = [r for r in current if (r["system"], r["channel"], r["loss"]) in wanted]
    write_report(current, CURVES, WAYS, versions, options.out)


if __name__ == "__main__":
    main()
