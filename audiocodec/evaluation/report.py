"""The report: one HTML page that opens from disk, with table, curves, the worst files to hear, and all definitions."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from ..metrics.base import Metric
from .examples import MAX_S, Example, StageUse
from .media import data_uri
from .own import OwnCodec
from .peers.pcm import Pcm
from .plots import rate_distortion, spread
from .run import Evaluation
from .statistics import Interval, Summary, duels
from .tables import counted, digits, failures, heading, number

TEMPLATE = "report.html.j2"


def html(
    evaluation: Evaluation,
    summaries: Sequence[Summary],
    facts: dict[str, str],
    examples: Sequence[Example] = (),
    use: dict[str, list[StageUse]] | None = None,
) -> str:
    """The whole page, pictures and sound inside it.

    Args:
        evaluation: what was run.
        summaries: one a system.
        facts: of `environment.describe`.
        examples: recordings to hear, the worst first.
        use: codebooks of our codecs, by family.
    Returns:
        HTML text.
    """
    from jinja2 import Environment, StrictUndefined

    own = {system.family for system in evaluation.systems if isinstance(system, OwnCodec)}
    main_metric = evaluation.metrics[0]
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = page.from_string(files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8"))
    return template.render(
        title=_title(summaries, own),
        n_files=evaluation.n_files,
        minutes=evaluation.seconds / 60,
        sample_rate=evaluation.sample_rate,
        facts=facts,
        own=own,
        metrics=[_metric(metric) for metric in evaluation.metrics],
        rows=[_row(summary, evaluation.metrics, own) for summary in summaries],
        curves=[_plot(rate_distortion(summaries, m, own), f"{m.label} against bitrate") for m in evaluation.metrics],
        spreads=[_plot(spread(evaluation.records, summaries, main_metric, own), f"{main_metric.label} of every file")],
        use=use or {},
        duels=_duels(evaluation, main_metric),
        rivals=[system.name for system in evaluation.systems if isinstance(system, OwnCodec)],
        examples=[_example(example, main_metric, own, evaluation) for example in examples],
        worst_by=main_metric.label,
        max_s=f"{MAX_S:g}",
        counted=counted(summaries),
        missing=evaluation.missing,
        failures=failures(evaluation, summaries),
    )


def _title(summaries: Sequence[Summary], own: set[str]) -> str:
    families = list(dict.fromkeys(summary.family for summary in summaries))
    ours = [family for family in families if family in own]
    theirs = [family for family in families if family not in own]
    shown = ", ".join(theirs[:6]) + (f" and {len(theirs) - 6} more" if len(theirs) > 6 else "")
    return " beside ".join(filter(None, [", ".join(ours), shown]))


def _metric(metric: Metric) -> dict[str, str]:
    return {
        "label": metric.label,
        "heading": heading(metric),
        "id": metric.id,
        "definition": metric.definition,
    }


def _row(summary: Summary, metrics: Sequence[Metric], own: set[str]) -> dict[str, Any]:
    return {
        "name": summary.system,
        "own": summary.family in own,
        "version": summary.version,
        "rate": number(summary.bitrate / 1000, 2),
        "files": summary.n_files,
        "failed": summary.n_failed,
        "cells": [_cell(summary.metrics[metric.name], digits(metric)) for metric in metrics],
        "encode": number(summary.encode_speed, 0),
        "decode": number(summary.decode_speed, 0),
        "delay": number(summary.delay, 0),
        "gain": number(summary.gain_db, 1),
    }


def _cell(found: Interval, decimals: int) -> dict[str, Any]:
    return {
        "mean": number(found.mean, decimals),
        "range": f"{number(found.low, decimals)} to {number(found.high, decimals)}" if found.n_answered else "",
        "failed": found.n_failed,
    }


def _duels(evaluation: Evaluation, metric: Metric) -> list[dict[str, Any]]:
    """A row for each peer: by how much each of our systems is better, with the interval and the share of files won."""
    ours = [system for system in evaluation.systems if isinstance(system, OwnCodec)]
    theirs = [system for system in evaluation.systems if not isinstance(system, OwnCodec | Pcm)]
    rows = []
    for row in duels(evaluation.records, ours, theirs, metric) if ours else []:
        cells = []
        for duel in row:
            d, places = duel.difference, digits(metric)
            verdict = "better" if d.low > 0 else "worse" if d.high < 0 else ""
            bounds = f"{number(d.low, places)} to {number(d.high, places)}, {duel.share_won:.0%} of files"
            sign = "+" if d.mean > 0 else ""
            cells.append({"mean": sign + number(d.mean, places), "bounds": bounds, "verdict": verdict})
        rows.append({"name": row[0].theirs, "cells": cells})
    return rows


def _plot(png: bytes, alt: str) -> dict[str, str]:
    return {"src": data_uri(png, "image/png"), "alt": alt}


def _example(example: Example, metric: Metric, own: set[str], evaluation: Evaluation) -> dict[str, Any]:
    ours = {system.name for system in evaluation.systems if system.family in own}
    clips = []
    for clip in example.clips:
        score = clip.scores.get(metric.name)
        clips.append(
            {
                "label": clip.label,
                "own": clip.label in ours,
                "rate": f"{clip.bitrate / 1000:.2f} kbit/s" if clip.bitrate else "",
                "scores": f"{metric.label} {number(score, digits(metric))}" if score is not None else "",
                "audio": clip.audio,
                "picture": clip.picture,
            }
        )
    return {"file": example.file, "seconds": example.seconds, "clips": clips}
