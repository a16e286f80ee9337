"""The trial whether frames come out alike in any company, and what an encoder in float32 does where they do not."""

from pathlib import Path

import numpy as np
import pytest

from audiocodec.inference import InferenceCodec
from audiocodec.inference.alike import Array, frames_come_out_alike
from tests.tiny import make_tiny_codec, make_wav


def levels(wav: Array, state: Array) -> tuple[Array, Array]:
    """Of every frame of 10 samples, and of the one before it."""
    frames = np.abs(wav).reshape(len(wav), -1, 10).sum(axis=2)
    joined = np.concatenate([state, frames], axis=1)
    return np.stack([joined[:, 1:], joined[:, :-1]], axis=2), joined[:, -1:]


def begin(batch_size: int) -> Array:
    return np.zeros((batch_size, 1), np.float32)


def test_what_is_computed_frame_by_frame_passes() -> None:
    assert frames_come_out_alike(begin, levels, 1, 10)


@pytest.mark.parametrize("company", ["in a batch", "among other frames", "at the end of the signal"])
def test_a_last_bit_does_not(company: str) -> None:
    def touched(wav: Array, state: Array) -> tuple[Array, Array]:
        found, state = levels(wav, state)
        if {"in a batch": len(wav) == 2, "among other frames": found.shape[1] == 5}.get(company, found.shape[1] == 33):
            found = found * np.float32(1 + 2**-23)
        return found, state

    assert not frames_come_out_alike(begin, touched, 1, 10)


@pytest.fixture
def light(tmp_path: Path) -> InferenceCodec:
    pytest.importorskip("onnxruntime")
    folder = make_tiny_codec("spectral").save_pretrained(tmp_path / "tiny")
    return InferenceCodec.from_pretrained(folder, backend="onnx", precision="float32")


def test_an_encoder_in_float32_notices_its_scores(light: InferenceCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    from audiocodec.inference import onnx_backend

    right = onnx_backend._Step.__call__

    def touched(self, x, state):  # type: ignore[no-untyped-def]
        found, scores = right(self, x, state)
        return found, [x * np.float32(1 + 2**-23) if len(found[0]) == 2 else x for x in scores]

    monkeypatch.setattr(onnx_backend._Step, "__call__", touched)
    encoder = light._encoder
    assert isinstance(encoder, onnx_backend.FusedEncoder)
    assert not encoder.alike(2)


def test_without_a_passed_trial_every_frame_is_computed_alone(
    light: InferenceCodec, monkeypatch: pytest.MonkeyPatch
) -> None:
    from audiocodec.inference import onnx_backend

    wav, shapes = make_wav(0.4, batch=3).numpy(), []
    right = onnx_backend._Step.__call__

    def watched(self, x, state):  # type: ignore[no-untyped-def]
        shapes.append(x.shape)
        return right(self, x, state)

    monkeypatch.setattr(onnx_backend._Step, "__call__", watched)
    monkeypatch.setattr(onnx_backend.FusedEncoder, "alike", lambda *_: False)
    alone = light.encode(wav)
    assert set(shapes) == {(1, 1, light.hop_length)}
    expected = np.concatenate([light.encode(wav[item : item + 1]) for item in range(3)])
    np.testing.assert_array_equal(alone, expected)


def test_samples_next_to_zero_are_zero(light: InferenceCodec) -> None:
    """Numbers below 1e-38 would make products up to a hundred times slower on many processors."""
    for level in (1e-40, 3e-39, 1e-30):
        quiet = np.full((1, 1, 5 * light.hop_length), level, np.float32)
        codes, state = light.encode_frames(quiet, light.encoder_state(1), light.n_q)
        expected, _ = light.encode_frames(np.zeros_like(quiet), light.encoder_state(1), light.n_q)
        np.testing.assert_array_equal(codes, expected)
        assert not state[0].any()
