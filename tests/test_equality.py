"""Every way of coding gives the codes of the whole, in both precisions, with two threads; a planted fault is seen."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from audiocodec import Codec, equality
from audiocodec.cli import doctor
from audiocodec.inference import Backend, InferenceCodec
from audiocodec.inference.backends import Precision
from audiocodec.states import AnyCodec
from tests.tiny import make_tiny_codec, make_wav

WAVS = [make_wav(seconds, seed=seed)[0] for seed, seconds in enumerate((0.7, 0.05, 1.3, 0.31))]


def in_precision(codec: Codec, precision: torch.dtype) -> Codec:
    """The same codec with its encoder in another precision."""
    other = Codec(codec.config, codec.name, precision).eval()
    other.load_state_dict(codec.state_dict())
    return other


def without_torch(codec: Codec, folder: Path, backend: Backend, precision: Precision) -> InferenceCodec:
    """The same codec as one that needs no PyTorch."""
    if backend == "onnx":
        pytest.importorskip("onnxruntime")
    return InferenceCodec.from_pretrained(codec.save_pretrained(folder / "tiny"), backend=backend, precision=precision)


KINDS: dict[str, Callable[[Codec, Path], AnyCodec]] = {
    "torch float64": lambda codec, folder: codec,
    "torch float32": lambda codec, folder: in_precision(codec, torch.float32),
    "numpy float64": lambda codec, folder: without_torch(codec, folder, "numpy", "float64"),
    "onnx float32": lambda codec, folder: without_torch(codec, folder, "onnx", "float32"),
}


@pytest.mark.parametrize("convert", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("kind", ["spectral", "seanet"])
def test_every_way_gives_the_codes_of_the_whole(
    kind: str, convert: Callable[[Codec, Path], AnyCodec], tmp_path: Path
) -> None:
    codec = convert(make_tiny_codec(kind), tmp_path)
    expected = equality.whole(codec, WAVS)
    frames = sum(-(-wav.shape[-1] // 320) for wav in WAVS)
    assert equality.differing(expected, equality.batched(codec, WAVS)) == (frames, 0)
    assert equality.differing(expected, [equality.pushed(codec, wav, 1009) for wav in WAVS]) == (frames, 0)
    assert equality.differing(expected, equality.pooled(codec, WAVS, seed=1)) == (frames, 0)
    decoded = equality.pool_decoded(codec, expected, seed=2)
    for codes, wav in zip(expected, decoded, strict=True):
        np.testing.assert_allclose(wav, codec.to_numpy(codec.decode(codec.as_codes(codes[None])))[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("precision", [torch.float64, pytest.param(torch.float32, marks=pytest.mark.slow)])
def test_two_threads_give_the_codes_of_one(precision: torch.dtype) -> None:
    codec = in_precision(make_tiny_codec(), precision)
    expected = equality.whole(codec, WAVS)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert equality.differing(expected, equality.whole(codec, WAVS))[1] == 0
        assert equality.differing(expected, equality.batched(codec, WAVS))[1] == 0
    finally:
        torch.set_num_threads(before)


def test_a_frame_counts_once_however_many_codes_differ() -> None:
    codes = torch.zeros(4, 6, dtype=torch.int64)
    other = codes.clone()
    other[:3, 2] = 1
    other[0, 5] = 1
    assert equality.differing([codes, codes], [codes, other]) == (12, 2)


def test_doctor_says_so_where_codes_depend_on_the_company(
    tmp_path: Path, tiny_codec: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_codec.save_pretrained(tmp_path / "tiny")
    healthy = doctor.check_codes(tmp_path / "tiny")
    assert healthy.status == "ok" and "frames alike whole, in a batch, in pieces, in a pool" in healthy.found
    right = equality.pooled
    monkeypatch.setattr(equality, "pooled", lambda *a: [np.roll(codes, 1, axis=0) for codes in right(*a)])
    broken = doctor.check_codes(tmp_path / "tiny")
    assert broken.status == "fail" and "in a pool" in broken.found
