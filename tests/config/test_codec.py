"""A model's identity: what changes how codes decode changes it, and nothing else does, now or later."""

import pytest

from audiocodec.config.codec import CodecConfig, SEANetConfig, SpectralConfig
from audiocodec.config.quantizer import QuantizerConfig
from audiocodec.errors import ConfigError

PINNED = "5b63caac3fa3c5b061fc3ecb8b0d87a05ee2e58d59801f18816602e60c66574a"


def test_the_identity_of_a_configuration_stays_for_ever():
    """Files carry it. If this fails, a default changed: give the setting a new name instead."""
    config = CodecConfig(
        network=SpectralConfig(latent_dim=48, width=256), quantizer=QuantizerConfig(n_q=16, codebook_size=1024, beam=4)
    )
    assert config.sha256 == PINNED


@pytest.mark.parametrize(
    "change", [{"dropout": 0.1}, {"beam": 8}, {"noise": 0.5}, {"seed": 3}, {"replacement_interval": 7}]
)
def test_settings_of_training_and_encoding_do_not_touch_it(change):
    assert CodecConfig(quantizer=QuantizerConfig(**change)).sha256 == CodecConfig().sha256


@pytest.mark.parametrize(
    "other",
    [
        CodecConfig(sample_rate=24000),
        CodecConfig(network=SpectralConfig(width=128)),
        CodecConfig(network=SpectralConfig(compression=0.4)),
        CodecConfig(network=SEANetConfig()),
        CodecConfig(quantizer=QuantizerConfig(n_q=3)),
        CodecConfig(quantizer=QuantizerConfig(codebook_size=512)),
        CodecConfig(quantizer=QuantizerConfig(method="ste")),
        CodecConfig(quantizer=QuantizerConfig(method="sf_diveq", sf_bits=2)),
    ],
)
def test_what_codes_mean_does(other):
    assert other.sha256 != CodecConfig().sha256


def test_saying_a_default_changes_nothing():
    config = CodecConfig(network=SpectralConfig(width=300))
    assert CodecConfig.model_validate(config.model_dump()).sha256 == config.sha256


def test_another_beam_is_the_same_codec_otherwise():
    config = CodecConfig(quantizer=QuantizerConfig(beam=4))
    assert config.with_beam(None) is config
    assert config.with_beam(1).quantizer.beam == 1
    assert config.with_beam(1).sha256 == config.sha256
    with pytest.raises(ConfigError, match="beam=0"):
        config.with_beam(0)
