"""files.py: names in messages, sizes, and pipes."""

import io
from typing import BinaryIO

import numpy as np
import pytest

from audiocodec.bitstream import container
from audiocodec.bitstream.files import open_anc
from audiocodec.errors import BitstreamError

INFO = container.StreamInfo("m", bytes(32), bytes(32), 16000, 320, 1, (16,), 16000, original_samples=320 * 40)


class Pipe(io.BytesIO):
    def seekable(self) -> bool:
        return False


@pytest.fixture
def data() -> bytes:
    file = io.BytesIO()
    container.write(file, INFO, np.zeros((1, 1, 40), int))
    return file.getvalue()


def test_every_source_reads_alike_and_knows_its_size(data, tmp_path):
    (tmp_path / "a.anc").write_bytes(data)
    for source in (tmp_path / "a.anc", str(tmp_path / "a.anc"), data, io.BytesIO(data), Pipe(data)):
        with open_anc(source) as file:
            info, codes = container.read(file)
            assert info.original_samples == 320 * 40 and codes.shape == (1, 1, 40)
            assert file.n_bytes == len(data)


def test_errors_carry_the_name_and_given_files_stay_open(data, tmp_path):
    (tmp_path / "a.anc").write_bytes(data[:-1])
    with pytest.raises(BitstreamError, match=r"a\.anc: .*(cut off|footer)"), open_anc(tmp_path / "a.anc") as file:
        container.read(file)
    given: BinaryIO = io.BytesIO(data[:-1])
    with pytest.raises(BitstreamError, match=r"^input: "), open_anc(given) as file:
        container.read(file)
    assert not given.closed


def test_what_cannot_be_opened_is_told(tmp_path):
    for path, reason in (
        (tmp_path / "nix.anc", "there is no such file"),
        (tmp_path, "is a folder"),
        ("a\0b", "cannot be read"),
    ):
        with pytest.raises(BitstreamError, match=reason), open_anc(path):
            pass
