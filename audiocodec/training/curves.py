"""The history of a run as a picture and as a small file: losses, learning rate, codebooks, validation."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..config.training import RECONSTRUCTION_TERMS
from ..errors import ConfigError
from .telemetry import read_metrics

_TERMS = ("loss", *RECONSTRUCTION_TERMS, "quantizer", "adversarial", "feature_matching", "discriminator")
_OTHERS = ("lr", "grad_norm", "discriminator_grad_norm", "audio_per_s", "step_s", "data_s")
_DIGITS = 5


def history(run: str | Path, points: int = 300) -> dict[str, Any]:
    """Thin a run's metrics.jsonl to a few hundred points.

    Args:
        run: folder of the run, or its metrics.jsonl.
        points: of every curve; each is the mean of the steps since the one before.
    Returns:
        `step` and `curves` (name -> values, None where a term was off), `codebooks` (rows of usage, perplexity and
        effective bits per codebook), `valid` (rows of figures), and totals of the run.
    Raises:
        ConfigError: there are no steps in it.
    """
    path = Path(run) / "metrics.jsonl" if Path(run).is_dir() else Path(run)
    rows = read_metrics(path) if path.exists() else []
    if not rows:
        raise ConfigError(f"{path}: no steps there; give the folder of a run")
    groups = [group for group in np.array_split(np.arange(len(rows)), min(points, len(rows))) if len(group)]
    names = [name for name in (*_TERMS, *_OTHERS) if any(row.get(name) is not None for row in rows)]
    curves = {name: [_mean([rows[i].get(name) for i in group]) for group in groups] for name in names}
    seconds = sum(row["step_s"] for row in rows)
    return {
        "steps": rows[-1]["step"],
        "hours": round(seconds / 3600, 3),
        "skipped": sum(bool(row.get("skipped")) for row in rows),
        "data_share": round(sum(row["data_s"] for row in rows) / max(seconds, 1e-9), 5),
        "step": [rows[group[-1]]["step"] for group in groups],
        "curves": curves,
        "codebooks": _thin([{"step": r["step"], **r["codebooks"]} for r in rows if r.get("codebooks")], points),
        "valid": [{"step": r["step"], **{k: _round(v) for k, v in r["valid"].items()}} for r in rows if r.get("valid")],
    }


def draw(history: Mapping[str, Any], path: str | Path, title: str = "") -> None:
    """Draw a history as a PNG of four panels.

    Args:
        history: what the function of that name returns.
        path: of the picture.
        title: above it.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, ((losses, rate), (books, valid)) = plt.subplots(2, 2, figsize=(13, 8), layout="constrained")
    figure.suptitle(title or f"{history['steps']} steps, {history['hours']:.2f} h")
    step, curves = history["step"], history["curves"]
    for name in _TERMS:
        if name in curves and any(curves[name]):
            losses.plot(step, _numbers(curves[name]), label=name, linewidth=2 if name == "loss" else 1)
    losses.set(title="loss terms, unweighted, and their weighted sum", xlabel="step", yscale="log")
    losses.legend(fontsize=8)
    rate.plot(step, _numbers(curves["lr"]), color="black", label="learning rate")
    rate.set(title="learning rate and gradient norm", xlabel="step", ylabel="learning rate")
    norm = rate.twinx()
    norm.plot(step, _numbers(curves["grad_norm"]), color="tab:red", alpha=0.6)
    norm.set_ylabel("gradient norm", color="tab:red")
    norm.set_yscale("log")
    _draw_codebooks(books, history["codebooks"])
    _draw_validation(valid, history["valid"])
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw_codebooks(axes: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    axes.set(title="codebooks: share of codewords used (full), effective bits (dashed)", xlabel="step", ylim=(0, 1.02))
    if not rows:
        return
    step = [row["step"] for row in rows]
    bits = axes.twinx()
    count = len(rows[0]["usage"])
    for i in range(count):
        colour = f"C{i % 10}"
        axes.plot(step, [row["usage"][i] for row in rows], color=colour, label=f"{i + 1}")
        bits.plot(step, [row["effective_bits"][i] for row in rows], color=colour, linestyle="--", alpha=0.5)
    bits.set_ylabel("bits")
    axes.legend(fontsize=7, ncols=max(1, count // 4), title="codebook", loc="lower right")


def _draw_validation(axes: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    axes.set(title="validation, averaged weights (@n: first n codebooks)", xlabel="step")
    shown = [
        name for name in (rows[-1] if rows else ()) if name.partition("@")[0] in ("pesq_wb", "stoi", "mel_distance")
    ]
    for name in shown:
        axes.plot([r["step"] for r in rows], [_number(r.get(name)) for r in rows], marker=".", label=name)
    if shown:
        axes.legend(fontsize=8)


def write(run: str | Path, folder: str | Path, points: int = 300, title: str = "") -> tuple[Path, Path]:
    """Write training.png and training.json of a run.

    Args:
        run: folder of the run.
        folder: where they go; made if missing.
        points: of every curve.
        title: above the picture.
    Returns:
        paths of picture and file.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    thinned = history(run, points)
    picture, file = folder / "training.png", folder / "training.json"
    draw(thinned, picture, title)
    file.write_text(json.dumps(thinned) + "\n", encoding="utf-8")
    return picture, file


def _mean(values: Sequence[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return _round(float(np.mean(numbers))) if numbers else None


def _round(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}")


def _thin(rows: list[dict[str, Any]], points: int) -> list[dict[str, Any]]:
    every = -(-len(rows) // points) if rows else 1
    return rows[::-1][::every][::-1]  # the last one is always kept


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [_number(value) for value in values]
