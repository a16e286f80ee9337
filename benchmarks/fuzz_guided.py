"""Coverage-guided fuzzing of every reader of .anc files (libFuzzer, through atheris), with a record of each run.

    pip install atheris
    python -m benchmarks.fuzz_guided --executions 1000000      both harnesses; half an hour each on one core
    python -m benchmarks.fuzz_guided --harness raw --executions 20000 --seconds 60

Readers, harnesses and limits are those of fuzz_container.py. Every execution is held against the limit of time, one in
16 against the limit of memory, and all of them against a limit of the whole process. Every run adds a line to
docs/results/fuzzing.json; the files that reached new code stay in the corpus folder, for the next run to start from. A
failure leaves its file there, prints it, and ends with exit code 1.
"""

import argparse
import datetime
import importlib
import json
import re
import resource
import subprocess
import sys
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

from benchmarks.container_mutations import repair_checksums

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "fuzzing.json"
HARNESSES = ("raw", "repaired")
LONGEST = 4096  # bytes of a file
WRITE_EVERY = 2000  # executions; what came after the last such moment is not counted
TRACE_EVERY = 16  # executions of which one is measured for memory
PROCESS_MEMORY = 1 << 30  # bytes of address space beyond what the process has when it begins


class Tally:
    """What came of the executions so far.

    Args:
        fuzz: benchmarks.fuzz_container, instrumented.
        harness: one of HARNESSES.
        executions: after so many, the tally is written.
        path: where to.
    """

    def __init__(self, fuzz: ModuleType, harness: str, executions: int, path: Path):
        self.fuzz, self.harness, self.executions, self.path = fuzz, harness, executions, path
        self.corpus = fuzz.Corpus()
        self.counts: Counter[str] = Counter()
        self.peak, self.traced, self.slowest, self.started = 0, 0, 0.0, time.time()

    def one(self, data: bytes) -> None:
        """Give one file to one reader: the first byte says which."""
        if self.counts.total() == self.executions:
            return
        choice, file = (data or b"\0")[0], data[1:]
        file = repair_checksums(file) if self.harness == "repaired" else file
        began = time.process_time()
        if self.counts.total() % TRACE_EVERY:
            result = self.fuzz.check(file, self.corpus.tables, choice)
            self.slowest = max(self.slowest, time.process_time() - began)
        else:
            result, peak = self.fuzz.check_memory(file, self.corpus.tables, choice)
            self.peak, self.traced = max(self.peak, peak), self.traced + 1
        self.counts[result] += 1
        if self.counts.total() in (self.executions, WRITE_EVERY * (self.counts.total() // WRITE_EVERY)):
            self.write()

    def write(self) -> None:
        """Keep the figures now: libFuzzer ends the process without returning."""
        record = {
            "executions": self.counts.total(),
            **self.counts,
            "failures": 0,
            "slowest_s": round(self.slowest, 3),
            "executions_measured_for_memory": self.traced,
            "largest_memory_bytes": self.peak,
            "wall_s": round(time.time() - self.started),
        }
        self.path.write_text(json.dumps(record), encoding="utf-8")


def fuzz(harness: str, executions: int, seconds: int, folder: Path) -> None:
    """Fuzz in this process, which libFuzzer ends.

    Args:
        harness: one of HARNESSES.
        executions: how many at most.
        seconds: how long at most.
        folder: where the files that reached new code are kept.
    """
    import atheris

    for name in [name for name in sys.modules if name.partition(".")[0] in ("audiocodec", "benchmarks")]:
        del sys.modules[name]
    with atheris.instrument_imports(include=["audiocodec"]):  # once more, so that coverage is seen
        readers = importlib.import_module("benchmarks.fuzz_container")
    tally = Tally(readers, harness, executions, folder.parent / f"{harness}.json")
    for number, data in enumerate(tally.corpus.bytes):
        for choice in range(len(readers.TARGETS)):
            (folder / f"good_{number}_{choice}").write_bytes(bytes([choice]) + data)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + PROCESS_MEMORY, used + PROCESS_MEMORY))
    limits = [
        f"-runs={executions + 1}",
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST}",
        "-timeout=900",
        f"-artifact_prefix={folder}/failure_",
    ]
    atheris.Setup([sys.argv[0], str(folder), "-print_final_stats=1", *limits], tally.one)
    atheris.Fuzz()


