"""Settings become the module that they describe."""

from typing import get_args

import pytest
import torch

from audiocodec.config.quantizer import Method, QuantizerConfig
from audiocodec.quantizers import EMA, FSQ, NSVQ, STE, DiVeQ, Factorised, GumbelSoftmax, RotationTrick, SFDiVeQ, build
from tests.quantizers.makers import latents

CLASSES = {
    "diveq": DiVeQ,
    "diveq_detach": DiVeQ,
    "sf_diveq": SFDiVeQ,
    "sf_diveq_detach": SFDiVeQ,
    "ste": STE,
    "ema": EMA,
    "rotation_trick": RotationTrick,
    "gumbel_softmax": GumbelSoftmax,
    "nsvq": NSVQ,
    "fsq": FSQ,
}


@pytest.mark.parametrize("method", get_args(Method))
def test_every_method_builds_trains_and_counts_its_bits(method):
    config = QuantizerConfig(method=method, n_q=2, codebook_size=16)
    quantizer = build(config, 8)
    assert [type(stage) for stage in quantizer.stages] == [CLASSES[method]] * 2
    assert set(quantizer.codebook_sizes) == {config.alphabet_size} and quantizer.bits == [config.bits] * 2
    out = quantizer(latents(2, 8, 5).requires_grad_())
    (out.z_q.sum() + out.loss).backward()


def test_settings_arrive():
    common = {"n_q": 1, "codebook_size": 16, "replacement_interval": 7, "replacement_threshold": 0.2, "seed": 5}
    care = {"replacement_stop": 9, "commitment": 0.5}
    stage = build(QuantizerConfig(noise=0.3, **common, **care), 8).stages[0]
    assert (stage.noise, stage.commitment, stage.seed) == (0.3, 0.5, 5)
    assert (stage.replacement.interval, stage.replacement.threshold, stage.replacement.stop) == (7, 0.2, 9)
    assert build(QuantizerConfig(method="diveq_detach", **common), 8).stages[0].noise == 0
    curve = QuantizerConfig(method="sf_diveq", sf_bits=2, surrogate="two-error", snap_from=3, **common)
    stage = build(curve, 8).stages[0]
    assert (stage.sf_bits, stage.surrogate_kind, stage.snap_from) == (2, "two-error", 3)
    assert build(QuantizerConfig(method="ema", ema_decay=0.8, **common), 8).stages[0].decay == 0.8
    softmax = {"logits": "distance", "temperature": (2.0, 0.5), "temperature_steps": 10, "kl_weight": 0.1}
    stage = build(QuantizerConfig(method="gumbel_softmax", **softmax, **common), 8).stages[0]
    assert (stage.project, stage.temperature_range, stage.temperature_steps) == (None, (2.0, 0.5), 10)
    assert stage.kl_weight == 0.1
    low = build(QuantizerConfig(codebook_dim=4, wiring="per_stage", **common), 8).stages[0]
    assert isinstance(low, Factorised) and low.inner.dim == 4
    stack = build(QuantizerConfig(wiring="joint", warmup=6, **common), 8)
    assert (stack.wiring, stack.warmup, stack.seed) == ("joint", 6, 5)


def test_codebooks_have_a_parameter_group_of_their_own():
    quantizer = build(QuantizerConfig(n_q=3, codebook_size=16, codebook_dim=4), 8)
    codebooks = list(quantizer.codebook_parameters())
    assert [tuple(codebook.shape) for codebook in codebooks] == [(16, 4)] * 3
    assert all(codebook is stage.inner.codebook for codebook, stage in zip(codebooks, quantizer.stages, strict=True))


def test_few_dimensions_are_warned_of():
    with pytest.warns(UserWarning, match=r"DiVeQ in 2 dimension\(s\) leaves the encoder 1/2"):
        DiVeQ(16, 2)
    with torch.no_grad(), pytest.raises(ValueError, match="codebook_size >= 2 and dim >= 1"):
        DiVeQ(1, 8)
