"""SI-SDR against its closed form."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiocodec.metrics import si_sdr

RATE = 16000
rng = np.random.default_rng(0)
clean, other = rng.normal(size=(2, 8000))
clean -= clean.mean()
other -= other.mean()
other -= clean * (clean @ other) / (clean @ clean)  # orthogonal to clean
other *= np.linalg.norm(clean) / np.linalg.norm(other)


@given(snr_db=st.floats(-40, 60), gain=st.floats(0.01, 100), offset=st.floats(-1, 1))
def test_orthogonal_noise_gives_its_own_ratio_at_any_gain_and_offset(snr_db, gain, offset):
    degraded = gain * (0.1 * clean + 0.1 * 10 ** (-snr_db / 20) * other) + offset
    measured = si_sdr((0.1 * clean).astype(np.float32), degraded.astype(np.float32), RATE)
    assert measured == pytest.approx(snr_db, abs=0.05 if gain > 0.1 else 0.6)


def test_identity_is_the_limit():
    assert si_sdr(clean.astype(np.float32), clean.astype(np.float32), RATE) == 100


def test_a_constant_has_no_ratio():
    assert "constant" in si_sdr.score(clean.astype(np.float32), np.full(8000, 0.5, np.float32), RATE).reason
