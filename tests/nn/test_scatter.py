"""Scattered phases: angles that follow from the latents alone, change nothing but phase, and break the hop's rhythm."""

import pytest
import torch

from audiocodec.config.codec import SpectralConfig
from audiocodec.networks.spectral import SpectralDecoder, _turned

HOP, START, GROUP = 64, 0.25, 8


@pytest.fixture
def decoder() -> SpectralDecoder:
    torch.manual_seed(0)
    return SpectralDecoder(
        SpectralConfig(hop_length=HOP, latent_dim=8, width=16, decoder_depth=1, scatter=START, scatter_bins=GROUP)
    )


def test_magnitudes_stay_and_low_bins_stay_whole(decoder: SpectralDecoder) -> None:
    rows, real, imag = torch.randn(2, 9, 8), torch.randn(2, 9, HOP), torch.randn(2, 9, HOP)
    turned_real, turned_imag = _turned(real, imag, decoder._angles(rows))
    torch.testing.assert_close(turned_real**2 + turned_imag**2, real**2 + imag**2)
    low = round(START * HOP)
    assert torch.equal(turned_real[..., :low], real[..., :low])
    assert torch.equal(turned_imag[..., :low], imag[..., :low])


def test_bins_of_a_group_turn_together(decoder: SpectralDecoder) -> None:
    rows, ones = torch.randn(1, 50, 8), torch.ones(1, 50, HOP)
    real, imag = _turned(ones, torch.zeros_like(ones), decoder._angles(rows))
    groups = torch.complex(real, imag)[..., round(START * HOP) :].unflatten(-1, (-1, GROUP))
    assert torch.equal(groups, groups[..., :1].expand_as(groups))
    mean = groups[..., 0].mean(dim=1).abs()
    assert mean.max() < 0.5, "angles of 50 unlike frames point everywhere"


def test_sound_does_not_repeat_every_hop(decoder: SpectralDecoder) -> None:
    """A decoder that sets the same phases in every frame, which is what training makes of one, buzzes without it."""

    def repetition(wav: torch.Tensor) -> float:
        later, earlier = wav[..., HOP:], wav[..., :-HOP]
        return float((later * earlier).sum() / (wav * wav).sum())

    with torch.no_grad():
        decoder.linear.weight.zero_()
        decoder.net.output.weight.zero_()
        decoder.net.output.bias.normal_()
        decoder.net.output.bias[: round(START * HOP)] = 0
        decoder.net.output.bias[HOP : HOP + round(START * HOP)] = 0
        latents = 3 + 0.2 * torch.randn(1, 8, 300)
        scattered = repetition(decoder(latents))
        decoder.scatter = None
        plain = repetition(decoder(latents))
    assert plain > 0.9
    assert abs(scattered) < 0.2


def test_it_is_kept_with_the_weights_and_not_trained(decoder: SpectralDecoder) -> None:
    assert "scatter" in decoder.state_dict()
    assert "scatter" not in dict(decoder.named_parameters())
