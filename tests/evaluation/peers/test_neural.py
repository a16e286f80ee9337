"""Neural peers: what they say without weights, and with random ones where transformers is installed."""

import importlib.util

import numpy as np
import pytest

from audiocodec.evaluation.peers.neural import KINDS, Neural, default_model
from audiocodec.evaluation.systems import MissingError

HAS_TRANSFORMERS = importlib.util.find_spec("transformers") is not None


@pytest.mark.skipif(HAS_TRANSFORMERS, reason="transformers is installed")
@pytest.mark.parametrize("kind", ["encodec", "dac", "mimi"])
def test_without_the_package_the_cure_is_named(kind):
    with pytest.raises(MissingError, match="pip install transformers"):
        Neural(kind, 3000, default_model(kind)).version()


def test_the_environment_names_the_weights(monkeypatch):
    monkeypatch.setenv("AUDIOCODEC_MIMI", "/models/mimi")
    assert default_model("mimi") == "/models/mimi" and default_model("dac") == KINDS["dac"][1]


@pytest.mark.slow
@pytest.mark.skipif(not HAS_TRANSFORMERS, reason="transformers is not installed")
@pytest.mark.parametrize(
    ("kind", "bitrate", "counted"), [("encodec", 3000, 3000), ("dac", 3000, 3000), ("mimi", 1100, 1100)]
)
def test_with_weights_bits_and_length_are_right(tmp_path, kind, bitrate, counted):
    import transformers

    strides = {"downsampling_ratios": [2, 4, 5, 8], "upsampling_ratios": [8, 5, 4, 2]}
    small = {
        "encodec": {"num_filters": 4, "hidden_size": 16, "num_lstm_layers": 1},
        "dac": {
            "encoder_hidden_size": 4,
            "decoder_hidden_size": 64,
            "sampling_rate": 16000,
            "n_codebooks": 12,
            **strides,
        },
        "mimi": {"num_filters": 4, "num_hidden_layers": 1},
    }[kind]
    name = KINDS[kind][2]
    config = getattr(transformers, name.replace("Model", "Config"))(**small)
    getattr(transformers, name)(config).save_pretrained(tmp_path)
    system = Neural(kind, bitrate, str(tmp_path))
    signal = np.random.default_rng(0).normal(0, 0.1, 4 * system.sample_rate).astype(np.float32)
    coded = system.code(signal)
    assert coded.n_bits / 4 == pytest.approx(counted, rel=0.03)
    assert abs(len(coded.signal) - len(signal)) < 0.1 * system.sample_rate and np.isfinite(coded.signal).all()
