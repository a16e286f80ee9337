"""The same bytes from every backend, from one thread and two, and from another process."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from audiocodec import StreamingEncoder, compress, decompress
from audiocodec.errors import ConfigError, ModelMismatchError
from tests.tiny import make_tiny_codec, make_wav

pytest.importorskip("onnxruntime")
BACKENDS = ("numpy", "onnx", "torch")

ELSEWHERE = """
import hashlib, json, sys
import numpy as np, torch
from audiocodec import StreamingEncoder, compress, decompress
from audiocodec.inference import InferenceCodec
from audiocodec.streaming import EncoderState
folder, wav_file, anc_file, state_file, threads, out = sys.argv[1:]
torch.set_num_threads(int(threads))
wav = np.load(wav_file)
made = {b: hashlib.sha256(compress(wav, sample_rate=22050, model=folder, backend=b)).hexdigest()
        for b in ("numpy", "onnx", "torch")}
encoder = StreamingEncoder(InferenceCodec.from_pretrained(folder))
encoder.state = EncoderState.from_bytes(open(state_file, "rb").read(), encoder.codec)
codes = np.concatenate([encoder.push(wav[None, :1, 5000:]), encoder.flush()], axis=2)
decoded, _ = decompress(anc_file, model=folder)
np.savez(out, codes=codes, decoded=decoded)
print(json.dumps(made))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_tiny_codec(method="diveq").save_pretrained(tmp_path_factory.mktemp("models") / "tiny")


def wav_of(seconds: float) -> np.ndarray:
    return make_wav(seconds, batch=2, sample_rate=22050)[:, 0].numpy()


@pytest.mark.parametrize("options", [{}, {"n_q": 2}])
def test_backends_write_the_same_bytes(folder, options) -> None:
    wav = wav_of(1.5)
    made = {compress(wav, sample_rate=22050, model=folder, backend=backend, **options) for backend in BACKENDS}
    assert len(made) == 1
    data = made.pop()
    assert data == compress(wav, sample_rate=22050, model=folder, **options)
    decoded = [decompress(data, model=folder, backend=backend)[0] for backend in BACKENDS]
    assert decoded[0].shape == wav.shape
    for other in decoded[1:]:
        np.testing.assert_allclose(other, decoded[0], rtol=0, atol=1e-5)


def test_another_process_with_two_threads_writes_the_same_bytes_and_goes_on_with_a_stream(folder, tmp_path) -> None:
    from audiocodec.inference import InferenceCodec

    wav, data = wav_of(0.6), compress(wav_of(0.6), sample_rate=22050, model=folder)
    (tmp_path / "a.anc").write_bytes(data)
    np.save(tmp_path / "wav.npy", wav)
    codec = InferenceCodec.from_pretrained(folder)
    encoder = StreamingEncoder(codec, batch_size=1)
    begun = encoder.push(wav[None, :1, :5000])
    (tmp_path / "state").write_bytes(encoder.state.to_bytes(codec))
    threads = "2"  # here it is one
    variables = {f"{name}_NUM_THREADS": threads for name in ("OMP", "OPENBLAS", "MKL")}
    paths = [tmp_path / name for name in ("wav.npy", "a.anc", "state")]
    arguments = [str(argument) for argument in (folder, *paths, threads, tmp_path / "out.npz")]
    result = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, *arguments],
        capture_output=True, text=True, check=False, env={**os.environ, **variables},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert set(json.loads(result.stdout).values()) == {hashlib.sha256(data).hexdigest()}
    found = np.load(tmp_path / "out.npz")
    whole = codec.encode(wav[None, :1])
    np.testing.assert_array_equal(np.concatenate([begun, found["codes"]], axis=2), whole)
    np.testing.assert_allclose(found["decoded"], decompress(data, model=folder)[0], rtol=0, atol=1e-5)


def test_a_codec_that_is_given_computes_itself(folder) -> None:
    codec, wav = make_tiny_codec(), wav_of(0.3)
    codec.precision = torch.float64
    codec.name = "tiny"
    assert compress(wav, sample_rate=22050, model=codec) == compress(wav, sample_rate=22050, model=folder)


def test_concealment_takes_torch_or_says_that_it_needs_it(folder) -> None:
    data = compress(wav_of(0.3), sample_rate=22050, model=folder)
    assert decompress(data, model=folder, conceal=True)[0].shape == wav_of(0.3).shape
    with pytest.raises(ConfigError, match="concealment needs PyTorch, backend 'numpy'"):
        decompress(data, model=folder, conceal=True, backend="numpy")


def test_weights_that_numpy_does_not_know_are_left_to_torch(tmp_path) -> None:
    folder = make_tiny_codec().save_pretrained(tmp_path / "tiny", dtype=torch.bfloat16)
    data = compress(wav_of(0.3), sample_rate=22050, model=folder)
    assert data == compress(wav_of(0.3), sample_rate=22050, model=folder, backend="torch")
    with pytest.raises(ModelMismatchError, match=r"model\.safetensors"):
        compress(wav_of(0.3), sample_rate=22050, model=folder, backend="numpy")
