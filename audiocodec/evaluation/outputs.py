"""Everything that an evaluation leaves in its output folder."""

import json
from dataclasses import asdict
from pathlib import Path

from .environment import describe
from .run import Evaluation
from .statistics import Summary, summarise
from .tables import markdown, write_csv


def write_outputs(evaluation: Evaluation, out: str | Path, command: str = "") -> list[Summary]:
    """Write table.md, table.csv and run.json beside the records.

    Args:
        evaluation: what was run.
        out: folder.
        command: line that made it, kept with the facts.
    Returns:
        Summaries, one a system, as the tables show them.
    """
    out = Path(out)
    summaries = summarise(evaluation.records, evaluation.systems, evaluation.metrics)
    facts = describe()
    facts["command"] = command
    facts["time"] = f"{evaluation.wall_s:.0f} s, of which earlier results took none"
    (out / "table.md").write_text(markdown(evaluation, summaries, facts), encoding="utf-8")
    write_csv(out / "table.csv", summaries, evaluation.metrics)
    run = {
        "facts": facts,
        "sample_rate": evaluation.sample_rate,
        "metrics": {metric.id: metric.definition for metric in evaluation.metrics},
        "missing": evaluation.missing,
        "summaries": [_plain(asdict(summary)) for summary in summaries],
    }
    (out / "run.json").write_text(json.dumps(run, ensure_ascii=False, indent=1, allow_nan=False) + "\n", "utf-8")
    return summaries


def _plain(value: object) -> object:
    """NaN, which JSON cannot say, as None; all the way down."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, float) and value != value:
        return None
    return value
