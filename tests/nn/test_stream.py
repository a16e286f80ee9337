"""Streamed equals whole, for every layer, under any cutting; transforms against closed forms."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audiocodec.nn.blocks import ConvNeXtBlock, ResidualUnit, Snake
from audiocodec.nn.conv import CausalConv1d, CausalConvTranspose1d
from audiocodec.nn.lapped import LappedAnalysis, LappedSynthesis
from audiocodec.nn.stream import Chain, Streamable

LAYERS: dict[str, tuple[Streamable, int, int]] = {  # layer, input channels, samples a unit
    "conv": (CausalConv1d(3, 5, 4), 3, 1),
    "dilated": (CausalConv1d(3, 3, 5, dilation=3, groups=3), 3, 1),
    "strided": (CausalConv1d(2, 4, 8, stride=4), 2, 4),
    "transposed": (CausalConvTranspose1d(2, 3, 7, stride=3), 2, 1),
    "convnext": (ConvNeXtBlock(6, 5, 2), 6, 1),
    "residual": (ResidualUnit(4, 5, 3, "snake"), 4, 1),
    "chain": (Chain([CausalConv1d(2, 4, 6, stride=3), CausalConvTranspose1d(4, 2, 6, stride=3)]), 2, 3),
    "analysis": (LappedAnalysis(16), 1, 16),
    "synthesis": (LappedSynthesis(16), 32, 1),
}


@pytest.mark.parametrize("name", LAYERS)
@settings(max_examples=15, deadline=None)
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6), batch=st.integers(1, 3))
def test_pieces_give_the_whole(name: str, sizes: list[int], batch: int) -> None:
    layer, channels, unit = LAYERS[name]
    layer = layer.double()
    x = torch.randn(batch, channels, sum(sizes) * unit, dtype=torch.float64)
    state, pieces = layer.init_state(x), []
    for piece in x.split([size * unit for size in sizes], dim=-1):
        y, state = layer.step(piece, state)
        pieces.append(y)
    torch.testing.assert_close(torch.cat(pieces, dim=-1), layer(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", LAYERS)
def test_nothing_looks_ahead(name: str) -> None:
    layer, channels, unit = LAYERS[name]
    layer = layer.double()
    x = torch.randn(1, channels, 12 * unit, dtype=torch.float64)
    changed = x.clone()
    changed[..., 7 * unit :] += 1
    before, after = layer(x), layer(changed)
    until = 7 * before.shape[-1] // 12
    torch.testing.assert_close(before[..., :until], after[..., :until], rtol=0, atol=0)


def test_transposed_convolution_agrees_with_torch() -> None:
    layer = CausalConvTranspose1d(2, 3, 8, stride=4)
    x = torch.randn(2, 2, 10)
    torch.testing.assert_close(layer(x), layer.conv(x)[..., :40], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("hop", [8, 160, 320])
def test_real_part_alone_restores_the_signal(hop: int) -> None:
    wav = torch.randn(2, 1, 9 * hop)
    spectrum = LappedAnalysis(hop)(wav)
    spectrum[:, hop:] = 0
    restored = LappedSynthesis(hop)(spectrum)
    torch.testing.assert_close(restored[..., hop:], wav[..., :-hop], rtol=0, atol=2e-5)


def test_imaginary_part_alone_restores_it_too() -> None:
    wav = torch.randn(1, 1, 20 * 16)
    spectrum = LappedAnalysis(16)(wav)
    spectrum[:, :16] = 0
    restored = LappedSynthesis(16)(spectrum)
    torch.testing.assert_close(restored[..., 16:], wav[..., :-16], rtol=0, atol=1e-5)


def test_magnitude_of_a_tone_does_not_depend_on_its_phase() -> None:
    """What the complex transform has over the MDCT, whose lines flicker with phase."""
    hop, line = 64, 20
    n = torch.arange(6 * hop)
    magnitudes = []
    for phase in (0.0, 0.7, 1.9):
        tone = torch.cos(math.pi / hop * (line + 0.5) * n + phase)[None, None]
        real, imag = LappedAnalysis(hop)(tone)[0, :, 3].chunk(2)
        magnitudes.append(torch.hypot(real, imag)[line])
    torch.testing.assert_close(torch.stack(magnitudes), magnitudes[0].expand(3), rtol=1e-3, atol=0)


def test_snake_is_the_published_formula() -> None:
    layer = Snake(2)
    with torch.no_grad():
        layer.frequency.copy_(torch.tensor([[0.5], [2.0]]))
    x = torch.linspace(-3, 3, 7).expand(1, 2, 7)
    expected = x + torch.sin(layer.frequency * x) ** 2 / layer.frequency
    torch.testing.assert_close(layer(x), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dilation", [1, 3])
def test_depthwise_convolution_in_float64_agrees_with_torch(dilation: int) -> None:
    layer = CausalConv1d(6, 6, 5, dilation=dilation, groups=6).double()
    x = torch.randn(2, 6, 20, dtype=torch.float64)
    expected = layer.conv(torch.nn.functional.pad(x, (layer.context, 0)))
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-12)


def test_kernel_shorter_than_stride_is_refused() -> None:
    with pytest.raises(ValueError, match="must reach over the stride 4"):
        CausalConv1d(1, 1, 3, stride=4)
