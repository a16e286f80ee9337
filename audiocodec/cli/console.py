"""What every command shares: one-line errors, progress on a terminal, many inputs whose errors stay apart.

A command reads its inputs through `run_each`, so that one bad file neither stops the others nor hides:

    def work(path: Path, report: Report) -> None:
        result = compress_file(path, target, progress=report)    # calls report(done, total) as it goes
        console.print_json(result) if json else print(f"{path}: {result.n_bytes} bytes")

    console.run_each(paths, work)
"""

import contextlib
import dataclasses
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeAlias, TypeVar

import typer

from ..errors import CodecError

T = TypeVar("T")
Report: TypeAlias = Callable[[float, float | None], None]
"""Progress of one input: report(done, total), in any one unit; `total` None while it is not known (a pipe)."""

DEBUG_VARIABLE = "AUDIOCODEC_DEBUG"


def debugging() -> bool:
    """Whether errors shall show their traceback: `--debug` was given or AUDIOCODEC_DEBUG is set and not 0."""
    return os.environ.get(DEBUG_VARIABLE, "0") not in ("", "0")


def print_error(error: str | BaseException) -> None:
    """Write `audiocodec: error: ...` on stderr, always as one line.

    Args:
        error: the message, or the exception that holds it; an OSError is told by its reason and its file name.
    """
    message = describe_error(error) if isinstance(error, BaseException) else error
    print(f"audiocodec: error: {' '.join(message.split())}", file=sys.stderr)


def describe_error(error: BaseException) -> str:
    """Return what `error` says, in words for a user: no class name, no errno."""
    if isinstance(error, OSError) and error.strerror:
        where = [str(name) for name in (error.filename, error.filename2) if name is not None]
        return f"{' -> '.join(where)}: {error.strerror}" if where else error.strerror
    return str(error) or type(error).__name__


def usage_error(message: str) -> NoReturn:
    """End the command with exit code 2: options contradict one another or an argument has no meaning."""
    raise typer.BadParameter(message)


def run_each(inputs: Sequence[T], work: Callable[[T, Report], None], *, name: Callable[[T], str] = str) -> None:
    """Do `work` on every input, report each failure as one line on stderr, and go on with the rest.

    A bar on stderr shows the current input (and, for several, how many are done), only on a terminal.

    Args:
        inputs: what to work on, in order.
        work: called as work(item, report); `report(done, total)` moves the bar and may be ignored.
        name: how an item is called beside the bar.
    Raises:
        typer.Exit: with code 1, after the last input, when one or more failed.
        CodecError, OSError: the first failure itself, when `debugging()`.
    """
    n_failed = 0
    with _Bars(len(inputs)) as bars:
        for item in inputs:
            with bars.item(name(item)) as report:
                try:
                    work(item, report)
                except BrokenPipeError:
                    raise
                except (CodecError, OSError) as error:
                    if debugging():
                        raise
                    print_error(error)
                    n_failed += 1
    if n_failed and len(inputs) > 1:
        print_error(f"{n_failed} of {len(inputs)} inputs failed")
    if n_failed:
        raise typer.Exit(1)


@contextlib.contextmanager
def progress(name: str) -> Iterator[Report]:
    """Show one bar on stderr, only on a terminal: `with progress("speech.flac") as report: report(3.5, 14.0)`."""
    with _Bars(1) as bars, bars.item(name) as report:
        yield report


def print_json(value: Any) -> None:
    """Print `value` as one line of strict JSON on stdout.

    Dataclasses become objects, paths strings, bytes hexadecimal, numbers that are not finite null.
    """
    print(json.dumps(to_plain(value), ensure_ascii=False, allow_nan=False), flush=True)


def to_plain(value: Any) -> Any:
    """Return `value` as dicts, lists, strings and finite numbers: what JSON can say (see `print_json`)."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # numpy and torch scalars and arrays, without importing either
        return to_plain(value.tolist())
    return str(value)  # a Fraction, an enum: readable, and exact


class _Bars:
    """The bars of `run_each`; draws nothing, and imports no rich, where stderr is not a terminal."""

    def __init__(self, n_inputs: int):
        self._n_inputs = n_inputs
        self._display: Any = None
        self._all: Any = None

    def __enter__(self) -> "_Bars":
        if self._n_inputs and sys.stderr.isatty():
            from rich import progress as bars
            from rich.console import Console

            columns = (bars.TextColumn("{task.description}", markup=False), bars.BarColumn())
            times = (bars.TaskProgressColumn(), bars.TimeElapsedColumn(), bars.TimeRemainingColumn())
            # stdout is left alone: results there must not be rewrapped or mixed with the bar when it is a pipe.
            stdout_is_terminal = sys.stdout.isatty()
            self._display = bars.Progress(
                *columns, *times, console=Console(stderr=True), transient=True, redirect_stdout=stdout_is_terminal
            )
            self._display.start()
            if self._n_inputs > 1:
                self._all = self._display.add_task(f"{self._n_inputs} inputs", total=self._n_inputs)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._display is not None:
            self._display.stop()

    @contextlib.contextmanager
    def item(self, name: str) -> Iterator[Report]:
        """Show the bar of one input while the block runs."""
        if self._display is None:
            yield lambda done, total: None
            return
        task = self._display.add_task(_shorten(name), total=None)
        try:
            yield lambda done, total: self._display.update(task, completed=done, total=total)
        finally:
            self._display.remove_task(task)
            if self._all is not None:
                self._display.advance(self._all)


def _shorten(name: str, width: int = 40) -> str:
    return name if len(name) <= width else "..." + name[-(width - 3) :]