def record(harness: str, executions: int, seconds: float, corpus: Path) -> dict[str, object]:
    """Fuzz in a process of its own.

    Returns:
        What `collect` says of it.
    """
    (corpus / harness).mkdir(parents=True, exist_ok=True)
    log, result = corpus / f"{harness}.log", corpus / f"{harness}.json"
    result.unlink(missing_ok=True)
    command = [sys.executable, "-m", "benchmarks.fuzz_guided", "--executions", str(executions)]
    command += ["--seconds", str(seconds), "--corpus", str(corpus), "--harness", harness, "--inside"]
    with log.open("w") as stream:
        code = subprocess.run(command, stdout=stream, stderr=stream, check=False).returncode
    if code or not result.exists():
        print(log.read_text(errors="replace")[-5000:], file=sys.stderr)
        raise SystemExit(f"{harness}: a reader failed, or the run was stopped (--collect keeps it); the log is {log}")
    return collect(harness, corpus)


def collect(harness: str, corpus: Path) -> dict[str, object]:
    """What a run counted, and what libFuzzer says of coverage and memory.

    Of a run that was stopped from outside: up to the last time that it wrote its counts.

    Raises:
        SystemExit: a reader had failed in it.
    """
    text = (corpus / f"{harness}.log").read_text(errors="replace")
    # A slow unit is a report, not a failure: the clock went on while the process was made to wait.
    if failures := [file for file in corpus.glob(f"{harness}/failure_*") if "_slow-unit-" not in file.name]:
        raise SystemExit(f"{harness}: a reader failed: {', '.join(map(str, failures))}")
    edges, _, files = map(int, re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", text)[-1])
    resident = max(map(int, re.findall(r"(?:stat::peak_rss_mb:\s+|rss: )(\d+)", text)))
    coverage = {"edges_covered": edges, "files_that_reached_new_code": files, "largest_process_mib": resident}
    return json.loads((corpus / f"{harness}.json").read_text()) | coverage


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--harness", choices=HARNESSES, help="default: one after the other")
    parser.add_argument("--executions", type=int, default=1_000_000, help="of each harness, at most")
    parser.add_argument("--seconds", type=int, default=1 << 30, help="of each harness, at most")
    parser.add_argument("--corpus", type=Path, default=Path("out/fuzz_container"), help="files found, and logs")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the figures go")
    parser.add_argument("--collect", action="store_true", help="only record a run that was stopped from outside")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        return fuzz(options.harness, options.executions, options.seconds, options.corpus / options.harness)
    limits = {"longest_file_bytes": LONGEST, "memory_bytes": "8 MiB + 128 x bytes of the file"}
    for harness in [options.harness] if options.harness else HARNESSES:
        head = {"harness": harness, "date": datetime.date.today().isoformat(), "atheris": version("atheris")}
        if options.collect:
            found = head | collect(harness, options.corpus)
        else:
            found = head | record(harness, options.executions, options.seconds, options.corpus)
        # Read now, not before: the other harness may have run beside this one.
        runs = json.loads(options.out.read_text())["runs"] if options.out.exists() else []
        runs.append(found)
        print(json.dumps(runs[-1]), flush=True)
        totals = {name: sum(run["executions"] for run in runs if run["harness"] == name) for name in HARNESSES}
        lines = ",\n  ".join(map(json.dumps, runs))
        head_lines = f' "limits": {json.dumps(limits)},\n "executions": {json.dumps(totals)},\n'
        text = f'{{\n{head_lines} "runs": [\n  {lines}\n ]\n}}\n'
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
