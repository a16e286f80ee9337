"""What is in a store comes back as audio: what `decompress` gives of the same recording, whole or a stretch of it."""

import numpy as np
import pytest

from audiocodec import compress, decompress
from audiocodec.audio.io import write_audio
from audiocodec.errors import ConfigError, ModelMismatchError
from audiocodec.tokens import TokenStore
from audiocodec.tokens.engines.local import run_here
from audiocodec.tokens.plan import pending
from audiocodec.tokens.work import Settings, begin
from tests.tiny import make_tiny_codec, make_wav


@pytest.fixture(scope="module")
def recordings(model, tmp_path_factory):
    """A stereo recording of 8 s at 22.05 kHz and a mono one of 1 s at 16 kHz, and their store."""
    folder = tmp_path_factory.mktemp("decoding")
    stereo = np.concatenate([make_wav(8.0, seed=seed, sample_rate=22050)[0].numpy() for seed in (1, 2)])
    (folder / "audio").mkdir()
    write_audio(folder / "audio" / "long.wav", stereo, 22050)
    write_audio(folder / "audio" / "mono.wav", make_wav(1.0)[0].numpy(), 16000)
    begin(folder / "tokens", [folder / "audio"], str(model))
    list(run_here(folder / "tokens", pending(folder / "tokens"), Settings()))
    return folder


def test_items_are_what_decompress_gives(recordings, model, tiny_codec):
    store = TokenStore(recordings / "tokens")
    assert [item.id for item in store] == ["long#0", "long#1", "mono"]
    for item in store:
        path = recordings / "audio" / item.source
        expected, rate = decompress(compress(path, model=model), model=model)
        wav, found_rate = item.decode(tiny_codec)
        assert found_rate == rate == item.sample_rate and wav.shape == (1, item.samples)
        assert np.abs(wav - expected[item.row.channel]).max() < 1e-5


@pytest.mark.parametrize(("start_s", "seconds"), [(0.0, 0.3), (6.5, 1.0), (7.123, None), (7.9, 5.0), (2.0, 0.0)])
def test_a_stretch_is_cut_from_the_whole(recordings, tiny_codec, start_s, seconds):
    item = TokenStore(recordings / "tokens")["long#1"]
    whole, rate = item.decode(tiny_codec)
    wav, _ = item.decode(tiny_codec, start_s=start_s, seconds=seconds)
    end = item.samples if seconds is None else round(start_s * rate) + round(seconds * rate)
    expected = whole[:, round(start_s * rate) : end]
    assert wav.shape == expected.shape and np.abs(wav - expected).max(initial=0) < 1e-4


def test_fewer_codebooks(recordings, tiny_codec):
    item = TokenStore(recordings / "tokens")["mono"]
    codes = item.codes[:2].astype(np.int64)
    import torch

    expected = tiny_codec.decode(torch.from_numpy(codes)[None], item.samples)[0].numpy()
    assert np.abs(item.decode(tiny_codec, n_q=2)[0] - expected).max() < 1e-5


def test_wrong_use(recordings, model, tiny_codec):
    item = TokenStore(recordings / "tokens")["mono"]
    with pytest.raises(ModelMismatchError, match="was made by 'tiny'"):
        item.decode(make_tiny_codec(seed=1))
    with pytest.raises(ConfigError, match="no model"):
        item.decode()
    with pytest.raises(ConfigError, match="codebooks 1 to 4"):
        item.decode(tiny_codec, n_q=5)
    with pytest.raises(ConfigError, match=r"it lasts 1\.00 s"):
        item.decode(tiny_codec, start_s=2.0)
