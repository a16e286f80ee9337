"""The table of training speed: shares are those of the times, and parts measured earlier stay."""

import json

import pytest
import torch

from benchmarks import training as benchmark

SMALL = ["model.network.width=8", "model.quantizer.n_q=2", "data.segment_s=0.16", "loss.mel_windows=[64]"]
SMALL += ["loss.mel_bins=[8]", "discriminator.period_channels=[4]", "discriminator.stft_windows=[64]"]


def test_every_part_is_timed_and_written(monkeypatch, tmp_path, capsys):
    for settings in ([], ["loss.adversarial=0", "loss.feature_matching=0", "data.cache=here"]):
        (tmp_path / "conf").mkdir(exist_ok=True)
        name = "plain" if settings else "smoke"
        (tmp_path / f"conf/{name}.yaml").write_text((benchmark.CONF / "smoke.yaml").read_text())
        monkeypatch.setattr(benchmark, "CONF", tmp_path / "conf")
        argv = [
            "training",
            name,
            *SMALL,
            *settings,
            "loss.complex=0",
            "--short",
            "--threads",
            "1",
            "--out",
            str(tmp_path),
        ]
        with monkeypatch.context() as patch:
            patch.setattr("sys.argv", argv)
            benchmark.main()
        monkeypatch.undo()
    results = json.loads((tmp_path / "training_speed.json").read_text())
    assert results.keys() == {"smoke", "plain"}
    for result in results.values():
        assert result["batch"] == 2 and result["audio_per_s"] == pytest.approx(0.32 / result["step_s"], rel=0.05)
        for part, seconds in result["seconds"].items():
            assert result["shares"][part] == pytest.approx(seconds / result["step_s"], abs=0.01)
    assert "discriminators" in results["smoke"]["shares"] and "discriminators" not in results["plain"]["shares"]
    page = (tmp_path / "training_speed.md").read_text()
    assert "| smoke |" in page and "off" in page and "(cache)" in page and "(files)" in page
    assert "| plain |" in capsys.readouterr().out


def test_parts_are_timed_in_turn():
    calls: list[str] = []
    timed = benchmark.interleaved({n: lambda n=n: calls.append(n) for n in "ab"}, 2, torch.device("cpu"))
    assert calls == ["a", "b"] * 3 and set(timed) == {"a", "b"}
