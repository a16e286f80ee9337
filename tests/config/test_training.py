"""Settings that contradict one another are refused before anything is built."""

import itertools
from pathlib import Path

import pytest

from audiocodec.config.loader import load
from audiocodec.config.training import TrainConfig
from audiocodec.errors import ConfigError

CONF = sorted(Path(__file__).parents[2].joinpath("conf").glob("*.yaml"))


@pytest.mark.parametrize("path", CONF, ids=lambda p: p.stem)
def test_every_configuration_is_valid_and_says_how_to_run_it(path):
    load(TrainConfig, path)
    head = "".join(itertools.takewhile(lambda line: line[0] in "#\n", path.open()))
    assert f"--config conf/{path.name}" in head


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("run.accumulate=3", "no multiple of run.accumulate=3"),
        ("data.segment_s=0.001", "shorter than one frame"),
        ("data.segment_s=0.1", "shorter than the longest loss window"),
        ("run.validate_n_q=[13]", "more than model.quantizer.n_q=12"),
        ("loss.mel_bins=[80]", "one each"),
        ("loss.mel_windows=[100, 64, 64, 64, 64, 64, 64]", "powers of two of at least 16 samples, got 100"),
        ("loss.mel=0", "every reconstruction term has weight 0"),
        ("discriminator.window_s=0.1", "longer than the 1600 samples that are judged"),
        ("optim.lr=-1", "greater than 0"),
        ("optim.lr=.nan", "finite number"),
        ("run.seed=-1", "greater than or equal to 0"),
    ],
)
def test_contradictions_are_refused(override, message):
    with pytest.raises(ConfigError, match=message.replace("[", r"\[")):
        load(TrainConfig, None, [override])


def test_one_path_is_a_list_of_one():
    assert load(TrainConfig, None, ["data.train=somewhere"]).data.train == ("somewhere",)


def test_discriminators_exist_only_where_they_are_heard():
    assert load(TrainConfig).adversarial
    assert not load(TrainConfig, None, ["loss.adversarial=0", "loss.feature_matching=0"]).adversarial
    assert not load(TrainConfig, None, ["discriminator.start_step=100", "run.max_steps=100"]).adversarial


def test_segments_are_whole_frames():
    config = load(TrainConfig, None, ["data.segment_s=0.99", "model.network={kind: spectral, hop_length: 320}"])
    assert config.segment_samples == 15680 and config.segment_s == 0.98
