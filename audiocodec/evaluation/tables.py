"""Results as Markdown and CSV."""

import csv
from collections.abc import Sequence
from pathlib import Path

from ..metrics.base import Metric
from .run import Evaluation
from .statistics import LEVEL, Interval, Summary


def markdown(evaluation: Evaluation, summaries: Sequence[Summary], facts: dict[str, str]) -> str:
    """The whole result as one Markdown page: table, failures, what was not run, definitions, machine.

    Args:
        evaluation: what was run.
        summaries: one a system.
        facts: of `environment.describe`.
    Returns:
        Markdown text.
    """
    parts = [
        f"{evaluation.n_files} files, {evaluation.seconds / 60:.1f} min of audio; mean over files and "
        f"{LEVEL:.0%} bootstrap interval (10 000 resamples of the files). Signals compared at "
        f"{evaluation.sample_rate} Hz after resampling by soxr HQ, delay removed by cross-correlation, level left as "
        "it is. Arrows point to the better end.",
        _table(summaries, evaluation.metrics),
        "x RT: seconds of audio coded in one CPU second, encoding and decoding apart. kbit/s counts:\n"
        + "\n".join(f"- {line}" for line in counted(summaries)),
    ]
    if lines := failures(evaluation, summaries):
        parts.append("**Failures** (in no mean):\n" + "\n".join(f"- {line}" for line in lines))
    if evaluation.missing:
        absent = "\n".join(f"- {name}: {why}" for name, why in evaluation.missing.items())
        parts.append(f"**Not run on this machine:**\n{absent}")
    definitions = "\n".join(f"- {m.label} (`{m.id}`): {m.definition}" for m in evaluation.metrics)
    parts.append(f"**Definitions**\n{definitions}")
    parts.append("**Made by**\n" + "\n".join(f"- {name}: {value}" for name, value in facts.items() if value))
    return "\n\n".join(parts) + "\n"


def write_csv(path: Path, summaries: Sequence[Summary], metrics: Sequence[Metric]) -> None:
    """One line a system; for each metric its mean, both ends of the interval, and the number of failed files."""
    columns = ["system", "family", "version", "bits_counted", "files", "files_failed", "bitrate_bit_s"]
    columns += ["encode_x_realtime", "decode_x_realtime", "delay_samples", "gain_db"]
    columns += [f"{metric.name}{end}" for metric in metrics for end in ("", "_low", "_high", "_failed")]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for s in summaries:
            numbers = [s.bitrate, s.encode_speed, s.decode_speed, s.delay, s.gain_db]
            row = [s.system, s.family, s.version, s.counted, s.n_files, s.n_failed, *(f"{x:.4f}" for x in numbers)]
            for found in (s.metrics[metric.name] for metric in metrics):
                row += [*(f"{x:.4f}" for x in (found.mean, found.low, found.high)), found.n_failed]
            writer.writerow(row)


def digits(metric: Metric) -> int:
    """Decimals to print: three for correlations, one for decibels, two for the rest."""
    return 3 if metric.name in ("stoi", "estoi") else 1 if metric.unit == "dB" else 2


def number(value: float, decimals: int) -> str:
    """A number for a table; an en dash for NaN, no minus sign on a rounded zero."""
    if value != value:
        return "–"
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0 else text


def heading(metric: Metric) -> str:
    """Label, unit and an arrow towards the better end."""
    unit = f", {metric.unit}" if metric.unit else ""
    return f"{metric.label}{unit}\u00a0{'↑' if metric.better == 'higher' else '↓'}"


def _table(summaries: Sequence[Summary], metrics: Sequence[Metric]) -> str:
    head = ["system", "kbit/s", *(heading(metric) for metric in metrics), "failed", "encode x RT", "decode x RT"]
    rows = [head, ["---", *["---:"] * (len(head) - 1)]]
    for s in summaries:
        cells = [_cell(s.metrics[metric.name], digits(metric)) for metric in metrics]
        speeds = [number(s.encode_speed, 0), number(s.decode_speed, 0)]
        failed = str(max([s.n_failed, *(found.n_failed for found in s.metrics.values())]))
        rows.append([s.system, number(s.bitrate / 1000, 2), *cells, failed, *speeds])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _cell(found: Interval, decimals: int) -> str:
    text = f"{number(found.mean, decimals)} ({number(found.low, decimals)} to {number(found.high, decimals)})"
    return f"{text} [{found.n_failed} failed]" if found.n_failed else text


def counted(summaries: Sequence[Summary]) -> list[str]:
    """Which systems' bits hold what: comparable only where this is known."""
    kinds: dict[str, list[str]] = {}
    for s in summaries:
        families = kinds.setdefault(s.counted, [])
        if s.family not in families:
            families.append(s.family)
    return [f"{', '.join(families)}: {counted}" for counted, families in kinds.items()]


def failures(evaluation: Evaluation, summaries: Sequence[Summary]) -> list[str]:
    """Each reason once a system, with how often it came."""
    tally: dict[tuple[str, str], int] = {}
    for record in evaluation.records:
        reasons = [f"no audio: {record.error}"] if record.error else []
        reasons += [f"{metric}: {reason}" for metric, reason in record.reasons.items()]
        for reason in reasons:
            tally[record.system, reason] = tally.get((record.system, reason), 0) + 1
    order = {s.system: index for index, s in enumerate(summaries)}
    rows = sorted((order[system], n, f"{system}, {n} files: {reason}") for (system, reason), n in tally.items())
    return [line for _, _, line in rows]


def brief(evaluation: Evaluation, summaries: Sequence[Summary]) -> str:
    """Means alone, as aligned text for a terminal, and what was not run."""
    head = ["system", "kbit/s", *(metric.name for metric in evaluation.metrics), "failed"]
    rows = [head]
    for s in summaries:
        means = [number(s.metrics[metric.name].mean, digits(metric)) for metric in evaluation.metrics]
        failed = max([s.n_failed, *(found.n_failed for found in s.metrics.values())])
        rows.append([s.system, number(s.bitrate / 1000, 2), *means, str(failed)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
    return "\n".join(lines + [f"not run: {name}: {why}" for name, why in evaluation.missing.items()])
