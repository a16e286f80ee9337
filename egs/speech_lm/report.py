"""Numbers and picture of a training run, summary.md and perplexity.png: python egs/speech_lm/report.py OUT"""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt


def main() -> None:
    """Read training.json, write both files."""
    out = Path(sys.argv[1])
    facts = json.loads((out / "training.json").read_text(encoding="utf-8"))
    (out / "summary.md").write_text(summary(facts), encoding="utf-8")
    draw_curve(facts, out / "perplexity.png")


def summary(facts: dict[str, Any]) -> str:
    """What was trained, on what, and perplexity over steps, in Markdown."""
    model, store, held_out, seconds = facts["model"], facts["store"], facts["held_out"], facts["seconds"]
    curve, settings, machine = facts["curve"], facts["training"], facts["facts"]
    names = [f"codebook {k + 1}" for k in range(model["n_q"])]
    lines = [
        f"{model['parameters'] / 1e6:.1f} million parameters on {store['hours']:.2f} h ({store['items']} recordings, "
        f"{held_out['items']} of them held out) of `{facts['codec']}`, store {store['hash'][:16]}. "
        f"{curve[-1]['step']} of {settings['steps']} steps of {settings['batch_size']} crops of "
        f"{settings['crop_seconds']} s: {seconds['cpu']} s of CPU time on {facts['threads']} thread(s), "
        f"{seconds['wall']} s on the clock. {machine['date']}, {machine['processor']}.",
        "",
        "| held-out perplexity | all | " + " | ".join(names) + " |",
        "|---|" + "---:|" * (len(names) + 1),
    ]
    for place in curve:
        values = [place["perplexity"], *place["codebooks"]]
        lines.append(f"| step {place['step']} | " + " | ".join(f"{value:.0f}" for value in values) + " |")
    unigram = [f"{value:.0f}" for value in facts["unigram_perplexity"]]
    lines.append("| frequencies of single codes | | " + " | ".join(unigram) + " |")
    return "\n".join(lines) + "\n"


def draw_curve(facts: dict[str, Any], path: Path) -> None:
    """Held-out perplexity over steps, of each codebook, beside what code frequencies alone give."""
    curve, fig = facts["curve"], plt.figure(figsize=(7, 4))
    steps = [place["step"] for place in curve]
    for k in range(facts["model"]["n_q"]):
        (line,) = plt.plot(steps, [place["codebooks"][k] for place in curve], label=f"codebook {k + 1}")
        plt.axhline(facts["unigram_perplexity"][k], color=line.get_color(), linestyle=":", linewidth=1)
    plt.plot(steps, [place["perplexity"] for place in curve], "k", linewidth=2, label="all")
    plt.yscale("log")
    plt.xlabel("steps")
    plt.ylabel("perplexity, held-out items")
    plt.title("dotted: frequencies of single codes", fontsize=9)
    plt.legend()
    fig.savefig(path, dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    main()
