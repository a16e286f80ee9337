"""docs/transport.md: its example runs, its figures are right."""

import binascii
import re
from pathlib import Path

import numpy as np
import torch

from audiocodec import Codec
from tests.tiny import make_tiny_codec, make_wav

PAGE = (Path(__file__).parents[2] / "docs" / "transport.md").read_text(encoding="utf-8")


def test_the_example_runs(monkeypatch):
    monkeypatch.setattr(Codec, "from_pretrained", lambda name: make_tiny_codec())
    played, wav = [], make_wav(0.6)
    names = {"wav": wav, "play": played.append, "as_tensor": lambda codes: torch.from_numpy(codes.astype(np.int64))}
    exec(re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1], names)  # noqa: S102
    heard = torch.cat([*played, names["decoder"].flush()], dim=-1)
    codec = names["codec"]
    torch.testing.assert_close(heard, codec.decode(codec.encode(wav)), rtol=0, atol=1e-5)


def test_the_checksum_is_the_one_described():
    assert binascii.crc_hqx(b"123456789", 0xFFFF) == 0x29B1
