"""The evaluate command: what it writes and how it ends."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAMPLES = str(ROOT / "egs" / "samples")


def run(*arguments):
    command = [sys.executable, str(ROOT / "recipes" / "evaluate.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=120)


def test_help_imports_no_torch():
    script = "import sys; import audiocodec.cli.evaluate; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0


def test_a_run_leaves_tables_records_and_a_report(tmp_path):
    done = run(
        "--data", SAMPLES, "--limit", 1, "--peers", "pcm", "--metrics", "mel_distance", "--out", tmp_path, "-j", 1
    )
    assert done.returncode == 0, done.stderr
    assert "pcm16" in done.stdout and "mel_distance" in done.stdout
    names = {path.name for path in tmp_path.iterdir()}
    assert {"results.jsonl", "table.md", "table.csv", "run.json", "report.html", "plots"} <= names
    table = (tmp_path / "table.md").read_text()
    assert "evaluate.py --data samples --limit 1 --peers pcm" in table and str(ROOT) not in table


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", SAMPLES], "give --codec, --peers or both"),
        (["--data", SAMPLES, "--codec", "x", "--bitrate", "three"], "expected kbit/s such as 1.5,3,6"),
        (["--data", SAMPLES, "--codec", "x", "--bitrate", "0"], "expected kbit/s above 0"),
        (["--data", SAMPLES, "--peers", "opos"], "unknown peer 'opos'"),
        (["--data", SAMPLES, "--peers", "pcm", "--metrics", "mos"], "unknown metric 'mos'"),
        (["--data", "/nowhere", "--peers", "pcm"], "/nowhere: no such folder"),
    ],
)
def test_mistakes_are_named(tmp_path, arguments, message):
    from typer.testing import CliRunner

    from audiocodec.cli.main import app

    result = CliRunner().invoke(app, ["evaluate", *arguments, "--out", str(tmp_path / "out")])
    assert result.exit_code != 0 and message in " ".join(f"{result.output} {result.exception}".split())
    assert not (tmp_path / "out" / "table.md").exists()
