"""Records to results: loss.json, loss.md, loss.png."""

import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audiocodec.evaluation.environment import describe
from audiocodec.evaluation.statistics import bootstrap_mean

METRICS = {"pesq_wb": "PESQ-WB", "stoi": "STOI"}
CHANNELS = {"uniform": "independent losses", "bursts": "bursts of 3 packets on average"}
COLOURS = ("#c1121f", "#780096", "#e85d04", "#94a3b8", "#0b6fa4", "#2a9d58")
Record = dict[str, Any]


def summarise(records: Sequence[Record], systems: Sequence[Any]) -> list[Record]:
    """One line a system, channel and loss rate: means over recordings, with 95 % bootstrap intervals."""
    lines = []
    for system in systems:
        mine = [r for r in records if r["system"] == system.name]
        for channel, loss in sorted({(r["channel"], r["loss"]) for r in mine}, reverse=False):
            group = [r for r in mine if (r["channel"], r["loss"]) == (channel, loss)]
            line: Record = {"system": system.name, "label": system.label, "channel": channel, "loss": loss}
            line |= {"recordings": len(group), "lost": round(float(np.mean([r["lost"] for r in group])), 4)}
            line["kbit_s"] = round(float(np.mean([r["bits_per_second"] for r in group])) / 1000, 2)
            for metric in METRICS:
                values = [r[metric] for r in group if r[metric] is not None]
                mean, low, high = bootstrap_mean(values)
                line[metric] = [round(mean, 3), round(low, 3), round(high, 3)]
                line[f"{metric}_failed"] = len(group) - len(values)
            lines.append(line)
    return lines


def write_report(
    records: Sequence[Record], curves: Sequence[Any], ways: Sequence[Any], versions: dict[str, str], out: Path
) -> None:
    """Write the three files.

    Args:
        records: of the present versions of all systems.
        curves: systems whose curves are drawn.
        ways: ways to conceal, compared in a table.
        versions: what the results of each system depend on.
        out: folder.
    """
    out.mkdir(parents=True, exist_ok=True)
    lines = summarise(records, [*curves, *ways])
    head = {"date": datetime.date.today().isoformat(), "hardware": describe()["processor"], "versions": versions}
    body = ",\n ".join(json.dumps(line) for line in lines)
    text = json.dumps(head, indent=1)[:-2] + f',\n "points": [\n {body}\n ]\n}}\n'
    (out / "loss.json").write_text(text, encoding="utf-8")
    n_files = max((line["recordings"] for line in lines), default=0)
    parts = [
        f"Means over {n_files} recordings of the validation set, 8 s of each at most. "
        f"{head['date']}, {head['hardware']}. Made by `egs/packet_loss/run.sh`.\n"
    ]
    parts += [_table(lines, curves, channel, metric) for channel in CHANNELS for metric in METRICS]
    parts.append(_ways(lines, [*curves[:2], *ways]))
    (out / "loss.md").write_text("\n".join(parts), encoding="utf-8")
    _draw(lines, curves, out / "loss.png")


def _at(lines: Sequence[Record], name: str, channel: str, loss: float) -> Record | None:
    return next((x for x in lines if (x["system"], x["channel"], x["loss"]) == (name, channel, loss)), None)


def _table(lines: Sequence[Record], systems: Sequence[Any], channel: str, metric: str) -> str:
    rates = sorted({line["loss"] for line in lines if line["channel"] in (channel, "uniform")})
    rows = [f"### {METRICS[metric]}, {CHANNELS[channel]}\n"]
    rows.append("| | kbit/s | " + " | ".join(f"{100 * rate:g} %" for rate in rates) + " |")
    rows.append("|---|---:|" + "---:|" * len(rates))
    for system in systems:
        found = [_at(lines, system.name, channel if rate else "uniform", rate) for rate in rates]
        if any(found):
            cells = ["" if x is None else f"{x[metric][0]:.3f}" for x in found]
            rate = next(x["kbit_s"] for x in found if x)
            rows.append(f"| {system.label} | {rate:.2f} | " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def _ways(lines: Sequence[Record], systems: Sequence[Any]) -> str:
    at = [("uniform", 0.1), ("bursts", 0.2)]
    rows = [
        "### Ways to conceal\n",
        "| | " + " | ".join(f"{m}, {100 * r:g} % {c}" for c, r in at for m in METRICS.values()),
    ]
    rows[-1] += " |"
    rows.append("|---|" + "---:|" * 4)
    for system in systems:
        found = [_at(lines, system.name, *point) for point in at]
        cells = ["" if x is None else f"{x[metric][0]:.3f}" for x in found for metric in METRICS]
        rows.append(f"| {system.label} | " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def _draw(lines: Sequence[Record], systems: Sequence[Any], path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 7), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(METRICS), len(CHANNELS), sharex=True, sharey="row")
    for row, metric in enumerate(METRICS):
        for column, channel in enumerate(CHANNELS):
            plot = axes[row, column]
            for colour, system in zip(COLOURS, systems, strict=False):
                mine = [x for x in lines if x["system"] == system.name and (x["channel"] == channel or not x["loss"])]
                mine.sort(key=lambda x: x["loss"])
                if not mine:
                    continue
                loss, means = [100 * x["loss"] for x in mine], [x[metric][0] for x in mine]
                ours = system.name.startswith("ours")
                label = f"{system.label}: {mine[0]['kbit_s']:.1f} kbit/s"
                plot.plot(loss, means, "o-" if ours else "s--", color=colour, label=label, lw=2 if ours else 1.4, ms=4)
                plot.fill_between(loss, *([x[metric][i] for x in mine] for i in (1, 2)), color=colour, alpha=0.08, lw=0)
            plot.spines[["top", "right"]].set_visible(False)
            plot.grid(color="#e5e7eb", lw=0.8)
            plot.set_ylabel(METRICS[metric] if not column else "")
            plot.set_title(CHANNELS[channel] if not row else "", fontsize=10)
            plot.set_xlabel("packets lost, %" if row else "")
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8.5, frameon=False
    )
    figure.savefig(path, dpi=130)
