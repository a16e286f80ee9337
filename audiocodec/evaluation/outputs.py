"""Everything that an evaluation leaves in its output folder."""

import json
from dataclasses import asdict, replace
from pathlib import Path

from ..data.pool import Pool
from .environment import describe
from .examples import codebook_use, make_examples, worst_files
from .own import OwnCodec
from .plots import rate_distortion, spread
from .report import html
from .run import Evaluation
from .statistics import Summary, summarise
from .tables import markdown, write_csv


def write_outputs(
    evaluation: Evaluation, out: str | Path, pool: Pool, *, command: str = "", n_examples: int = 10
) -> list[Summary]:
    """Write table.md, table.csv, run.json, plots/*.png and report.html beside the records.

    Args:
        evaluation: what was run.
        out: folder.
        pool: workers to code the examples in.
        command: line that made it, kept with the facts.
        n_examples: how many of the worst recordings the report lets one hear.
    Returns:
        Summaries, one a system, as the tables show them.
    """
    out = Path(out)
    worst = worst_files(evaluation, evaluation.metrics[0], n_examples)
    examples = make_examples(evaluation, worst, pool)
    use, faults = codebook_use(evaluation, pool)
    evaluation = replace(evaluation, missing=evaluation.missing | faults)
    summaries = summarise(evaluation.records, evaluation.systems, evaluation.metrics)
    facts = describe() | {
        "command": command,
        "time": f"{evaluation.wall_s:.0f} s, without the scores that the folder already held",
    }
    (out / "table.md").write_text(markdown(evaluation, summaries, facts), encoding="utf-8")
    write_csv(out / "table.csv", summaries, evaluation.metrics)
    _write_plots(evaluation, summaries, out / "plots")
    (out / "report.html").write_text(html(evaluation, summaries, facts, examples, use), encoding="utf-8")
    run = {
        "facts": facts,
        "sample_rate": evaluation.sample_rate,
        "metrics": {metric.id: metric.definition for metric in evaluation.metrics},
        "missing": evaluation.missing,
        "summaries": [_plain(asdict(summary)) for summary in summaries],
        "codebooks": {family: [asdict(stage) for stage in stages] for family, stages in use.items()},
    }
    (out / "run.json").write_text(json.dumps(run, ensure_ascii=False, indent=1, allow_nan=False) + "\n", "utf-8")
    return summaries


def _write_plots(evaluation: Evaluation, summaries: list[Summary], folder: Path) -> None:
    """One picture a metric, and one of the spread of the first."""
    folder.mkdir(exist_ok=True)
    own = {system.family for system in evaluation.systems if isinstance(system, OwnCodec)}
    for metric in evaluation.metrics:
        (folder / f"{metric.name}.png").write_bytes(rate_distortion(summaries, metric, own))
    first = evaluation.metrics[0]
    (folder / f"{first.name}_files.png").write_bytes(spread(evaluation.records, summaries, first, own))


def _plain(value: object) -> object:
    """NaN, which JSON cannot say, as None; all the way down."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, float) and value != value:
        return None
    return value
