"""Discriminators: what they look at, what their losses mean, what matching features costs."""

import pytest
import torch

from audiocodec.config.training import DiscriminatorConfig
from audiocodec.losses import (
    Discriminators,
    PeriodDiscriminator,
    STFTDiscriminator,
    adversarial_loss,
    discriminator_loss,
    feature_matching_loss,
)

SMALL = DiscriminatorConfig(periods=(2, 3), period_channels=(4, 8), stft_windows=(64, 128), stft_channels=2)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("length", [1000, 1024])
def test_every_discriminator_judges_and_shows_its_layers(channels, length):
    features = Discriminators(SMALL, channels)(torch.randn(3, channels, length))
    assert [len(layers) for layers in features] == [3, 3, 26, 26]  # 2 layers or 5 bands of 5, and the judgement
    assert all(layer.shape[0] == 3 for layers in features for layer in layers)
    assert all(layers[-1].shape[1] == 1 for layers in features)


def test_a_period_discriminator_never_mixes_its_columns():
    net = PeriodDiscriminator(5, (4, 4)).eval()
    wav = torch.randn(1, 1, 500)
    changed = wav.clone()
    changed[..., 2::5] += 1.0
    difference = (net(wav)[-1] - net(changed)[-1]).abs().amax(dim=(0, 1, 2))
    assert difference[2] > 0 and difference[[0, 1, 3, 4]].max() == 0


def test_an_stft_discriminator_covers_every_bin_once():
    net = STFTDiscriminator(128, 2)
    assert net.edges[0][0] == 0 and net.edges[-1][1] == 65
    assert all(a[1] == b[0] for a, b in zip(net.edges, net.edges[1:], strict=False))


@pytest.mark.parametrize("power", [1.0, 0.3])
def test_an_stft_discriminator_sees_magnitudes_to_its_power(power):
    net, seen = STFTDiscriminator(128, 2, power=power), []
    net.bands[0][0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    wav = torch.randn(1, 1, 2000)
    for level in (0.1, 1.0):
        net(level * wav)
    quiet, loud = (torch.view_as_complex(picture.movedim(1, -1).contiguous()) for picture in seen)
    clear = loud.abs() > loud.abs().mean()  # compression turns linear where there is next to nothing
    torch.testing.assert_close(quiet[clear], 0.1**power * loud[clear], rtol=0.02, atol=0)


def features(*judgements: float) -> list[list[torch.Tensor]]:
    return [[torch.ones(2, 1, 3), torch.full((2, 1, 3), value)] for value in judgements]


@pytest.mark.parametrize(("real", "fake", "expected"), [(1.0, 0.0, 0.0), (0.5, 0.5, 0.5), (0.0, 1.0, 2.0)])
def test_discriminator_loss_is_least_squares(real, fake, expected):
    assert discriminator_loss(features(real, real), features(fake, fake)).item() == expected


def test_adversarial_loss_is_the_mean_over_discriminators():
    assert adversarial_loss(features(1.0, 0.0)).item() == 0.5


def test_feature_matching_is_relative_ignores_judgements_and_spares_the_original():
    real = torch.full((2, 1, 4), 2.0, requires_grad=True)
    fake = torch.full((2, 1, 4), 3.0, requires_grad=True)
    loss = feature_matching_loss([[real, torch.zeros(2, 1)]], [[fake, torch.full((2, 1), 9.0)]])
    assert loss.item() == 0.5
    loss.backward()
    assert real.grad is None and fake.grad.abs().sum() > 0


def test_training_a_discriminator_parts_noise_from_tone():
    torch.manual_seed(0)
    net = Discriminators(SMALL)
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    t = torch.arange(400) / 16000
    for _ in range(30):
        tone = torch.sin(2 * torch.pi * (200 + 800 * torch.rand(4, 1, 1)) * t)
        loss = discriminator_loss(net(tone), net(torch.randn_like(tone)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.3  # undecided is 0.5
