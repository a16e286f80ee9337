"""What a run tells: metrics.jsonl with every step, trackers, and a line or a progress bar on the terminal."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

_SHOWN = (
    "loss",
    "mel",
    "stft_log",
    "complex",
    "loudness",
    "waveform",
    "adversarial",
    "feature_matching",
    "discriminator",
)
_VALID_SHOWN = ("loss", "mel_distance", "pesq_wb", "stoi")


class MetricsFile:
    """metrics.jsonl: one JSON object a step. A resumed run first forgets the steps it is going to repeat.

    Args:
        path: the file.
        step: optimizer steps already done; later lines, and a half-written last one, are dropped.
        warn: told when the disk is full; lines wait in memory until there is room.
    """

    def __init__(self, path: Path, step: int, warn: Callable[[str], None]):
        self.path, self._warn = path, warn
        self._waiting: list[str] = []
        kept = [line for row, line in _rows(path) if row["step"] <= step] if path.exists() else []
        draft = path.with_suffix(".part")
        draft.write_text("".join(kept), encoding="utf-8")
        draft.replace(path)

    def write(self, row: Mapping[str, Any]) -> None:
        """Append a row; numbers that are not finite become null, as JSON has none."""
        full = bool(self._waiting)
        self._waiting.append(json.dumps(_finite(row)) + "\n")
        try:
            with open(self.path, "a", encoding="utf-8") as file:
                size = file.tell()
                try:
                    file.write("".join(self._waiting))
                    file.flush()
                except OSError:
                    file.truncate(size)
                    raise
            self._waiting.clear()
        except OSError as error:
            if not full:
                self._warn(f"{self.path}: {error.strerror}; lines are kept in memory until there is room")


class Display:
    """The run on the terminal: a bar that is rewritten where there is one, else a plain line now and then.

    Args:
        first, last: steps of the run, done so far and in all.
        every: steps between lines.
        quiet: for processes that shall not speak.
    """

    def __init__(self, first: int, last: int, every: int, quiet: bool):
        self._every, self._last, self._quiet = every, last, quiet
        self._console = Console(stderr=True, soft_wrap=True, highlight=False, quiet=quiet)
        self._progress: Progress | None = None
        if self._console.is_terminal and not quiet:
            columns = (BarColumn(None), TextColumn("{task.description}"), TimeRemainingColumn(compact=True))
            self._progress = Progress(*columns, console=self._console)
            self._task = self._progress.add_task("", total=last, completed=first)
            self._progress.start()

    def step(self, row: Mapping[str, Any]) -> None:
        """Show the row of one step."""
        if self._quiet or (row["step"] % self._every and row["step"] != self._last and "valid" not in row):
            return
        figures = " ".join(f"{name} {row[name]:.4g}" for name in _SHOWN if row.get(name) is not None)
        valid = "".join(f" | {name} {value:.4g}" for name, value in _figures(row.get("valid", {})))
        line = f"step {row['step']}/{self._last} {figures} lr {row['lr']:.2e} {row['audio_per_s']:.1f} s/s{valid}"
        if self._progress:
            self._progress.update(self._task, completed=row["step"], description=line)
        if not self._progress or valid:
            self.say(line)

    def say(self, message: str) -> None:
        """Print a line, above the bar where there is one."""
        self._console.print(message, markup=False)

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._progress:
            self._progress.stop()


def _figures(valid: Mapping[str, Any]) -> Iterable[tuple[str, float]]:
    return [(name, value) for name, value in valid.items() if name.partition("@")[0] in _VALID_SHOWN]


def _rows(path: Path) -> Iterable[tuple[dict[str, Any], str]]:
    with open(path, encoding="utf-8") as file:
        for line in file:
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if line.endswith("\n") and isinstance(row, dict) and isinstance(row.get("step"), int):
                yield row, line


def read_metrics(path: str | Path) -> list[dict[str, Any]]:
    """The rows of a metrics.jsonl, a half-written last line left out."""
    return [row for row, _ in _rows(Path(path))]


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value
