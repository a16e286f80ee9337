"""The page: what was measured, where the poster's ticks hold and where not.

python egs/quantizer_properties/report.py writes results/properties.md again from results/properties.json, and the table
in docs/quantizers.md.
"""

import json
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from contenders import CONTENDERS, EVERYONE, POSTER, POSTER_METHODS, PROPERTIES
from explanations import EXPLANATIONS

Measured = dict[str, Any]
RESULTS, DOCS = Path(__file__).parent / "results", Path(__file__).parents[2] / "docs/quantizers.md"
BEGIN, END = "<!-- properties: written by egs/quantizer_properties/report.py -->\n", "<!-- end of properties -->"
UNEXPLAINED = "Found in this run; the figures are all that is known."
TUNED, UNBIASED, SAME, PRECISE, ALIGNED, IN_USE = 0.05, 0.99, 0.01, 0.05, 0.01, 0.9
RULES = {
    1: "the loss that the method adds is 0 and its codebook still learns",
    2: f"turning any of its own settings over two decades costs less than {TUNED:.0%} of the error, or it has none",
    3: f"cosine of the mean codebook gradient with the exact gradient of the deployed quantizer above {UNBIASED}, "
    "behind a random linear decoder",
    4: f"squared distance of training's output from the deployed one below {SAME:.0%} of the squared error",
    5: "the task's loss alone gives the codebook a gradient",
    6: f"training's output lies on a codeword (or on the curve) within {PRECISE:.0%} of the error's length",
    7: f"fewer than {ALIGNED:.0%} of the codewords lie off the latents after training without replacement, both hot "
    "(learning rate x10, batch x4) and from a start 10 standard deviations away",
    8: f"at least {IN_USE:.0%} of the codewords are used on held-out frames in the same two trainings",
}


def probes(measured: Measured, name: str, key: str) -> list[float]:
    """One figure of the untrained probe, a value a seed."""
    return [p[key] for p in measured["probes"] if p["name"] == name and p[key] is not None]


def rows(measured: Measured, name: str, kind: str, label: str | None = None) -> list[dict[str, Any]]:
    """Trainings of one kind."""
    return [
        r
        for r in measured["trainings"]
        if r["name"] == name and r["kind"] == kind and (label is None or r["label"] == label)
    ]


def sensitivity(measured: Measured, name: str) -> tuple[float, str]:
    """(worst - best) / best of the squared error over all settings tried, and the worst setting."""
    settings = {"defaults": mean(_power(rows(measured, name, "rate", "64")))}
    for label in {r["label"] for r in rows(measured, name, "knob")}:
        settings[label] = mean(_power(rows(measured, name, "knob", label)))
    worst = max(settings, key=lambda label: settings[label])
    return settings[worst] / min(settings.values()) - 1, worst


def _power(trainings: list[dict[str, Any]]) -> list[float]:
    return [10 ** (r["error_db"] / 10) for r in trainings]


def figures(measured: Measured, number: int, name: str) -> tuple[bool | None, str]:
    """Whether property `number` was found in a method, and the figure that says so."""
    match number:
        case 1:
            aux, task = _both(measured, name, "auxiliary loss"), _both(measured, name, "task gradient")
            return aux == 0 and task > 0, f"adds {aux:.3g}"
        case 2:
            knobs = len(CONTENDERS[name].knobs)
            share, worst = sensitivity(measured, name)
            text = f"{knobs} setting{'s' * (knobs != 1)}" + (f", {share:.0%} ({worst})" if knobs else "")
            return share < TUNED, text
        case 3:
            cosines = probes(measured, name, "cosine, random decoder")
            if not cosines:
                return None, "no gradient"
            ratio, plain = (
                probes(measured, name, "norm ratio, random decoder"),
                probes(measured, name, "cosine, identity decoder"),
            )
            text = f"cos {mean(cosines):.2f}, length {mean(ratio):.2f}; no decoder: cos {mean(plain):.2f}"
            return min(cosines) > UNBIASED, text
        case 4:
            ratio, other = mean(probes(measured, name, "mismatch")), mean(probes(measured, name, "other code"))
            return ratio < SAME, f"{ratio:.2g}" + (f", {other:.0%} other codes" if other else "")
        case 5:
            task = _both(measured, name, "task gradient")
            return task > 0, f"length {task:.2f}"
        case 6:
            off, further = (
                mean(probes(measured, name, "off the mapping")),
                mean(probes(measured, name, "further than the error")),
            )
            return off < PRECISE, f"{off:.2g}" + (f", {further:.0%} further than the error" if further > 0.005 else "")
        case 7:
            hot, far = (mean(r["off_latents"] for r in rows(measured, name, kind)) for kind in ("hot", "far"))
            return max(hot, far) < ALIGNED, f"hot {hot:.0%}, far {far:.0%} off"
    hot, far = (mean(r["usage"] for r in rows(measured, name, kind)) for kind in ("hot", "far"))
    return min(hot, far) >= IN_USE, f"hot {hot:.0%}, far {far:.0%} used"


