"""The configurations in conf/ at work: smoke from end to end, the large ones for one step and a round trip."""

import subprocess
import sys

import pytest
import soundfile
import torch

from audiocodec.config.loader import load
from audiocodec.config.training import TrainConfig
from audiocodec.training.curves import history
from audiocodec.training.state import build_state
from audiocodec.training.steps import TrainStep

from .tiny_run import ROOT, accelerator, command

pytestmark = pytest.mark.slow


def test_smoke_trains_exports_and_round_trips(tmp_path):
    run = tmp_path / "run"
    subprocess.run([*command(ROOT / "conf/smoke.yaml", f"run.dir={run}")], check=True, cwd=ROOT, timeout=600)
    export = [sys.executable, str(ROOT / "recipes/train.py"), "export", str(run), str(tmp_path / "model")]
    subprocess.run(export, check=True)
    cli = [sys.executable, "-m", "audiocodec.cli.main"]
    source = ROOT / "egs/samples/librispeech_2002.flac"
    packed, decoded = tmp_path / "a.anc", tmp_path / "a.wav"
    subprocess.run([*cli, "compress", str(source), "-o", str(packed), "--model", str(tmp_path / "model")], check=True)
    subprocess.run(
        [*cli, "decompress", str(packed), "-o", str(decoded), "--model", str(tmp_path / "model")], check=True
    )
    assert soundfile.info(decoded).frames == soundfile.info(source).frames
    assert packed.stat().st_size < source.stat().st_size / 10
    curves = history(run)
    losses = [value for value in curves["curves"]["mel"] if value is not None]
    assert losses[-1] < 0.8 * losses[0] and curves["valid"][-1]["stoi"] > 0.4


@pytest.mark.parametrize("name", ["dac_24k", "stereo_44k"])
def test_large_configurations_build_train_a_step_and_round_trip(name):
    config = load(TrainConfig, ROOT / f"conf/{name}.yaml", ["data.segment_s=0.2"])
    state = build_state(config, torch.device("cpu"))
    step = TrainStep(config, state, accelerator())
    wav = 0.1 * torch.randn(1, config.model.channels, config.segment_samples)
    result = step([wav], [torch.tensor([3])], [0], 1.0)
    assert result.finite and {"mel", "adversarial", "feature_matching", "discriminator"} <= result.values.keys()
    codec = state.codec.eval()
    codes = codec.encode(wav[..., :2000])
    assert codes.shape == (1, config.model.quantizer.n_q, -(-2000 // codec.hop_length))
    assert codec.decode(codes, 2000).shape == (1, config.model.channels, 2000)
