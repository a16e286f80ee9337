"""The codec without torch against the one with it: the same codes, the same samples, for every family and method."""

import subprocess
import sys
from typing import get_args

import numpy as np
import pytest
import soundfile as sf
import torch

from audiocodec.codec import Codec
from audiocodec.config.codec import CodecConfig
from audiocodec.config.quantizer import Method, QuantizerConfig
from audiocodec.errors import ConfigError, ModelMismatchError, ShapeError
from audiocodec.inference import InferenceCodec
from audiocodec.inference.files import ModelFiles
from audiocodec.inference.spectral import lapped_basis
from audiocodec.nn.lapped import LappedAnalysis
from audiocodec.pretrained import WEIGHTS_FILE
from tests.tiny import TINY, make_tiny_codec, make_wav

TUNED = {
    "sf_bits": {"method": "sf_diveq", "sf_bits": 2},
    "projected": {"method": "diveq", "codebook_dim": 3},
    "beam": {"method": "diveq", "beam": 5},
    "beam of a curve": {"method": "sf_diveq", "sf_bits": 1, "beam": 3},
    "beam of projections": {"method": "diveq", "codebook_dim": 3, "beam": 2},
    "beam of grids": {"method": "fsq", "beam": 2},
    "gumbel distance": {"method": "gumbel_softmax", "logits": "distance"},
}
QUANTIZERS = {method: {"method": method} for method in get_args(Method)} | TUNED


def light(codec: Codec, folder) -> InferenceCodec:
    """The same model without torch; the torch codec now encodes in float64, as this one does."""
    codec.precision = torch.float64
    return InferenceCodec.from_pretrained(codec.save_pretrained(folder / codec.name))


def assert_alike(codec: Codec, other: InferenceCodec, wav: torch.Tensor) -> None:
    codes = codec.encode(wav)
    assert len(codes.unique()) > 3
    np.testing.assert_array_equal(other.encode(wav.numpy()), codes.numpy())
    length = wav.shape[-1]
    decoded = other.decode(codes.numpy(), length)
    assert decoded.dtype == np.float32
    np.testing.assert_allclose(decoded, codec.decode(codes, length).numpy(), rtol=0, atol=1e-5)


@pytest.fixture
def codec() -> Codec:
    return make_tiny_codec()


