"""Token extraction by engine: speed, where the time goes, memory, and whether all engines write the same bytes.

    python -m benchmarks.tokens plan DATA... WORK         a store to each engine, planned; one recording is broken
    python -m benchmarks.tokens engines WORK              local, accelerate (two processes), ray (two nodes), one by one
    python -m benchmarks.tokens faults WORK               local, with a worker killed, then stopped, then gone on with
    python -m benchmarks.tokens open WORK                 how a store of 10,000 shards opens
    python -m benchmarks.tokens speed WORK -o docs/results/tokens_speed.md
    python -m benchmarks.tokens identity WORK -o docs/results/tokens_identity.md
    python -m benchmarks.tokens scale WORK -o docs/results/tokens_scale.md      what 100,000 hours would take

Each engine is run as a user would run it, in processes of its own; what comes out is kept in WORK/results.json. Memory
is the resident memory of all processes of the command together, Ray's nodes among them; so is processor time, which
says on a busy machine too what an hour of audio costs.
For two processes on CPUs `accelerate launch` needs MPI; without it torchrun starts the same recipe, and the page says
so. A short mode is a short DATA.
"""

import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from audiocodec.tokens.plan import make_plan, pending, read_plans
from audiocodec.tokens.requests import find_requests
from audiocodec.tokens.store import SHARDS_FOLDER, TokenStore
from audiocodec.tokens.work import begin
from benchmarks.tokens_pages import ENGINES, NAMES, PROCESSES, identity, scale, speed

ROOT = Path(__file__).resolve().parents[1]


def plan(data: list[str], work: Path, model: str, n_q: int | None, shard_seconds: float | None) -> None:
    """Plan the same store for each engine, with one broken recording in the midst of a copy of the manifest."""
    work.mkdir(parents=True, exist_ok=True)
    (work / "broken.flac").write_bytes(b"fLaC\0\0\0\x22" + bytes(200))
    broken = work / "broken.jsonl"
    broken.write_text(json.dumps({"path": "broken.flac", "duration": 5.0}) + "\n")
    for engine in ENGINES:
        begin(work / engine, [*data, broken], model, n_q=n_q, shard_seconds=shard_seconds)


def run(engine: str, work: Path, model: str) -> dict[str, Any]:
    """Run an engine from its beginning and measure it."""
    store = work / engine
    clear(store)
    with command(engine, store, model) as words:
        start = time.perf_counter()
        process = start_process(words, work / "log.txt")
        memory, cpu_s = watch(process)
        wall_s = time.perf_counter() - start
    opened = TokenStore(store)
    said = [line.partition("; ")[2] for line in (work / "log.txt").read_text().splitlines() if "workers' time" in line]
    return {
        "wall_s": wall_s,
        "coding_s": sum(float(re.search(r"processor time ([\d.]+) s", line)[1]) for line in said),  # type: ignore[index]
        "worker_s": sum(float(re.search(r"workers' time ([\d.]+) s", line)[1]) for line in said),  # type: ignore[index]
        "said": said,
        "hours": opened.hours,
        "failed": opened.n_failed,
        "hash": opened.hash,
        "memory_mb": memory,
        "cpu_s": cpu_s,
        "shards_missing": len(pending(store)),
    }


def run_with_faults(work: Path, model: str) -> dict[str, Any]:
    """Kill a worker after a third of the shards, the whole run after two thirds, and go on to the end."""
    store, events = work / "faults", []
    clear(store)
    total = len(pending(store))
    with command("local", store, model) as words:
        process = start_process(words, work / "log.txt")
        wait_until(lambda: len(pending(store)) < total * 2 / 3, process)
        victim = children(process.pid)[0]
        os.kill(victim, signal.SIGKILL)
        events.append(f"a worker killed with {total - len(pending(store))} of {total} shards done")
        wait_until(lambda: len(pending(store)) < total / 3, process)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        events.append(f"the run and its workers killed with {total - len(pending(store))} done")
        left = len(list((store / SHARDS_FOLDER).glob(".*.part")))
        events.append(f"{left} unfinished files left under temporary names")
        start_process(words, work / "log.txt").wait()
    opened = TokenStore(store)
    events.append("the same command again")
    failures = [row.error for row in opened.failures()]
    return {"events": events, "hash": opened.hash, "failures": failures, "shards_missing": len(pending(store))}


