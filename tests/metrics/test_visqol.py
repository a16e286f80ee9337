"""ViSQOL under its guards."""

import numpy as np
import pytest

from audiocodec.metrics.visqol import visqol, visqol_poly

RATE = 16000
pytestmark = pytest.mark.skipif(bool(visqol.missing()), reason="visqol-python or ai-edge-litert is not installed")


@pytest.mark.slow  # compiles its loops on first use
def test_order_ceiling_and_the_two_mappings(speech):
    rng = np.random.default_rng(0)
    degraded = [speech + level * rng.normal(size=len(speech)).astype(np.float32) for level in (0, 0.003, 0.03)]
    lattice = [visqol(speech, x, RATE) for x in degraded]
    polynomial = [visqol_poly(speech, x, RATE) for x in degraded]
    assert polynomial[0] == 5.0 and polynomial == sorted(polynomial, reverse=True)
    assert lattice[1] > lattice[2]  # not so for identity: its lattice is not highest there
    assert lattice[1] < polynomial[1]


@pytest.mark.parametrize("metric", [visqol, visqol_poly], ids=lambda m: m.name)
def test_too_short_is_a_reason(speech, metric):
    """The package itself ends in IndexError."""
    assert "0.75 s" in metric.score(speech[:11999], speech[:11999], RATE).reason


@pytest.mark.parametrize("metric", [visqol, visqol_poly], ids=lambda m: m.name)
def test_a_silent_reference_gets_no_score(speech, metric):
    """The package itself scores it 4.7."""
    assert "reference is silent" in metric.score(np.zeros_like(speech), speech, RATE).reason
