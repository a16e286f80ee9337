"""The figures of `audiocodec bench` are about what they say; no test is timed."""

import json

import pytest
import torch
from typer.testing import CliRunner

from audiocodec import speed
from audiocodec.cli.main import app
from tests.tiny import make_tiny_codec


def test_all_figures_of_a_tiny_codec_are_there_and_agree() -> None:
    codec = make_tiny_codec()
    wav = speed.signal(codec, 2.0)
    assert wav.shape == (1, 1, 32000) and torch.equal(wav, speed.signal(codec, 2.0)) and wav.abs().max() > 0.1
    assert min(speed.offline(codec, wav, rounds=1)) > 0
    live = speed.streaming(codec, wav)
    assert 0 < live.p50_ms <= live.p99_ms and live.first_sample_ms > 0
    assert max(live.encode_p50_ms, live.decode_p50_ms) < live.p50_ms * 1.5
    p50, p99, times = speed.many(codec, voices=3, seconds=1.0)
    assert 0 < p50 <= p99 and times > 0
    assert speed.peak_mb() > 50


def test_percentile_and_pieces() -> None:
    assert speed.percentile([float(i) for i in range(100)], 0.99) == 99
    assert speed.percentile([3.0], 0.5) == 3
    pieces = list(speed.pieces(make_tiny_codec(), torch.zeros(1, 1, 1000)))
    assert [p.shape[-1] for p in pieces] == [320, 320, 320]


@pytest.mark.parametrize("backend", ["torch", "torch-float32", "numpy", "onnx-float32"])
def test_bench_command_tells_every_figure_in_json(backend, tmp_path) -> None:
    if backend.startswith("onnx"):
        pytest.importorskip("onnxruntime")
    make_tiny_codec().save_pretrained(tmp_path / "tiny")
    words = ["bench", "--model", str(tmp_path / "tiny"), "--seconds", "2", "--voices", "2", "--json"]
    words += ["--backend", backend]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    figures = json.loads(result.output)
    assert figures["delay_ms"] == 40 and figures["pool"]["voices"] == 2
    assert set(figures) == {"offline", "streaming", "into_silence", "pool", "delay_ms", "peak_mb"}