@pytest.mark.parametrize("kind", ["spectral", "spectral plain", "seanet", "seanet elu", "seanet stereo"])
def test_networks_agree(kind: str, tmp_path) -> None:
    family, _, variant = kind.partition(" ")
    network = TINY[family]
    if variant == "elu":
        network = network.model_copy(update={"activation": "elu", "decoder_channels": 3})
    if variant == "plain":
        network = network.model_copy(update={"scatter": None})
    config = CodecConfig(
        channels=2 if variant == "stereo" else 1, network=network, quantizer=QuantizerConfig(n_q=4, codebook_size=16)
    )
    torch.manual_seed(1)
    codec = Codec(config, name="tiny").eval()
    wav = make_wav(0.7, batch=4).reshape(4 // config.channels, config.channels, -1)[..., :10_001]
    with torch.no_grad():
        codec.quantizer.init_from_data(codec.encoder(wav[..., :9600]))
    other = light(codec, tmp_path)
    assert_alike(codec, other, wav)
    assert (other.delay, other.bitrate(2), other.frame_rate) == (codec.delay, codec.bitrate(2), codec.frame_rate)


@pytest.mark.parametrize("options", QUANTIZERS.values(), ids=QUANTIZERS)
@pytest.mark.filterwarnings("ignore:.*leaves the encoder")
def test_quantizers_agree(options, tmp_path) -> None:
    torch.manual_seed(0)
    config = CodecConfig(network=TINY["spectral"], quantizer=QuantizerConfig(n_q=3, codebook_size=40, **options))
    codec, wav = Codec(config, name="tiny").eval(), make_wav(1.0, batch=2)
    with torch.no_grad():
        codec.quantizer.init_from_data(codec.encoder(wav))
    assert_alike(codec, light(codec, tmp_path), wav)


@pytest.mark.parametrize("length", [0, 1, 320, 321, 4999])
def test_any_length_and_prefix(codec: Codec, tmp_path, length: int) -> None:
    other, wav = light(codec, tmp_path), make_wav(0.5)[..., :length]
    codes = other.encode(wav, n_q=2)
    np.testing.assert_array_equal(codes, codec.encode(wav, n_q=2))
    assert codes.dtype == np.int64 and other.decode(codes, length).shape == wav.shape
    assert other.decode(codes).shape == codec.decode(torch.from_numpy(codes)).shape


def test_long_audio_is_coded_in_blocks_with_the_same_result(codec: Codec, tmp_path, monkeypatch) -> None:
    other, wav = light(codec, tmp_path), make_wav(1.0)
    codes = other.encode(wav)
    decoded = other.decode(codes)
    monkeypatch.setattr("audiocodec.inference.codec.BLOCK_FRAMES", 3)
    np.testing.assert_array_equal(other.encode(wav), codes)
    np.testing.assert_allclose(other.decode(codes), decoded, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_identity_is_that_of_the_torch_codec(codec: Codec, tmp_path, dtype: torch.dtype) -> None:
    folder = codec.save_pretrained(tmp_path / "tiny", dtype)
    codec, other = Codec.from_pretrained(folder), InferenceCodec.from_pretrained(folder)
    for fact in ("name", "folder", "weights_sha256", "config_sha256", "n_q", "codebook_size", "hop_length"):
        assert getattr(codec, fact) == getattr(other, fact), fact


@pytest.mark.parametrize("hop_length", [8, 160, 320, 441, 480])
def test_the_basis_is_bit_for_bit_that_of_the_torch_networks(hop_length: int) -> None:
    np.testing.assert_array_equal(lapped_basis(hop_length), LappedAnalysis(hop_length).basis.numpy())


def test_faults_are_the_torch_codecs(codec: Codec, tmp_path) -> None:
    other = light(codec, tmp_path)
    with pytest.raises(ShapeError, match=r"expected \[B, 1, L\]"):
        other.encode(np.zeros((1, 2, 100)))
    with pytest.raises(ConfigError, match="codebooks 1 to 4"):
        other.encode(np.zeros((1, 1, 100)), n_q=5)
    with pytest.raises(ShapeError, match=r"allowed 0\.\.15"):
        other.decode(np.full((1, 4, 1), 16))
    with pytest.raises(ShapeError, match="2 frames hold 0 to 640"):
        other.decode(np.zeros((1, 4, 2), np.int64), 641)


def test_weights_that_do_not_fit_are_refused(codec: Codec, tmp_path) -> None:
    files = ModelFiles.read(codec.save_pretrained(tmp_path / "tiny"))
    for fault in ("missing", "narrow", "few codewords"):
        weights = dict(files.weights)
        if fault == "missing":
            del weights["decoder.linear.weight"]
        elif fault == "narrow":
            weights["encoder.net.input.bias"] = weights["encoder.net.input.bias"][:5]
        else:
            weights["quantizer.stages.2.codebook"] = weights["quantizer.stages.2.codebook"][:7]
        with pytest.raises(ModelMismatchError, match="do not fit"):
            InferenceCodec(ModelFiles(files.name, files.folder, files.config, weights))
    (files.folder / WEIGHTS_FILE).write_bytes(b"no safetensors")
    with pytest.raises(ModelMismatchError, match=WEIGHTS_FILE):
        ModelFiles.read(files.folder)


def test_nothing_here_in_compress_or_in_its_commands_imports_torch(tmp_path) -> None:
    script = (
        "import sys, numpy as np, audiocodec\n"
        "from typer.testing import CliRunner\n"
        "from audiocodec.cli.main import app\n"
        "for line in ('compress a.wav', 'decompress a.anc --force'):\n"
        "    assert CliRunner().invoke(app, line.split()).exit_code == 0, line\n"
        "data = audiocodec.compress(np.zeros(1000, np.float32), sample_rate=16000)\n"
        "assert audiocodec.decompress(data)[0].shape == (1, 1000)\n"
        "from audiocodec import DecoderPool, EncoderPool, StreamingEncoder\n"
        "from audiocodec.inference import InferenceCodec\n"
        "codec = InferenceCodec.from_pretrained('speech-16k')\n"
        "talking, hearing = EncoderPool(codec, 2), DecoderPool(codec, 2)\n"
        "codes = talking.push({talking.add(): np.zeros((1, 1000)), talking.add(): np.zeros((1, 700))})\n"
        "assert {s: c.shape[1] for s, c in codes.items()} == {0: 3, 1: 2}\n"
        "assert hearing.push({hearing.add(): codes[0]})[0].shape == (1, 2 * 320)\n"
        "sys.exit('imported torch' if 'torch' in sys.modules else 0)\n"
    )
    sf.write(tmp_path / "a.wav", np.zeros(1000), 16000)
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert result.returncode == 0, result.stderr


def test_shipped_model_agrees_on_speech() -> None:
    from audiocodec.compress.models import DEFAULT_MODEL

    wav, _ = sf.read("egs/samples/librispeech_2002.flac", dtype="float32")
    wav = torch.from_numpy(wav)[None, None, : 5 * 16000]
    codec = Codec.from_pretrained(DEFAULT_MODEL, precision=torch.float64)
    assert_alike(codec, InferenceCodec.from_pretrained(DEFAULT_MODEL), wav)
