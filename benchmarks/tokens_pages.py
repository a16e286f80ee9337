"""The pages that benchmarks/tokens.py writes: figures of its runs as Markdown, with date and machine."""

import hashlib
import json
import re
import shutil
from pathlib import Path

from audiocodec.evaluation.environment import describe
from audiocodec.tokens.plan import MAX_SHARD_S, pending, read_requests
from audiocodec.tokens.store import SHARDS_FOLDER, TokenStore

ENGINES = ("local", "accelerate", "ray", "faults")
PROCESSES = 2
PRICES = {"core hour": 0.04, "GB month": 0.023}  # US dollars, order of magnitude of on-demand clouds
NAMES = {
    "local": "local processes",
    "accelerate": "accelerate launch, MPI" if shutil.which("mpirun") else "the recipe under torchrun",
    "ray": "Ray, two simulated nodes",
    "faults": "local, disturbed",
}


def head(work: Path, title: str) -> list[str]:
    """Title, corpus, machine, date."""
    facts, store = describe(), TokenStore(work / "local")
    return [
        f"# {title}",
        "",
        f"{len(store)} recordings, {store.hours:.2f} h of speech, {store.n_failed} broken on purpose; model "
        f"`{store.header.codec_name}` (weights {store.header.weights_sha256[:8]}) with {store.header.n_q} codebooks; "
        f"{len(store.markers)} shards. Made by `benchmarks/tokens.py`, {facts['date']}; "
        f"{facts['packages'].split(', pesq')[0]}.",
        "",
    ]


def speed(work: Path) -> str:
    """Speed, memory, and where the time goes, as Markdown."""
    results = json.loads((work / "results.json").read_text())
    lines = [
        *head(work, "Token extraction: speed"),
        f"{PROCESSES} processes of one thread on 2 cores of an AMD EPYC, which had other work too: what counts is "
        "processor time. That of the command is of all its processes from start to end, with interpreters, libraries "
        "and codec loaded, Ray's nodes among them; that of coding is of workers from taking a shard to its end (on Ray "
        "decoding is done elsewhere and not in it).",
        "",
        "| engine | command, s | coding, s | hours of audio a core hour | MB at 20, 40, ..., 100 % | peak MB |",
        "|---|---:|---:|---:|---|---:|",
    ]
    for engine in [engine for engine in ENGINES[:3] if engine in results]:
        r = results[engine]
        memory = " ".join(str(mb) for mb in r["memory_mb"][:-1])
        rate = f"{r['coding_s']:.1f} | {3600 * r['hours'] / r['coding_s']:.0f}"
        lines.append(f"| {r['name']} | {r['cpu_s']:.1f} | {rate} | {memory} | {r['memory_mb'][-1]} |")
    lines += ["", "Where the workers' time goes, as each run says at its end:", ""]
    lines += [
        f"- {results[engine]['name']}: {said}"
        for engine in ENGINES[:3]
        if engine in results
        for said in results[engine]["said"]
    ]
    if "open" in results:
        r = results["open"]
        lines += [
            "",
            f"A store of {r['shards']} shards opens in {r['open_s']:.2f} s; one second out of an item takes "
            f"{r['crop_us']:.0f} µs (median) in a store that is open.",
        ]
    markers = TokenStore(work / "local").markers
    codes, index = sum(m.codes_bytes for m in markers), sum(m.index_bytes for m in markers)
    return "\n".join([*lines, "", f"Bytes: {codes} of codes, {index} of index ({100 * index / codes:.2f} %)."]) + "\n"


def identity(work: Path) -> str:
    """Whether all engines wrote the same, as Markdown; the stores are compared file by file as well."""
    results = json.loads((work / "results.json").read_text())
    lines = [*head(work, "Token extraction: the same store from every engine"), "| run | items | failed | store hash |"]
    lines.append("|---|---:|---:|---|")
    names = [engine for engine in ENGINES if (work / engine / SHARDS_FOLDER / "000000.done").exists()]
    for engine in names:
        store, missing = TokenStore(work / engine), len(pending(work / engine))
        state = f" ({missing} shards missing)" if missing else ""
        lines.append(f"| {NAMES.get(engine, engine)} | {len(store)}{state} | {store.n_failed} | `{store.hash}` |")
    first = contents(work / names[0])
    same = [name for name in names[1:] if contents(work / name) == first]
    lines += ["", f"Stores whose every file is equal to that of {names[0]}: {', '.join(same) or 'none'}."]
    lines += ["", f"The run with faults: {'; '.join(results['faults']['events'])}. Failures listed at the end:", ""]
    lines += [f"- {failure}" for failure in results["faults"]["failures"]]
    return "\n".join(lines) + "\n"


