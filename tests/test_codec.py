"""The codec's laws: lengths, prefixes, batches, folders, eval changes nothing; for both families of networks."""

import json
from pathlib import Path

import pytest
import torch

from audiocodec import Codec
from audiocodec.config.codec import CodecConfig, SEANetConfig, SpectralConfig
from audiocodec.errors import ConfigError, ModelMismatchError, ShapeError
from tests.tiny import make_tiny_codec, make_wav


@pytest.fixture(scope="module", params=["spectral", "seanet"])
def codec(request: pytest.FixtureRequest) -> Codec:
    return make_tiny_codec(request.param)


@pytest.mark.parametrize("length", [0, 1, 319, 320, 321, 640, 4999])
def test_length_out_is_length_in(codec: Codec, length: int) -> None:
    wav = make_wav()[..., :length]
    codes = codec.encode(wav)
    assert codes.shape == (1, 4, -(-length // 320)) and codes.dtype == torch.int64
    assert codec.decode(codes, length).shape == wav.shape
    assert codec.decode(codes).shape[-1] == codes.shape[-1] * 320


def test_prefix_of_codebooks_is_the_shorter_encoding(codec: Codec) -> None:
    wav = make_wav()
    every = codec.encode(wav)
    for n_q in (1, 2, 3):
        assert torch.equal(codec.encode(wav, n_q), every[:, :n_q])
        assert codec.decode(every[:, :n_q]).shape[-1] == every.shape[-1] * 320


def test_forward_decodes_what_encode_codes(codec: Codec) -> None:
    wav = make_wav(0.5)
    out = codec(wav)
    assert out.wav.shape == wav.shape
    assert torch.equal(out.quantized.codes, codec.encode(wav))
    torch.testing.assert_close(out.wav, codec.decode(out.quantized.codes, wav.shape[-1]), rtol=0, atol=1e-5)


def test_codes_are_the_same_alone_and_in_any_batch(codec: Codec) -> None:
    wav = make_wav(0.7, batch=7)
    together = codec.encode(wav)
    for i in range(7):
        assert torch.equal(codec.encode(wav[i : i + 1]), together[i : i + 1])
    padded = codec.encode(torch.nn.functional.pad(wav[:2], (0, 5000)))
    assert torch.equal(padded[..., : together.shape[-1] - 1], together[:2, :, :-1])


def test_long_audio_is_coded_in_blocks_with_the_same_result(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    wav = make_wav(1.0)
    codes = codec.encode(wav)
    decoded = codec.decode(codes)
    monkeypatch.setattr("audiocodec.codec.BLOCK_FRAMES", 3)
    assert torch.equal(codec.encode(wav), codes)
    torch.testing.assert_close(codec.decode(codes), decoded, rtol=0, atol=1e-5)


def test_inference_changes_no_parameter_or_buffer(codec: Codec) -> None:
    before = {key: value.clone() for key, value in codec.state_dict().items()}
    codec.decode(codec.encode(make_wav()))
    codec(make_wav())
    assert all(torch.equal(value, before[key]) for key, value in codec.state_dict().items())


def test_encode_sees_weights_changed_in_place() -> None:
    codec, wav = make_tiny_codec(), make_wav(0.5)
    before = codec.encode(wav)
    with torch.no_grad():
        codec.encoder.net.output.weight.mul_(-30)
    assert not torch.equal(codec.encode(wav), before)


def test_gradients_reach_every_parameter(codec: Codec) -> None:
    codec = make_tiny_codec("seanet" if "seanet" in codec.name else "spectral").train()
    codec(make_wav(0.5, batch=2)).wav.square().sum().backward()
    without = [name for name, p in codec.named_parameters() if p.grad is None]
    assert without == []


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_saved_and_loaded_it_gives_the_same_codes(tmp_path: Path, dtype: torch.dtype) -> None:
    codec = make_tiny_codec()
    if dtype == torch.float16:  # what the file keeps is what counts
        codec.load_state_dict(
            {k: v.half().float() if v.is_floating_point() else v for k, v in codec.state_dict().items()}
        )
    loaded = Codec.from_pretrained(codec.save_pretrained(tmp_path / "mine", dtype))
    assert loaded.name == "mine" and loaded.config == codec.config
    assert (loaded.weights_sha256, loaded.config_sha256) == (codec.weights_sha256, codec.config_sha256)
    assert torch.equal(loaded.encode(make_wav()), codec.encode(make_wav()))


def test_identity_follows_the_weights() -> None:
    assert make_tiny_codec(seed=0).weights_sha256 == make_tiny_codec(seed=0).weights_sha256
    assert make_tiny_codec(seed=0).weights_sha256 != make_tiny_codec(seed=1).weights_sha256


def test_bad_input_is_named(tiny_codec: Codec) -> None:
    with pytest.raises(ShapeError, match=r"wav has shape \[1, 2, 100\]; expected \[B, 1, L\]"):
        tiny_codec.encode(torch.zeros(1, 2, 100))
    with pytest.raises(ConfigError, match=r"n_q=5: .* has codebooks 1 to 4"):
        tiny_codec.encode(make_wav(), n_q=5)
    with pytest.raises(ShapeError, match=r"codes hold 0..\d+; allowed 0..15"):
        tiny_codec.decode(torch.tensor([[[0, 16]]]))
    with pytest.raises(ShapeError, match="length 641 samples: 2 frames hold 0 to 640"):
        tiny_codec.decode(torch.zeros(1, 4, 2, dtype=torch.int64), length=641)


def test_bad_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no model 'nowhere'"):
        Codec.from_pretrained("nowhere")
    with pytest.raises(ConfigError, match=r"config\.json and model\.safetensors missing"):
        Codec.from_pretrained(tmp_path)
    folder = make_tiny_codec().save_pretrained(tmp_path / "m")
    tree = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(tree | {"_target_": "os.system"}))
    with pytest.raises(ConfigError, match="_target_"):
        Codec.from_pretrained(folder)
    tree["network"]["width"] = 24
    (folder / "config.json").write_text(json.dumps(tree))
    with pytest.raises(ModelMismatchError, match=r"does not fit config\.json"):
        Codec.from_pretrained(folder)
    (folder / "model.safetensors").write_bytes(b"\x80\x04garbage")
    with pytest.raises(ModelMismatchError, match=r"does not fit config\.json"):
        Codec.from_pretrained(folder)


def test_facts_are_exact() -> None:
    codec = make_tiny_codec()
    assert (codec.frame_rate, codec.bitrate(), codec.bitrate(1), codec.delay) == (50, 800.0, 200.0, 640)
    assert CodecConfig(sample_rate=44100, network=SEANetConfig(strides=(2, 4, 8, 8))).frame_rate * 512 == 44100
    with pytest.raises(ValueError, match="spectral codes one channel"):
        CodecConfig(channels=2, network=SpectralConfig())


def test_joint_stereo_builds_and_round_trips() -> None:
    codec = Codec(
        CodecConfig(sample_rate=44100, channels=2, network=SEANetConfig(strides=(4, 8), base_channels=2, latent_dim=4))
    )
    wav = torch.cat([make_wav(0.1), -make_wav(0.1)], dim=1)
    assert codec.eval().decode(codec.encode(wav), wav.shape[-1]).shape == wav.shape
