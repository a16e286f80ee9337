"""main.py: how the command may end, and that asking it for help is quick."""

import os
import resource
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from audiocodec import __version__
from audiocodec.cli import console, main
from audiocodec.errors import BitstreamError

COMMAND = [sys.executable, "-m", "audiocodec.cli.main"]


def run(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False, **options)


def ending(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    """Exit code of the command when it raises `error`."""

    def raise_it(**_: object) -> None:
        raise error

    monkeypatch.setattr(main, "app", raise_it)
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as end:
            main.main()
    finally:
        signal.signal(signal.SIGTERM, handler)
    return end.value.code


@pytest.fixture(autouse=True)
def _no_debug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(console.DEBUG_VARIABLE, raising=False)


def test_help_imports_neither_torch_nor_rich_and_is_quick():
    script = (
        "import sys\nfrom audiocodec.cli import main\n"
        "try:\n    main.app(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'numpy', 'scipy', 'librosa', 'soundfile', 'rich', 'pydantic'} & set(sys.modules)\n"
        "sys.exit(f'imported {sorted(heavy)}' if heavy else 0)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert result.returncode == 0, result.stderr
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime  # wall time would count other processes
    assert cpu_s < 0.4


def test_version():
    assert run("--version").stdout.startswith(f"audiocodec {__version__} ")


@pytest.mark.parametrize("arguments", [(), ("modles",), ("models", "--jsno"), ("models", "extra")])
def test_wrong_usage_ends_with_2(arguments):
    result = CliRunner().invoke(main.app, arguments)
    assert result.exit_code == 2
    assert "Usage: " in result.output


def test_a_codec_error_is_one_line_and_1(monkeypatch, capsys):
    assert ending(monkeypatch, BitstreamError("a.anc: packet 3 is damaged")) == 1
    assert capsys.readouterr().err == "audiocodec: error: a.anc: packet 3 is damaged\n"


def test_an_os_error_is_one_line_and_1(monkeypatch, capsys):
    assert ending(monkeypatch, PermissionError(13, "Permission denied", "/etc/x.anc")) == 1
    assert capsys.readouterr().err == "audiocodec: error: /etc/x.anc: Permission denied\n"


def test_interrupted_is_130_and_quiet(monkeypatch, capsys):
    assert ending(monkeypatch, KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == ""


def test_debug_shows_the_traceback():
    script = (
        "import sys\nfrom audiocodec.cli import main\nfrom audiocodec.errors import CodecError\n"
        "@main.app.command()\ndef fail(): raise CodecError('told')\n"
        "sys.argv = ['audiocodec', *sys.argv[1:], 'fail']\nmain.main()"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (1, "audiocodec: error: told\n")
    shown = subprocess.run([sys.executable, "-c", script, "--debug"], capture_output=True, text=True, check=False)
    assert shown.returncode == 1
    assert "Traceback" in shown.stderr and "CodecError: told" in shown.stderr


def test_a_reader_that_has_gone_is_no_drama():
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        result = subprocess.run([*COMMAND, "--help"], stdout=closed, stderr=subprocess.PIPE, text=True, check=False)
    assert result.stderr == ""
    assert result.returncode == 1


def test_sigterm_cleans_up_like_an_error(tmp_path):
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom audiocodec.cli import main\n"
        "@main.app.command()\ndef wait(half: Path):\n"
        "    try:\n        half.touch()\n        time.sleep(60)\n    finally:\n        half.unlink()\n"
        "main.main()"
    )
    half = tmp_path / "half-written"
    process = subprocess.Popen([sys.executable, "-c", script, "wait", str(half)])
    deadline = time.monotonic() + 30
    while not half.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 128 + signal.SIGTERM
    assert not half.exists()
