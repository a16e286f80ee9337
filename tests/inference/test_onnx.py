"""ONNX: graphs of every network and quantizer against the codec, the backend, and what `audiocodec export` writes."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from audiocodec.cli import main
from audiocodec.codec import Codec
from audiocodec.config.codec import CodecConfig
from audiocodec.config.quantizer import QuantizerConfig
from audiocodec.errors import ConfigError
from audiocodec.inference import InferenceCodec, backends
from audiocodec.inference.export import ExportedCodec, export, parity
from audiocodec.streaming import StreamingDecoder, StreamingEncoder
from tests.tiny import TINY, make_wav

pytest.importorskip("onnxruntime")

NETWORKS = {
    "spectral": TINY["spectral"],
    "snake": TINY["seanet"],
    "elu": TINY["seanet"].model_copy(update={"activation": "elu"}),
}
QUANTIZERS = {
    "vector": {"method": "diveq"},
    "curve": {"method": "sf_diveq", "sf_bits": 1},
    "grid": {"method": "fsq"},
    "projected": {"method": "ste", "codebook_dim": 3},
    "logits": {"method": "gumbel_softmax"},
    "beam": {"method": "diveq", "beam": 4},
    "beam of projections": {"method": "ste", "codebook_dim": 3, "beam": 2},
}


def make(network, options, channels: int = 1) -> Codec:
    torch.manual_seed(0)
    quantizer = QuantizerConfig(n_q=3, codebook_size=16, **options)
    codec = Codec(CodecConfig(channels=channels, network=network, quantizer=quantizer), name="tiny").eval()
    with torch.no_grad():
        codec.quantizer.init_from_data(codec.encoder(make_wav(1.0, batch=channels).reshape(1, channels, -1)))
    return codec


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_backend_has_the_codes_of_torch(network, tmp_path) -> None:
    codec, wav = make(network, {"method": "diveq"}), make_wav(0.6, batch=2)
    other = InferenceCodec.from_pretrained(codec.save_pretrained(tmp_path / "tiny"), backend="onnx")
    codes = codec.encode(wav)
    assert len(codes.unique()) > 3
    np.testing.assert_array_equal(other.encode(wav), codes)
    np.testing.assert_allclose(other.decode(codes), codec.decode(codes), rtol=0, atol=1e-5)


@pytest.mark.parametrize("exact", [True, False], ids=["float64", "float32"])
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_export_of_networks(network, exact: bool, tmp_path) -> None:
    codec = make(network, {"method": "diveq"}, channels=1 if network.kind == "spectral" else 2)
    export(codec.save_pretrained(tmp_path / "tiny"), tmp_path / "out", exact=exact)
    wav = make_wav(1.1, batch=2).numpy().reshape(-1, codec.channels, 17600)
    frames, differing, largest = parity(tmp_path / "out", codec, wav)
    assert frames == 110 // codec.channels and largest < 1e-5
    assert differing == 0 if exact else differing <= 2


@pytest.mark.parametrize("options", QUANTIZERS.values(), ids=QUANTIZERS)
@pytest.mark.filterwarnings("ignore:.*leaves the encoder")
def test_export_of_quantizers(options, tmp_path) -> None:
    codec = make(TINY["spectral"], options)
    export(codec.save_pretrained(tmp_path / "tiny"), tmp_path / "out", exact=True)
    frames, differing, largest = parity(tmp_path / "out", codec, make_wav(1.0, batch=2).numpy())
    assert (frames, differing) == (100, 0) and largest < 1e-5


def test_an_exported_prefix_and_any_number_of_frames_a_step(tmp_path) -> None:
    codec, wav = make(TINY["spectral"], {"method": "diveq"}), make_wav(0.5).numpy()
    facts = export(codec.save_pretrained(tmp_path / "tiny"), tmp_path / "out", n_q=2, exact=True)
    assert (facts.n_q, facts.hop_length, facts.weights_sha256) == (2, 320, codec.weights_sha256)
    exported = ExportedCodec(tmp_path / "out")
    codes = codec.encode(torch.from_numpy(wav), n_q=2).numpy()
    for frames in (1, 3, 100):
        np.testing.assert_array_equal(exported.encode(wav, frames), codes)
    whole = exported.decode(codes, wav.shape[2])
    np.testing.assert_allclose(exported.decode(codes, wav.shape[2], frames=1), whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("backend", ["numpy", "onnx"])
def test_streams(backend, tmp_path) -> None:
    codec, wav = make(TINY["spectral"], {"method": "diveq"}), make_wav(0.5, batch=2).numpy()
    other = InferenceCodec.from_pretrained(codec.save_pretrained(tmp_path / "tiny"), backend=backend)
    encoder, decoder = StreamingEncoder(other, 2), StreamingDecoder(other, 2)
    codes, out = [], []
    for start in range(0, wav.shape[2], 777):
        codes.append(encoder.push(wav[..., start : start + 777]))
        kept, encoder = encoder.state.to_bytes(other), StreamingEncoder(other, 2)  # as into another process
        encoder.state = type(encoder.state).from_bytes(kept, other)
        out.append(decoder.push(codes[-1]))
    codes.append(encoder.flush())
    out += [decoder.push(codes[-1]), decoder.flush()]
    expected = codec.encode(torch.from_numpy(wav))
    np.testing.assert_array_equal(np.concatenate(codes, axis=2), expected)
    np.testing.assert_allclose(np.concatenate(out, axis=2), codec.decode(expected), rtol=0, atol=1e-5)
    encoder.push(wav[..., :640])
    encoder.reset(np.array([True, False]))
    np.testing.assert_array_equal(encoder.push(wav[..., :640])[0], expected[0, :, :2])


def test_the_command(tmp_path) -> None:
    folder = make(TINY["spectral"], {"method": "diveq"}).save_pretrained(tmp_path / "tiny")
    result = CliRunner().invoke(main.app, ["export", str(folder), str(tmp_path / "out"), "--exact", "--json"])
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert (said["frames"], said["differing"]) == (500, 0) and said["largest_difference"] < 1e-5
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["decoder.onnx", "encoder.onnx", "onnx.json"]


def test_what_is_missing_is_named(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"needs onnx and onnxruntime: pip install 'audiocodec\[onnx\]'"):
        InferenceCodec.from_pretrained("speech-16k", backend="onnx")
    with pytest.raises(ConfigError, match="'jax' is not one of: auto, numpy, onnx, torch"):
        InferenceCodec.from_pretrained("speech-16k", backend="jax")


def live(codec: Codec, folder, **options) -> InferenceCodec:
    path = codec.save_pretrained(folder / codec.name)
    return InferenceCodec.from_pretrained(path, backend="onnx", precision="float32", **options)


@pytest.mark.parametrize("options", [{"method": "diveq"}, {"method": "diveq", "beam": 4}], ids=["greedy", "beam"])
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_live_streams_in_float32_give_the_codes_of_the_file(network, options, tmp_path) -> None:
    codec, wav = make(network, options), make_wav(0.7, batch=3).numpy()
    light = live(codec, tmp_path)
    whole = light.encode(wav)
    for item in range(len(wav)):
        np.testing.assert_array_equal(light.encode(wav[item : item + 1]), whole[item : item + 1])
    encoder, decoder, start, codes, heard = StreamingEncoder(light), StreamingDecoder(light), 0, [], []
    while start < wav.shape[2]:
        size = 1 + 977 * len(codes) % 1009
        codes.append(encoder.push(wav[:1, :, start : start + size]))
        heard.append(decoder.push(codes[-1]))
        start += size
    codes.append(encoder.flush())
    heard += [decoder.push(codes[-1]), decoder.flush()]
    np.testing.assert_array_equal(np.concatenate(codes, axis=2), whole[:1])
    np.testing.assert_allclose(np.concatenate(heard, axis=2), codec.decode(torch.from_numpy(whole[:1])), atol=1e-5)
    assert (codec.encode(torch.from_numpy(wav)).numpy() != whole).any(axis=1).mean() < 0.05, "near-ties alone differ"


def test_live_streams_with_fewer_codebooks_search_for_these(tmp_path) -> None:
    codec, wav = make(TINY["spectral"], {"method": "diveq", "beam": 4}), make_wav(1.0).numpy()
    found = live(codec, tmp_path).encode(wav, n_q=2)
    expected = codec.encode(torch.from_numpy(wav), n_q=2).numpy()
    assert (found != expected).any(axis=1).mean() < 0.05


def test_states_of_live_streams_belong_to_their_precision(tmp_path) -> None:
    codec = make(TINY["spectral"], {"method": "diveq"})
    light = live(codec, tmp_path)
    exact = InferenceCodec.from_pretrained(light.folder, backend="onnx")
    assert light.stream_id != exact.stream_id
    wav = make_wav(0.4).numpy()
    encoder = StreamingEncoder(light)
    before = encoder.push(wav[..., :3333])
    other = StreamingEncoder(light)
    other.state = encoder.state
    np.testing.assert_array_equal(np.concatenate([before, other.push(wav[..., 3333:6400])], axis=2), light.encode(wav))


def test_float32_without_onnx_is_refused(tmp_path) -> None:
    path = make(TINY["spectral"], {"method": "diveq"}).save_pretrained(tmp_path / "tiny")
    with pytest.raises(ConfigError, match="'float32' goes with 'onnx'"):
        InferenceCodec.from_pretrained(path, precision="float32")