def scale(work: Path, hours: float = 100_000.0) -> str:
    """What a large corpus would take, worked out from the figures of this run, as Markdown."""
    results = json.loads((work / "results.json").read_text())
    store, local, opened = TokenStore(work / "local"), results["local"], results["open"]
    header, here = store.header, store.hours
    per_core = 3600 * local["hours"] / local["coding_s"]
    decoding = float(re.search(r"decoding took ([\d.]+) %", " ".join(local["said"]))[1]) / 100  # type: ignore[index]
    sources = [Path(request.path) for n in store.shard_numbers for request in read_requests(store.path, n)[1]]
    sources_gb = sum(path.stat().st_size for path in sources) / here / 1e9 * hours
    items = len(store) / here * hours
    codes_gb = float(header.frame_rate) * header.n_q * 2 * 3600 * hours / 1e9
    index_gb = sum(marker.index_bytes for marker in store.markers) / len(store) * items / 1e9
    lines_gb = (store.path / "plans" / "0000.jsonl").stat().st_size / len(sources) * items / 1e9
    core_hours = hours / per_core
    shard_hours = MAX_SHARD_S / 3600
    rows = [
        ("codes", f"{codes_gb:.0f} GB", f"{float(header.frame_rate):g} Hz x {header.n_q} codebooks x 2 bytes"),
        ("index", f"{index_gb:.1f} GB", f"{items / 1e6:.0f} million items of {3600 * here / len(store):.1f} s"),
        ("plan", f"{lines_gb:.1f} GB", f"made in {items / opened['plan_lines_a_second'] / 60:.0f} min by one process"),
        ("audio to be read", f"{sources_gb:.0f} GB", "formats of this corpus; 16-bit PCM at 16 kHz would be 11520 GB"),
        (
            "shards",
            f"{hours / shard_hours:.0f}",
            f"of {shard_hours:g} h, {codes_gb * 1000 / hours * shard_hours:.0f} MB each",
        ),
        ("a shard on one core", f"{60 * shard_hours / per_core:.1f} min", "the most that a killed worker loses"),
        ("core hours", f"{core_hours:.0f}", f"{per_core:.0f} h of audio an hour on one core, decoding included"),
        ("of them decoding", f"{decoding * core_hours:.0f}", "the part that stays on CPUs when GPUs encode"),
        (
            "wall time, 64 cores",
            f"{core_hours / 64:.1f} h",
            f"{sources_gb / core_hours * 64 * 1000 / 3600:.0f} MB/s of audio read",
        ),
        (
            "wall time, 512 cores",
            f"{core_hours / 512:.2f} h",
            f"{sources_gb / core_hours * 512 * 1000 / 3600:.0f} MB/s of audio read",
        ),
        ("memory a worker", f"{local['memory_mb'][-1] / PROCESSES:.0f} MB", "resident, peak; does not grow"),
        ("opening the store", f"{opened['open_s'] * hours / shard_hours / opened['shards']:.1f} s", "local disk"),
    ]
    lines = [*head(work, f"Token extraction: {hours:.0f} hours, worked out"), "| | | |", "|---|---:|---|"]
    lines += [f"| {name} | {value} | {how} |" for name, value, how in rows]
    prices = (
        ("core hours", core_hours, PRICES["core hour"]),
        ("codes for a month, GB", codes_gb + index_gb, PRICES["GB month"]),
    )
    lines += [
        "",
        "Cost, at list prices that are assumed, not measured:",
        "",
        "| part | amount | price | cost |",
        "|---|---:|---:|---:|",
    ]
    lines += [f"| {what} | {amount:.0f} | ${price:g} | ${amount * price:.0f} |" for what, amount, price in prices]
    return "\n".join(lines) + "\n"


def contents(store: Path) -> dict[str, str]:
    """SHA-256 of every file of a store by its name."""
    files = sorted(path for path in store.rglob("*") if path.is_file())
    return {str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