def _both(measured: Measured, name: str, key: str) -> float:
    return mean(probes(measured, name, f"{key}, random decoder") + probes(measured, name, f"{key}, identity decoder"))


def page(measured: Measured) -> str:
    """properties.md."""
    about = measured["about"]
    parts = [
        "# The poster's eight properties, measured",
        f"Made by `egs/quantizer_properties/run.sh`: {about['cpu_seconds'] / 60:.0f} minutes of CPU time in "
        f"{about['processes']} processes of one thread, {about['seconds'] / 60:.0f} minutes by the clock on a shared "
        f"machine ({about['date'][:10]}, {about['processor']}, torch {about['torch']}). Means over "
        f"{len(about['seeds'])} seeds, {about['steps']} steps a training. Set-up and reading: "
        "[README](../README.md).",
        property_table(measured),
        "Bold: the measurement contradicts the poster's tick. Found means:",
        "\n".join(f"{number}. {PROPERTIES[number]}: {RULES[number]}." for number in PROPERTIES),
        "## Where the poster does not hold, and why",
        contradiction_list(measured),
        "![codebooks](codebooks.png)",
        strip_table(measured),
        "![use](usage.png)\n![gradients](cosine.png)\n![mismatch](mismatch.png)",
        "## Equal transmitted bits",
        rate_table(measured),
        "![error against bits](rate.png)",
        "## SF-DiVeQ's extra bits against more codewords",
        sf_table(measured),
        f"## Residual stacks: {4} stages of 64 codewords",
        stack_table(measured),
        "## Misalignment and use in numbers",
        alignment_table(measured),
    ]
    return "\n\n".join(parts) + "\n"


