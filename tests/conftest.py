"""Fixtures that many tests share. Torch is imported inside them, so that tests of bytes and settings start at once."""

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import torch

    from audiocodec.codec import Codec

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read by torch when it is imported; tests are too small for more


@pytest.fixture(scope="session")
def tiny_codec() -> "Codec":
    """See make_tiny_codec; shared by all tests, so leave it as it is."""
    from tests.tiny import make_tiny_codec

    return make_tiny_codec()


@pytest.fixture
def wav() -> "torch.Tensor":
    """One second, one item: see make_wav."""
    from tests.tiny import make_wav

    return make_wav()
