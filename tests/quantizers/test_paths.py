"""Multi-path search: what it finds, that it is what every deployed form uses, and what it leaves as it was."""

from itertools import product

import pytest
import torch

from audiocodec.errors import ConfigError
from audiocodec.quantizers import STE, DiVeQ, DiVeQDetach, GumbelSoftmax, ResidualQuantizer
from audiocodec.quantizers.paths import best_paths
from tests.quantizers.makers import METHODS, latents


def stack(name: str = "diveq", beam: int = 4, **options) -> ResidualQuantizer:
    torch.manual_seed(0)
    quantizer = ResidualQuantizer(METHODS[name], 3, 12, 8, beam=beam, **options)
    quantizer.init_from_data(latents(40, 8, 20))
    return quantizer


def error(quantizer: ResidualQuantizer, z: torch.Tensor, n_q: int = 3) -> float:
    return float((quantizer.decode(quantizer.encode(z, n_q)) - z).square().mean().detach())


def test_a_beam_as_wide_as_all_paths_finds_the_best_of_all_sums():
    rows, tables = latents(30, 4).double(), [latents(5, 4, seed=s).double() / s for s in (1, 2, 3)]
    sums = torch.stack([sum(t[c] for t, c in zip(tables, codes, strict=True)) for codes in product(range(5), repeat=3)])
    best = torch.cdist(rows, sums).argmin(dim=1)
    codes = best_paths(rows, tables, 125)
    assert torch.equal(codes @ torch.tensor([25, 5, 1]), best)


def test_one_path_is_the_greedy_search():
    greedy, z = stack(beam=1).double().eval(), latents(20, 8, 20).double()
    rows = z.transpose(1, 2).flatten(0, 1)
    codes = best_paths(rows, [stage.all_points(rows.dtype) for stage in greedy.stages], 1)
    assert torch.equal(codes.unflatten(0, (20, 20)).transpose(1, 2), greedy.encode(z))


@pytest.mark.parametrize("name", METHODS)
def test_more_paths_lower_the_error_of_every_prefix(name):
    quantizer, z = stack(name).eval(), latents(20, 8, 20)
    for n_q in (2, 3):
        one, four = (error(quantizer.with_beam(beam), z, n_q) for beam in (1, 4))
        assert four < one


@pytest.mark.parametrize("name", METHODS)
def test_decoding_what_was_encoded_is_the_forward_pass_of_eval(name):
    quantizer, z = stack(name).eval(), latents(2, 8, 50)
    for n_q in (1, 2, 3):
        out = quantizer(z, n_q)
        assert torch.equal(out.codes, quantizer.encode(z, n_q))
        assert torch.equal(out.z_q, quantizer.decode(out.codes))


def test_in_float64_codes_do_not_depend_on_the_company():
    quantizer, z = stack(beam=3).double().eval(), latents(1, 8, 500).double()
    whole = quantizer.encode(z)
    assert torch.equal(torch.cat([quantizer.encode(z[..., t : t + 1]) for t in range(500)], dim=-1), whole)


@pytest.mark.parametrize("wiring", ["per_stage", "joint"])
@pytest.mark.parametrize("training", [True, False])
def test_items_of_one_batch_get_the_best_path_of_their_own_length(wiring, training):
    torch.manual_seed(0)
    quantizer = ResidualQuantizer(DiVeQDetach, 3, 12, 8, wiring=wiring, beam=4).train(training)
    z, n_q = latents(3, 8, 9), torch.tensor([1, 3, 2])
    out = quantizer(z, n_q)
    for item, kept in enumerate(n_q.tolist()):
        alone = quantizer.eval().encode(z[item : item + 1], kept)
        assert torch.equal(out.codes[item, :kept], alone[0])


@pytest.mark.parametrize("wiring", ["per_stage", "joint"])
def test_training_learns_from_the_paths_that_are_deployed(wiring):
    quantizer, z = stack(wiring=wiring), latents(2, 8, 30)
    out = quantizer(z)
    assert torch.equal(out.codes, quantizer.eval().encode(z))
    assert not torch.equal(out.codes, quantizer.with_beam(1).encode(z))


def test_methods_that_choose_softly_train_as_they_would_without():
    torch.manual_seed(0)
    quantizer, z = ResidualQuantizer(GumbelSoftmax, 3, 12, 8, beam=4), latents(2, 8, 30)
    torch.manual_seed(1)
    with_paths = quantizer(z)
    torch.manual_seed(1)
    assert torch.equal(with_paths.codes, quantizer.with_beam(1)(z).codes)


def test_narrower_than_one_path_is_refused():
    with pytest.raises(ConfigError, match="beam"):
        ResidualQuantizer(STE, 3, 12, 8, beam=0)
    with pytest.raises(ConfigError, match="beam"):
        ResidualQuantizer(DiVeQ, 3, 12, 8).with_beam(0)
