"""Settings of the quantizer: what fits together, and what one code holds."""

import math

import pytest
from pydantic import ValidationError

from audiocodec.config.quantizer import QuantizerConfig


def test_default_is_the_default_models():
    config = QuantizerConfig()
    assert (config.method, config.n_q, config.codebook_size, config.bits) == ("diveq", 12, 1024, 10.0)


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ({}, 1024),
        ({"method": "sf_diveq"}, 1024),
        ({"method": "sf_diveq", "sf_bits": 2}, 4093),
        ({"method": "fsq"}, 1000),
    ],
)
def test_alphabet_is_what_the_bitstream_must_write(settings, size):
    config = QuantizerConfig(**settings)
    assert config.alphabet_size == size and config.bits == math.log2(size)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sf_bits": 1}, "sf_bits=1 needs method sf_diveq"),
        ({"method": "fsq", "wiring": "joint"}, "fsq's projections no gradient"),
        ({"codebook_dim": 8, "wiring": "joint"}, "codebook_dim's projections no gradient"),
        ({"method": "fsq", "codebook_dim": 8}, "leave codebook_dim out"),
        ({"method": "sf_diveq", "surrogate": "two-error", "wiring": "joint"}, "two-error"),
        ({"temperature": (0.1, 1.0)}, "must not rise"),
        ({"temperature": (1.0, 0.0)}, "stay above 0"),
        ({"method": "vq"}, "method"),
        ({"n_q": 0}, "n_q"),
        ({"codebook_size": 1}, "codebook_size"),
        ({"method": "sf_diveq", "sf_bits": 4}, "sf_bits"),
        ({"codebok_size": 5}, "codebok_size"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(settings, message):
    with pytest.raises(ValidationError, match=message):
        QuantizerConfig(**settings)
