"""Measure the poster's eight properties and the toy's errors: python egs/quantizer_properties/measure.py

Writes properties.json, properties.md and the pictures into results/ (or --out), and the property table into
docs/quantizers.md where they are those of results/. Two processes of one thread each. --quick shows in a minute that
all of it runs; its figures mean nothing.
"""

import argparse
import json
import os
import resource
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pictures
import probe
import report
import torch
import toy
from contenders import CONTENDERS, JOINT_DIFFERS, NO_REPLACEMENT, OUTSIDERS, STEPS

from audiocodec.evaluation import environment

SEEDS = (0, 1, 2)
SIZES = (16, 64, 256)  # codewords: 4, 6 and 8 bits
MORE_SIZES = (128, 512)  # of DiVeQ, to stand beside SF-DiVeQ with 1 to 3 more bits
SIZE, BIG, STAGES = 64, 256, 4
SPACE_FILLING = [name for name in CONTENDERS if name.startswith("SF")]


@dataclass(frozen=True)
class Job:
    """One training; `kind` says which question it answers, `label` which variant it is."""

    kind: str
    name: str
    seed: int
    label: str
    codebook_size: int
    options: dict[str, Any] = field(default_factory=dict)


def jobs(seeds: tuple[int, ...]) -> list[Job]:
    """Every training of the whole measurement, long ones first."""
    out: list[Job] = []
    for seed in seeds:
        for name, contender in CONTENDERS.items():
            for wiring in ("per_stage", "joint"):
                if wiring == "per_stage" or name in JOINT_DIFFERS:
                    out.append(Job("stack", name, seed, wiring, SIZE, {"stages": STAGES, "wiring": wiring}))
            for size in (*SIZES, *(MORE_SIZES if name == "DiVeQ" else ())):
                out.append(Job("rate", name, seed, str(size), size))
            for knob, values in contender.knobs.items():
                for value in (values[0], values[2]):  # the middle one is the default: the "rate" job of the same size
                    out.append(Job("knob", name, seed, f"{knob}={value}", SIZE, {knob: value}))
            alone: dict[str, Any] = {"replacement": NO_REPLACEMENT}
            out.append(Job("far", name, seed, "far", SIZE, {"far": True, **alone}))
            out.append(Job("hot", name, seed, "hot", BIG, {"lr": 2e-2, "batch_size": 1024, **alone}))
        out += [Job("rate", name, seed, str(size), size) for name in OUTSIDERS for size in SIZES]
        for sf_bits in (0, 1, 2, 3):
            options = {"sf_bits": sf_bits, "snap_from": STEPS // 2}
            out.append(Job("snapped", "SF-DiVeQ", seed, str(sf_bits), SIZE, options))
    return sorted(out, key=lambda job: -job.options.get("stages", 1))


def run(job: Job, steps: int = STEPS) -> dict[str, Any]:
    """Train, and measure on held-out frames."""
    hot = 2 if job.kind == "hot" else 1  # four times the batch: half the steps are twice the frames
    model = toy.train(job.name, job.codebook_size, job.seed, steps=steps // hot, **job.options)
    row: dict[str, Any] = {"kind": job.kind, "name": job.name, "seed": job.seed, "label": job.label}
    row |= {"error_db": toy.error_db(model), **toy.held_out_metrics(model), "bits": sum(model.quantizer.bits)}
    if job.name in SPACE_FILLING and job.kind in ("rate", "stack") and job.codebook_size == SIZE:
        row["error_db_by_sf_bits"] = [toy.error_db(model, sf_bits) for sf_bits in range(4)]
    if job.kind in ("far", "hot", "rate") and job.name in CONTENDERS:
        row |= toy.alignment(model)
    return row


def start_worker() -> None:
    """Settings of a worker process."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # DiVeQ in two dimensions is meant


def rounded(value: Any) -> Any:
    """The same with every float at six significant digits, which is more than seeds repeat."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: rounded(entry) for key, entry in value.items()}
    return [rounded(entry) for entry in value] if isinstance(value, list) else value


def main() -> None:
    """Measure, then write the page and the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--quick", action="store_true", help="two seeds and a few steps of each training; needs --out")
    options = parser.parse_args()
    if options.quick and options.out == parser.get_default("out"):
        parser.error("--quick would overwrite the results with figures that mean nothing; give it --out FOLDER")
    options.out.mkdir(parents=True, exist_ok=True)
    start_worker()
    seeds, steps = ((0, 1), 8) if options.quick else (SEEDS, STEPS)
    started, planned = time.time(), jobs(seeds)
    with ProcessPoolExecutor(options.processes, initializer=start_worker) as pool:
        strips = {name: pool.submit(pictures.strip, name) for name in CONTENDERS}
        probes = {(name, seed): pool.submit(probe.probe, name, seed) for name in CONTENDERS for seed in seeds}
        rows = []
        for done, row in enumerate(pool.map(partial(run, steps=steps), planned), start=1):
            rows.append(row)
            if done % 20 == 0 or done == len(planned):
                print(f"{done} of {len(planned)} trainings, {time.time() - started:.0f} s", flush=True)
        measured = {
            "about": {
                "seeds": list(seeds),
                "steps": steps,
                "torch": torch.__version__,
                **{key: value for key, value in environment.describe().items() if key in ("date", "processor")},
                "processes": options.processes,
            },
            "probes": [{"name": name, "seed": seed, **job.result()} for (name, seed), job in probes.items()],
            "trainings": rows,
            "strips": {name: job.result() for name, job in strips.items()},
        }
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    measured["about"] |= {"seconds": round(time.time() - started), "cpu_seconds": round(children.ru_utime)}
    (options.out / "properties.json").write_text(json.dumps(rounded(measured)) + "\n")
    pictures.draw(measured, options.out)
    report.write(options.out)
    print(f"{options.out / 'properties.md'}")


if __name__ == "__main__":
    main()
