"""The `audiocodec` command: which commands there are, and how any of them may end.

Exit codes: 0 good; 1 the input's fault, told in one line on stderr; 2 wrong usage; 130 interrupted.
Everything imported here is light, so that `audiocodec --help` answers at once; commands import torch when they run.
"""

import os
import platform
import signal
import sys
from typing import Annotated, NoReturn

import typer

from .. import __version__
from ..errors import CodecError
from . import console
from .bench import bench
from .cat import cat
from .compress import compress
from .cut import cut
from .decompress import decompress
from .doctor import doctor
from .evaluate import evaluate
from .export import export
from .info import info
from .models import models
from .repair import repair
from .tokens import app as tokens
from .truncate import truncate
from .verify import verify

app = typer.Typer(
    name="audiocodec",
    help="Neural audio codec: speech and music to .anc files and back.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # errors are told in one line by `main`; a traceback is for --debug
    rich_markup_mode=None,  # plain help: reads the same in a terminal, a pipe and a document
    context_settings={"help_option_names": ["-h", "--help"]},
)

COMMANDS = (compress, decompress, info, verify, cut, truncate, cat, repair, evaluate, bench, models, export, doctor)
for command in COMMANDS:
    app.command()(command)
app.add_typer(tokens, name="tokens")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"audiocodec {__version__} (Python {platform.python_version()})")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Take the options that stand before the command's name."""
    if debug:
        os.environ[console.DEBUG_VARIABLE] = "1"  # the environment, so that worker processes know too


def main() -> NoReturn:
    """Run the command line and exit; the one place where an exception becomes an exit code."""
    # SIGTERM ends like an exception, so that half-written output is removed on the way out.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    code: int | str | None
    try:
        app(prog_name="audiocodec")
        code = 0
    except SystemExit as end:  # how typer says every ordinary end, wrong usage included
        code = end.code
    except (CodecError, OSError) as error:
        if console.debugging():
            raise
        console.print_error(error)
        code = 1
    except KeyboardInterrupt:
        code = 130
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # the reader (head, a closed pager) has gone: nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = code or 1
    sys.exit(code)


if __name__ == "__main__":
    main()
