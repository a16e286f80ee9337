"""Fixtures that many tests share. Torch is imported inside them, so that tests of bytes and settings start at once."""

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import torch

    from audiocodec.codec import Codec

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read by torch when it is imported; tests are too small for more


@pytest.fixture(autouse=True)
def _denormals_are_kept() -> Iterator[None]:
    """A run, a benchmark and the codec itself flush denormals; no other test shall inherit that."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


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
