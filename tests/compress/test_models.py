"""Which codec codes a file: bitrates, identity, and that a file's word leads nowhere."""

import io
from dataclasses import replace

import numpy as np
import pytest

from audiocodec.bitstream.container import Reader
from audiocodec.compress import compress, decompress
from audiocodec.compress import models as models_module
from audiocodec.compress.models import choose_n_q, load_model, model_of
from audiocodec.errors import ConfigError, ModelMismatchError

WAV = np.zeros((1, 1000), np.float32)


@pytest.fixture(scope="module")
def folders(tiny_codec, tmp_path_factory):
    """Two models that differ in their weights only, as folders; the first one's name is that of a shipped model."""
    root = tmp_path_factory.mktemp("models")
    tiny_codec.save_pretrained(root / "shipped-one")
    other = load_model(root / "shipped-one", "torch")
    next(other.encoder.parameters()).data.add_(0.01)
    other.save_pretrained(root / "other")
    return root


@pytest.mark.parametrize(("bitrate", "n_q"), [(200, 1), (399, 1), (400, 2), (799.9, 3), (800, 4), (1e6, 4)])
def test_the_most_codebooks_that_fit(tiny_codec, bitrate, n_q):
    assert choose_n_q(tiny_codec, 1, bitrate, None) == n_q
    assert tiny_codec.bitrate(n_q) <= bitrate


def test_bitrates_count_all_channels(tiny_codec):
    assert choose_n_q(tiny_codec, 2, 800, None) == 2
    with pytest.raises(ConfigError, match=r"0\.3 kbit/s is too little.*2 channels at 0\.4, 0\.8, 1\.2, 1\.6 kbit/s"):
        choose_n_q(tiny_codec, 2, 300, None)


def test_codebooks_by_number(tiny_codec):
    assert choose_n_q(tiny_codec, 1, None, None) == tiny_codec.n_q
    assert choose_n_q(tiny_codec, 1, None, 3) == 3
    with pytest.raises(ConfigError, match="1 to 4"):
        choose_n_q(tiny_codec, 1, None, 5)
    with pytest.raises(ConfigError, match="not both"):
        choose_n_q(tiny_codec, 1, 800, 3)


def test_another_model_is_refused_with_both_names(folders):
    data = compress(WAV, sample_rate=16000, model=folders / "shipped-one")
    with pytest.raises(ModelMismatchError, match=r"'shipped-one'.*'other'.*--model DIR"):
        decompress(data, model=folders / "other")


def test_a_model_that_is_not_shipped_must_be_given(folders):
    data = compress(WAV, sample_rate=16000, model=folders / "shipped-one")
    with pytest.raises(ModelMismatchError, match=r"'shipped-one' \(weights .*not shipped.*--model DIR, in Python"):
        decompress(data)


def test_a_shipped_model_is_found_by_name_and_loaded_once(folders, monkeypatch):
    monkeypatch.setattr(models_module, "shipped", lambda: [folders / "shipped-one"])
    monkeypatch.setattr("audiocodec.pretrained.shipped", lambda: [folders / "shipped-one"])
    models_module._load_shipped.cache_clear()
    data = compress(WAV, sample_rate=16000, model="shipped-one")
    assert decompress(data)[0].shape == (1, 1000)
    assert models_module._load_shipped.cache_info().misses == 1
    models_module._load_shipped.cache_clear()


@pytest.mark.parametrize("name", ["other", "owner/model", "speech-16k-v9"])
def test_the_name_in_a_file_leads_to_no_folder_and_no_hub(folders, monkeypatch, name):
    """Even where a folder of that name lies right here, or a hub has such a model."""
    monkeypatch.chdir(folders)
    monkeypatch.setattr("audiocodec.pretrained._from_hub", lambda *_: pytest.fail("asked the hub"))
    info = Reader(io.BytesIO(compress(WAV, sample_rate=16000, model=folders / "other"))).info
    with pytest.raises(ModelMismatchError, match="not shipped"):
        model_of(replace(info, model_name=name), None, "a.anc")


def test_a_header_that_contradicts_its_model_is_refused(tiny_codec):
    info = Reader(io.BytesIO(compress(WAV, sample_rate=16000, model=tiny_codec))).info
    assert model_of(info, tiny_codec, "a.anc") is tiny_codec
    for change in ({"sample_rate": 8000}, {"hop_length": 160}, {"codebook_sizes": (32,) * 4}, {"codec_channels": 2}):
        with pytest.raises(ModelMismatchError, match=r"a\.anc: its header contradicts"):
            model_of(replace(info, **change), tiny_codec, "a.anc")
    with pytest.raises(ModelMismatchError, match="contradicts"):
        model_of(replace(info, codebook_sizes=(16,) * 5), tiny_codec, "a.anc")
