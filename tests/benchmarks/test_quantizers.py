"""The speed table: all methods are timed, and its ratios are those of its times."""

import json
import re

import pytest

from benchmarks import quantizers as benchmark


@pytest.mark.filterwarnings("ignore:DiVeQ in")
def test_table_holds_every_method_and_true_ratios(monkeypatch, tmp_path, capsys):
    for name, value in {"VECTORS": 40, "STAGES": 2, "CODES": 16, "DIMS": (4,), "THREADS": (1,)}.items():
        monkeypatch.setattr(benchmark, name, value)
    monkeypatch.setattr("sys.argv", ["quantizers", "--out", str(tmp_path), "--rounds", "1"])
    benchmark.main()
    rows = json.loads((tmp_path / "quantizers.json").read_text())["rows"]
    page = (tmp_path / "quantizers.md").read_text()
    assert page.strip() in capsys.readouterr().out
    names = {f"audiocodec {method}" for method in ("diveq", "diveq joint", *benchmark.METHODS)}
    for task, extra in (("encode", {benchmark.BARE}), ("train", set())):
        assert {row["name"] for row in rows if row["task"] == task} >= (names - {"audiocodec diveq joint"}) | extra
    times = {(row["task"], row["name"]): row["ms"] for row in rows}
    line = next(line for line in page.splitlines() if line.startswith("| audiocodec ema |"))
    ms, ratio = map(float, re.match(r".*\| ([\d.]+) \(([\d.]+)x\)", line).groups())
    assert ms == pytest.approx(times["encode", "audiocodec ema"], abs=0.06)
    assert ratio == pytest.approx(times["encode", "audiocodec ema"] / times["encode", benchmark.OURS], abs=0.006)


def test_interleaved_calls_everything_once_a_round():
    calls: list[str] = []
    result = benchmark.interleaved({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3)
    assert calls == ["a", "b"] * 4 and set(result) == {"a", "b"}  # one round warms up
