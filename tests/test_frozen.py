"""The form of inference: as the networks are now, no slower near silence, and float32 only where it is reproducible."""

import copy

import pytest
import torch

from audiocodec import Codec, frozen
from tests.test_equality import in_precision
from tests.tiny import make_tiny_codec, make_wav


class Talkative(torch.nn.Module):
    """An encoder whose frames come out a last bit otherwise in company, as those of ordinary products do."""

    def __init__(self, encoder: torch.nn.Module):
        super().__init__()
        self.encoder = encoder

    def init_state(self, like: torch.Tensor) -> object:
        return self.encoder.init_state(like)

    def step(self, x: torch.Tensor, state: object) -> tuple[torch.Tensor, object]:
        z, state = self.encoder.step(x, state)
        return (z * (1 + 2**-23) if z.shape[0] * z.shape[-1] > 4 else z), state

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.step(x, self.init_state(x))[0]


def test_the_trial_sees_a_last_bit() -> None:
    encoder = copy.deepcopy(make_tiny_codec().encoder)
    encoder.pack()
    assert not frozen.reproducible(Talkative(encoder), 320)


def test_without_a_passed_trial_the_encoder_runs_in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frozen, "reproducible", lambda *_: False)
    codec = in_precision(make_tiny_codec(), torch.float32)
    assert codec.frozen().precision == torch.float64
    assert torch.equal(codec.encode(make_wav()), make_tiny_codec().encode(make_wav()))


@pytest.mark.parametrize("kind", ["spectral", "seanet"])
def test_it_computes_what_the_networks_compute(kind: str) -> None:
    codec = in_precision(make_tiny_codec(kind), torch.float32)
    wav, ready = make_wav(0.5, batch=2), codec.frozen()
    with torch.inference_mode():
        z = ready.encoder(wav.to(ready.precision))
        torch.testing.assert_close(z.float(), codec.encoder(wav), rtol=1e-4, atol=1e-5)
        for frames in (1, 9):
            torch.testing.assert_close(
                ready.decoder(z[..., :frames].float()), codec.decoder(z[..., :frames].float()), rtol=0, atol=1e-5
            )
        codes = codec.encode(wav)
        torch.testing.assert_close(ready.latents(codes), codec.quantizer.decode(codes), rtol=0, atol=1e-6)
        torch.testing.assert_close(ready.latents(codes[:, :2]), codec.quantizer.decode(codes[:, :2]), rtol=0, atol=1e-6)


def test_changed_weights_are_noticed_and_copies_start_anew() -> None:
    codec, wav = make_tiny_codec(), make_wav()
    before = codec.encode(wav)
    twin = copy.deepcopy(codec)
    assert torch.equal(twin.encode(wav), before)
    with torch.no_grad():
        codec.encoder.linear.weight.neg_()
    assert not torch.equal(codec.encode(wav), before)
    assert torch.equal(twin.encode(wav), before)


def test_samples_next_to_zero_are_zero() -> None:
    """Numbers below 1e-38 would make every product up to a hundred times slower; fading recordings contain them."""
    codec = in_precision(make_tiny_codec(), torch.float32)
    encoder = codec.frozen().encoder
    with torch.inference_mode():
        for level in (1e-40, 3e-39, 1e-30):
            quiet = torch.full((1, 1, 1600), level)
            z, state = encoder.step(quiet, encoder.init_state(quiet))
            zeros, _ = encoder.step(torch.zeros_like(quiet), encoder.init_state(quiet))
            assert torch.equal(z, zeros)
            assert not state[0].any()


def test_a_codec_that_has_run_can_be_copied_and_moved_in_a_process(tiny_codec: Codec) -> None:
    codec = in_precision(tiny_codec, torch.float32)
    codec.encode(make_wav(0.1))
    again = copy.deepcopy(codec)
    assert again._frozen is None and torch.equal(again.encode(make_wav()), codec.encode(make_wav()))