def property_table(measured: Measured) -> str:
    """Eight rows, a column a method: poster / measured, and the figure."""
    lines = ["| property | " + " | ".join(CONTENDERS) + " |", "|---|" + "---|" * len(CONTENDERS)]
    for number, title in PROPERTIES.items():
        cells = []
        for name in CONTENDERS:
            found, text = figures(measured, number, name)
            claimed = POSTER[number].get(name, POSTER[number]["SF-DiVeQ"])
            differs = found is not None and claimed is not None and found != claimed
            verdict = f"{_tick(claimed)} / {_tick(found)}"
            cells.append(f"{f'**{verdict}**' if differs else verdict} {text}")
        lines.append(f"| {number} {title} (poster / measured) | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def contradictions(measured: Measured) -> list[tuple[int, str]]:
    """(property, method) where the poster's tick does not hold in the measurement."""
    return [
        (number, name)
        for number in PROPERTIES
        for name in POSTER_METHODS
        if None not in (figures(measured, number, name)[0], POSTER[number][name])
        and figures(measured, number, name)[0] != POSTER[number][name]
    ]


def contradiction_list(measured: Measured) -> str:
    """One item a tick that does not hold, with the reason."""
    wrong = contradictions(measured)
    ticks = sum(tick is not None for row in POSTER.values() for tick in row.values())
    lines = [f"{ticks - len(wrong)} of the poster's {ticks} ticks and crosses hold in this measurement."]
    lines += [
        f"- **{PROPERTIES[number]}, {name}.** {EXPLANATIONS.get((number, name), UNEXPLAINED)}" for number, name in wrong
    ]
    return "\n".join(lines)


def strip_table(measured: Measured) -> str:
    """How the 2-D pictures end."""
    last = {name: shots[-1] for name, shots in measured["strips"].items()}
    used = ["used", *(f"{sum(count > 0 for count in shot['counts'])}/{len(shot['counts'])}" for shot in last.values())]
    error = ["squared error", *(f"{shot['error']:.3f}" for shot in last.values())]
    return _table([f"2-D data, step {next(iter(last.values()))['step']}", *last], [used, error])


def write(folder: Path) -> None:
    """properties.md beside properties.json in `folder`; for the committed results also the table in docs/."""
    measured = json.loads((folder / "properties.json").read_text())
    (folder / "properties.md").write_text(page(measured))
    if folder.resolve() == RESULTS.resolve():
        DOCS.write_text(with_tables(DOCS.read_text(), measured))


def with_tables(text: str, measured: Measured) -> str:
    """The page `text` with the tables for readers between its two marks."""
    before, rest = text.split(BEGIN)
    tables = [
        property_table(measured),
        "The same autoencoder of speech frames at equal transmitted bits, and SF-DiVeQ's extra bits beside DiVeQ's:",
        rate_table(measured),
        sf_table(measured),
    ]
    return before + BEGIN + "\n" + "\n\n".join(tables) + "\n\n" + END + rest.split(END)[1]


def _tick(value: bool | None) -> str:
    return {True: "yes", False: "x", None: "n/a"}[value]


def _spread(values: list[float], digits: int = 2) -> str:
    return f"{mean(values):.{digits}f} ± {stdev(values):.{digits}f}"


def _table(head: list[str], body: list[list[str]]) -> str:
    return "\n".join(["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *body)])


def rate_table(measured: Measured) -> str:
    """Held-out error of every method at 4, 6 and 8 bits."""
    sizes = ("16", "64", "256")
    body = []
    for name in EVERYONE:
        by_size = [rows(measured, name, "rate", size) for size in sizes]
        body.append([_with_bits(name, by_size), *(_spread([r["error_db"] for r in of_size]) for of_size in by_size)])
    return _table(["held-out error, dB (± std over seeds)", "4 bits", "6 bits", "8 bits"], body)


def _with_bits(name: str, by_size: list[list[dict[str, Any]]]) -> str:
    """The name, with the bits that are sent where the codes do not fill 4, 6 and 8."""
    bits = [of_size[0]["bits"] for of_size in by_size]
    return name if bits == [4, 6, 8] else f"{name} ({', '.join(f'{b:.2f}' for b in bits)} bits)"


def sf_table(measured: Measured) -> str:
    """One SF-DiVeQ model at sf_bits 0 to 3 beside DiVeQ with 0 to 3 bits more."""

    def by_bits(name: str) -> list[str]:
        series = [r["error_db_by_sf_bits"] for r in rows(measured, name, "rate", "64")]
        return [_spread([s[n] for s in series]) for n in range(4)]

    body = [[f"{name}, one model", *by_bits(name)] for name in CONTENDERS if name.startswith("SF")]
    snapped = [_spread([r["error_db"] for r in rows(measured, "SF-DiVeQ", "snapped", str(n))]) for n in range(4)]
    body.append(["SF-DiVeQ, a model for each grid (snap_from half-way)", *snapped])
    larger = [_spread([r["error_db"] for r in rows(measured, "DiVeQ", "rate", str(64 << n))]) for n in range(4)]
    body.append(["DiVeQ with 64, 128, 256, 512 codewords", *larger])
    return _table(["held-out error, dB", "6 bits", "+1 bit", "+2 bits", "+3 bits"], body)


def stack_table(measured: Measured) -> str:
    """Both wirings of a residual stack."""

    def cell(name: str, wiring: str, key: Callable[[dict[str, Any]], float]) -> str:
        values = [key(r) for r in rows(measured, name, "stack", wiring)]
        return _spread(values) if values else "–"

    body = [
        [name, *(cell(name, wiring, lambda r: r["error_db"]) for wiring in ("per_stage", "joint"))]
        + [cell(name, wiring, lambda r: r["usage"]) for wiring in ("per_stage", "joint")]
        for name in CONTENDERS
    ]
    return _table(["", "per_stage, dB", "joint, dB", "per_stage, used", "joint, used"], body)


def alignment_table(measured: Measured) -> str:
    """Energy distances and evenness for the three ways to train."""
    body = []
    for name in CONTENDERS:
        for kind, label in (("rate", "64"), ("hot", None), ("far", None)):
            trainings = rows(measured, name, kind, label)
            body.append(
                [
                    name,
                    {"rate": "default", "hot": "hot", "far": "far start"}[kind],
                    *(
                        _spread([r[key] for r in trainings])
                        for key in (
                            "off_latents",
                            "energy_distance",
                            "energy_distance_by_use",
                            "usage",
                            "perplexity",
                            "error_db",
                        )
                    ),
                ]
            )
    head = [
        "method",
        "training",
        "codewords off the latents",
        "energy distance",
        "weighted by use",
        "used",
        "perplexity",
    ]
    return _table([*head, "held-out dB"], body)


if __name__ == "__main__":
    write(RESULTS)
