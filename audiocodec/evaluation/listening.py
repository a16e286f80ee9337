"""A blind listening test in the manner of MUSHRA: a page to send to listeners, and what their answers say.

Each recording is heard as the known reference and, in random order, through every system, once more untouched (the
hidden reference) and low-passed at 3.5 kHz (the anchor). The page holds clip numbers only; which clip is whose stands
in a key file that listeners do not get.

Source: ITU-R BS.1534-3; deviates: fewer rules for the room and the listeners, one anchor.
"""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from ..data.pool import Job, Pool, Step
from ..errors import ConfigError
from .examples import MAX_S
from .measure import code, load
from .media import data_uri, flac
from .run import Evaluation
from .selftest import low_pass
from .statistics import bootstrap_mean
from .systems import System

TEMPLATE = "listen.html.j2"
HIDDEN_REFERENCE, ANCHOR = "hidden reference", "3.5 kHz anchor"
ANCHOR_HZ = 3500
LEAST_REFERENCE_SCORE, MOST_MISSES = 90, 0.15  # BS.1534: who rates the hidden reference lower, more often, is left out


@dataclass(frozen=True, slots=True)
class Opinion:
    """Mean rating of one system over listeners and recordings, with its bootstrap interval."""

    system: str
    mean: float
    low: float
    high: float
    n_ratings: int


def write_page(evaluation: Evaluation, recordings: Sequence[str], out: Path, pool: Pool) -> tuple[Path, Path]:
    """Write listen.html and listen_key.json.

    Args:
        evaluation: gives systems and paths.
        recordings: names as in its records.
        out: folder.
        pool: workers to code in.
    Returns:
        Paths of the page and of its key.
    """
    from jinja2 import Environment, StrictUndefined

    conditions: list[System | str] = [*evaluation.systems, HIDDEN_REFERENCE, ANCHOR, ""]
    for name in recordings:
        for condition in conditions:
            arguments = (name, str(evaluation.paths[name]), condition, evaluation.sample_rate)
            pool.submit(Job(_sound, arguments))
    sounds: dict[tuple[str, str], str] = {}
    for outcome in pool.outcomes():
        name, _, condition, _ = outcome.job.arguments
        if outcome.error:
            raise ConfigError(f"{name} through {_label(condition)}: {outcome.error}; leave that codec or file out")
        sounds[name, _label(condition)] = outcome.value
    key: dict[str, dict[str, str]] = {}
    trials = []
    for name in recordings:
        clips = {}
        for label in filter(None, map(_label, conditions)):
            clip = secrets.token_hex(6)  # says nothing, and sorts at random
            key[clip] = {"file": name, "system": label}
            clips[clip] = {"id": clip, "audio": sounds[name, label]}
        trials.append({"reference": sounds[name, ""], "clips": [clips[clip] for clip in sorted(clips)]})
    test_id = secrets.token_hex(8)
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True).from_string(
        package_files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8")
    )
    (out / "listen.html").write_text(page.render(trials=trials, test_id=test_id), encoding="utf-8")
    (out / "listen_key.json").write_text(json.dumps({"test": test_id, "clips": key}, indent=1) + "\n", "utf-8")
    return out / "listen.html", out / "listen_key.json"


def spread_over(names: Sequence[str], count: int) -> list[str]:
    """`count` of `names`, evenly over their order; all of them where there are fewer."""
    ordered = sorted(names)
    count = min(count, len(ordered))
    return [ordered[(2 * index + 1) * len(ordered) // (2 * count)] for index in range(count)]


def analyse(key_path: Path, answer_paths: Sequence[Path]) -> tuple[list[Opinion], dict[str, str]]:
    """Put listeners' answers together.

    Args:
        key_path: listen_key.json of the test.
        answer_paths: files that listeners saved.
    Returns:
        (opinions, best first; listener -> why their answers were left out).
    Raises:
        ConfigError: a file is not of this test, or no listener is left.
    """
    key = _read(key_path)
    ratings: dict[str, list[float]] = {}
    left_out: dict[str, str] = {}
    for path in answer_paths:
        answers = _read(path)
        if answers.get("test") != key.get("test"):
            raise ConfigError(f"{path}: answers to another test than {key_path}")
        scores = _scores(answers, key["clips"], path)
        listener = f"{answers.get('listener', 'anonymous')} ({path.name})"
        misses = [score < LEAST_REFERENCE_SCORE for system, score in scores if system == HIDDEN_REFERENCE]
        if sum(misses) > MOST_MISSES * len(misses):
            left_out[listener] = f"hidden reference below {LEAST_REFERENCE_SCORE} in {sum(misses)} of {len(misses)}"
            continue
        for system, score in scores:
            ratings.setdefault(system, []).append(score)
    if not ratings:
        raise ConfigError("no listener is left: " + "; ".join(f"{name}: {why}" for name, why in left_out.items()))
    opinions = [Opinion(system, *bootstrap_mean(scores), len(scores)) for system, scores in ratings.items()]
    return sorted(opinions, key=lambda opinion: -opinion.mean), left_out


def _scores(answers: dict[str, Any], clips: dict[str, dict[str, str]], path: Path) -> list[tuple[str, float]]:
    """(system, score) of each rating."""
    try:
        ratings = [rating for trial in answers["trials"] for rating in trial["ratings"]]
        return [(clips[rating["clip"]]["system"], float(rating["score"])) for rating in ratings]
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{path}: not answers of this page: {error!r}") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read as JSON: {error}") from None
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: expected a JSON object")
    return value


def _label(condition: System | str) -> str:
    return condition if isinstance(condition, str) else condition.name


def _sound(name: str, path: str, condition: System | str, sample_rate: int, step: Step) -> str:
    """A recording under one condition as a data URI; "" is the reference itself."""
    step("code")
    signal = load(path, sample_rate)
    if isinstance(condition, System):
        signal = code(signal, sample_rate, condition)[0].signal
    elif condition == ANCHOR:
        signal = low_pass(signal, sample_rate, ANCHOR_HZ)
    return data_uri(flac(signal[: int(MAX_S * sample_rate)], sample_rate), "audio/flac")
