"""Our codec under test is what a user gets: the bytes of a file, and what comes back from them."""

import numpy as np
import pytest

from audiocodec.compress import compress
from audiocodec.evaluation.own import OwnCodec
from audiocodec.evaluation.systems import MissingError


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_codec):
    return str(tiny_codec.save_pretrained(tmp_path_factory.mktemp("models") / "tiny"))


def test_bits_are_those_of_the_whole_file_and_the_length_comes_back(folder, tiny_codec):
    signal = np.random.default_rng(0).normal(0, 0.1, 5001).astype(np.float32)
    system = OwnCodec(folder, 400.0)
    encoded = system.encode(signal)
    assert encoded.n_bits == 8 * len(compress(signal, sample_rate=16000, model=folder, bitrate=400.0))
    assert encoded.n_bits > 400 * 5001 / 16000
    assert system.decode(encoded).shape == signal.shape
    assert (system.name, system.family, system.sample_rate) == ("tiny_0.4k", "tiny", 16000)
    assert tiny_codec.weights_sha256[:12] in system.version()


def test_entropy_tables_are_part_of_what_a_result_belongs_to(tmp_path, tiny_codec):
    """They change how many bits a file takes, and nothing else; scores of one set must not pass for another's."""
    from audiocodec.bitstream.train_tables import train_tables

    signal = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    model = tiny_codec.save_pretrained(tmp_path / "tiny")
    plain = OwnCodec(str(model), 800.0)
    sizes, codes = plain.codes(signal)
    assert sizes == (16,) * 4 and codes.shape == (4, 50)
    version = plain.version()
    trained = tiny_codec.save_pretrained(tmp_path / "trained" / "tiny")
    (trained / "entropy.tables").write_bytes(train_tables([codes], sizes, packet_frames=5).to_bytes())
    system = OwnCodec(str(trained), 800.0)
    assert system.version().startswith(f"{version}, entropy tables ")
    np.testing.assert_array_equal(system.codes(signal)[1], codes)


def test_a_model_that_is_not_there(tmp_path):
    with pytest.raises(MissingError, match="nowhere"):
        OwnCodec(str(tmp_path / "nowhere"), 3000.0).version()