def time_opening(work: Path, shards: int = 10_000) -> dict[str, Any]:
    """Time the opening of a store with many shards, all links to one; and reading from one that is open."""
    source, many = TokenStore(work / "local"), work / "many"
    shutil.rmtree(many, ignore_errors=True)
    (many / SHARDS_FOLDER).mkdir(parents=True)
    shutil.copy(source.path / "header.json", many)
    for number in range(shards):
        for suffix in (".codes", ".parquet", ".done"):
            os.link(source.shards / f"000000{suffix}", many / SHARDS_FOLDER / f"{number:06d}{suffix}")
    start = time.perf_counter()
    opened = TokenStore(many)
    open_s = time.perf_counter() - start
    shutil.rmtree(many)
    times = []
    for number in range(0, len(source), max(1, len(source) // 500)):
        begin_s = time.perf_counter()
        item = source[number]
        item.read(item.frames // 2, min(50, item.frames - item.frames // 2)).sum()
        times.append(time.perf_counter() - begin_s)
    return {
        "shards": shards,
        "items": len(opened),
        "open_s": open_s,
        "crop_us": 1e6 * statistics.median(times),
        "plan_lines_a_second": time_planning(work),
    }


def time_planning(work: Path, lines: int = 50_000) -> float:
    """Lines of a manifest planned a second; durations are in it, so that no recording is looked at."""
    manifest, store = work / "many.jsonl", work / "many"
    rows = ({"path": f"{n // 1000}/{n}.flac", "duration": 8.0, "text": "what was said, " * 6} for n in range(lines))
    manifest.write_text("\n".join(map(json.dumps, rows)))
    (store / SHARDS_FOLDER).mkdir(parents=True)
    shutil.copy(work / "local" / "header.json", store)
    start = time.perf_counter()
    make_plan(store, find_requests([manifest]), "speech-16k")
    seconds = time.perf_counter() - start
    shutil.rmtree(store)
    manifest.unlink()
    return lines / seconds


@contextmanager
def command(engine: str, store: Path, model: str) -> Iterator[list[str]]:
    """The command line of an engine; for Ray with a cluster of two nodes while the block runs."""
    base = [sys.executable, "-m", "audiocodec.cli.main", "tokens", "run", str(store), "--model", model]
    if engine == "local":
        yield [*base, "--jobs", str(PROCESSES)]
    elif engine == "accelerate":
        data = [str(path) for path in planned_places(store)]
        recipe = [str(ROOT / "recipes/extract_tokens.py"), *data, "--out", str(store), "--model", model]
        yield [sys.executable, "-m", *launcher(store.parent), *recipe, *n_q_of(store)]
    else:
        from ray.cluster_utils import Cluster

        node = {"num_cpus": PROCESSES, "object_store_memory": 200 << 20}
        patient = {"_system_config": {"health_check_failure_threshold": 1000}}  # the machine may be busy otherwise
        cluster = Cluster(initialize_head=True, head_node_args={**node, **patient})
        cluster.add_node(**node)
        cluster.wait_for_nodes()
        try:
            yield [*base, "--engine", "ray", "--address", cluster.address, "--jobs", str(PROCESSES)]
        finally:
            cluster.shutdown()


def launcher(work: Path) -> list[str]:
    """The module that starts two processes of a recipe on CPUs, and its options."""
    if not shutil.which("mpirun"):
        return ["torch.distributed.run", "--standalone", "--nproc_per_node", str(PROCESSES)]
    hosts = work / "hosts"
    hosts.write_text(f"localhost slots={PROCESSES}\n")
    options = f"--cpu --num_processes {PROCESSES} --num_machines 1 --mixed_precision no --dynamo_backend no"
    return ["accelerate.commands.launch", *options.split(), "--mpirun_hostfile", str(hosts)]


def planned_places(store: Path) -> list[Path]:
    """What `plan` was given, kept beside the stores."""
    return [Path(place) for place in json.loads((store.parent / "places.json").read_text())]


def n_q_of(store: Path) -> list[str]:
    """The option that says how many codebooks the store has."""
    return ["--n-q", str(TokenStore(store).header.n_q)]


def start_process(words: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a command in a process group of its own, one thread a process, its output in a log."""
    mpi = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **mpi}
    with open(log, "w") as file:
        return subprocess.Popen(words, stdout=file, stderr=file, env=environment, start_new_session=True)


def clear(store: Path) -> None:
    """Forget what was coded; the plan stays."""
    shutil.rmtree(store / SHARDS_FOLDER, ignore_errors=True)
    (store / SHARDS_FOLDER).mkdir()


def wait_until(condition: Any, process: subprocess.Popen[bytes]) -> None:
    """Wait for a condition while a process runs."""
    while not condition():
        if process.poll() is not None:
            sys.exit("the run ended before it could be disturbed: take more data")
        time.sleep(0.2)


def watch(process: subprocess.Popen[bytes]) -> tuple[list[float], float]:
    """Wait for the end of a command, looking at all processes below this one: those of the command, and Ray's nodes.

    Returns:
        their memory (MB) together at 20, 40, ..., 100 % of the time, and the peak; and their processor time (s).
    """
    samples, cpu_s = [], dict[int, float]()
    while process.poll() is None:
        family = children(os.getpid())
        samples.append(sum(resident_mb(pid) for pid in family))
        cpu_s |= {pid: processor_s(pid) for pid in family}
        time.sleep(0.25)
    marks = [samples[min(len(samples) - 1, round(share * (len(samples) - 5)))] for share in (0.2, 0.4, 0.6, 0.8, 1.0)]
    return [round(mb) for mb in (*marks, max(samples))], sum(cpu_s.values())


def processor_s(pid: int) -> float:
    """Processor time of a process up to now."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """Processes below `pid`, leaving out what only keeps books for multiprocessing."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                words = (folder / "cmdline").read_text()
            except OSError:
                continue
            if parent == pid and "resource_tracker" not in words:
                found += [int(folder.name), *children(int(folder.name))]
    return found


def resident_mb(pid: int) -> float:
    """Resident memory of a process."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Do one part and keep what it found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["plan", "engines", "open", "speed", "identity", "scale", *ENGINES])
    parser.add_argument("paths", nargs="+", type=Path, help="[DATA ...] WORK")
    parser.add_argument("--model", default="speech-16k")
    parser.add_argument("--n-q", type=int)
    parser.add_argument("--shard-seconds", type=float, help="of plan; default as in `audiocodec tokens`")
    parser.add_argument("-o", "--output", type=Path, help="of speed, identity and scale: the page to write")
    options = parser.parse_args()
    *data, work = options.paths
    if options.part == "plan":
        plan([str(path) for path in data], work, options.model, options.n_q, options.shard_seconds)
        (work / "places.json").write_text(json.dumps([*(str(p.absolute()) for p in data), str(work / "broken.jsonl")]))
        print(f"{len(read_plans(work / 'local')[0].shards)} shards")
    elif options.part in ("speed", "identity", "scale"):
        text = {"speed": speed, "identity": identity, "scale": scale}[options.part](work)
        options.output.write_text(text) if options.output else print(text)
    else:
        for part in ENGINES[:3] if options.part == "engines" else [options.part]:
            keep(work, part, options.model)


def keep(work: Path, part: str, model: str) -> None:
    """Run one part and put what it found into the results."""
    file = work / "results.json"
    parts = {"faults": lambda: run_with_faults(work, model), "open": lambda: time_opening(work)}
    found = parts.get(part, lambda: run(part, work, model))()
    results = json.loads(file.read_text()) if file.exists() else {}
    results[part] = {**found, "name": NAMES.get(part, part)}
    file.write_text(json.dumps(results, indent=1))
    print(json.dumps({part: found}, indent=1), flush=True)


if __name__ == "__main__":
    main()
