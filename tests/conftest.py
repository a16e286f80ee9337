"""Fixtures that many tests share."""

import pytest
import torch

from audiocodec.codec import Codec
from tests.tiny import make_tiny_codec, make_wav

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_codec() -> Codec:
    """See make_tiny_codec; shared by all tests, so leave it as it is."""
    return make_tiny_codec()


@pytest.fixture
def wav() -> torch.Tensor:
    """One second, one item: see make_wav."""
    return make_wav()
