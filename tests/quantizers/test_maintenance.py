"""Dead codewords: counted by token, replaced by living ones, the same way in every run."""

import copy

import pytest
import torch

from audiocodec.quantizers import DiVeQ, GumbelSoftmax, Quantizer, Replacement, ResidualQuantizer, SFDiVeQ
from tests.quantizers.makers import CODEBOOKS, latents, make, train_step

pytestmark = pytest.mark.filterwarnings("ignore:DiVeQ in")


def with_dead_half(seed: int = 0, **settings: object) -> DiVeQ:
    """Sixteen codewords, the odd ones far from all latents."""
    torch.manual_seed(0)
    quantizer = DiVeQ(16, 4, replacement=Replacement(**{"interval": 10, **settings}), seed=seed)
    with torch.no_grad():
        quantizer.codebook[1::2] = 1000.0
    return quantizer


def test_dead_codewords_move_to_living_ones_and_the_living_stay():
    quantizer = with_dead_half()
    z = latents(400, 4)
    codes = quantizer(z).codes
    before = quantizer.codebook.detach().clone()
    log = quantizer.maintain(10)
    alive = torch.bincount(codes, minlength=16) > 0
    assert log["replaced"] == (~alive).sum() and log["usage"] == alive.float().mean()
    assert torch.equal(quantizer.codebook[alive], before[alive])
    gaps = torch.cdist(quantizer.codebook[~alive].detach(), before[alive]).min(dim=1).values
    assert (gaps > 0).all() and gaps.max() < 0.01 * before[alive].norm(dim=1).max()
    with torch.no_grad():
        assert len(quantizer.eval().encode(z).unique()) > alive.sum()  # copies share the cells


def test_tokens_are_counted_not_batches():
    quantizer = DiVeQ(4, 4)
    z = quantizer.codebook.detach()[[0] * 1000 + [2] * 3]
    quantizer(z)
    quantizer.maintain(1)
    quantizer(z)
    quantizer.maintain(2)
    assert quantizer.window.tolist() == [2000, 0, 6, 0] and quantizer.counts.tolist() == [0, 0, 0, 0]


def test_moments_of_replaced_rows_are_forgotten_and_others_kept():
    quantizer = with_dead_half()
    optimizer = torch.optim.AdamW(quantizer.parameters(), lr=1e-3)
    (quantizer(latents(400, 4)).z_q.square().sum() + quantizer.codebook.sum()).backward()
    optimizer.step()
    moments = optimizer.state[quantizer.codebook]
    assert (moments["exp_avg"] != 0).all()
    dead = quantizer.counts == 0
    quantizer.maintain(10, optimizer)
    for name in ("exp_avg", "exp_avg_sq"):
        assert (moments[name][dead] == 0).all() and (moments[name][~dead] != 0).all()


def test_replacement_is_a_function_of_seed_and_step():
    def replaced(seed: int, step: int) -> torch.Tensor:
        quantizer = with_dead_half(seed)
        quantizer(latents(400, 4))
        torch.manual_seed(torch.seed() % 1000)  # the global generator must not matter
        quantizer.maintain(step)
        return quantizer.codebook.detach()

    assert torch.equal(replaced(3, 20), replaced(3, 20))
    assert not torch.equal(replaced(3, 20), replaced(3, 30))
    assert not torch.equal(replaced(3, 20), replaced(4, 20))


def test_too_few_tokens_condemn_nobody():
    quantizer = with_dead_half()
    quantizer(latents(60, 4))
    assert quantizer.maintain(10) == {}
    quantizer(latents(68, 4))
    assert quantizer.maintain(20)["replaced"] >= 8  # 128 = 8 tokens a codeword, counted since the start


def test_replacement_stops_before_the_end_and_can_be_off():
    for settings, max_steps in (({"stop": 5}, None), ({}, 11), ({"interval": 0}, None)):
        quantizer = with_dead_half(**settings)
        quantizer(latents(400, 4))
        assert quantizer.maintain(10, max_steps=max_steps) == {}
        assert (quantizer.codebook[1] == 1000).all()


def test_space_filling_curves_keep_their_corners():
    quantizer = SFDiVeQ(16, 4, replacement=Replacement(interval=10))
    with torch.no_grad():
        quantizer.codebook[15] = 1000.0
    quantizer(latents(400, 4))
    log = quantizer.maintain(10)
    assert log["replaced"] == 0 and log["usage"] < 1 and (quantizer.codebook[15] == 1000).all()


def test_linear_logits_of_a_replaced_codeword_come_with_it():
    quantizer = GumbelSoftmax(8, 4, replacement=Replacement(interval=10))
    with torch.no_grad():
        quantizer.project.bias[5] = -1000.0
    quantizer(latents(400, 4))
    assert quantizer.maintain(10)["replaced"] >= 1
    assert quantizer.project.bias[5] > -10


@pytest.mark.parametrize("name", CODEBOOKS)
def test_replacement_revives_a_collapsed_codebook(name):
    """All codewords ten standard deviations off, in one place; after some steps nearly all of them are in use."""
    if name.startswith("sf_"):
        pytest.skip("space-filling curves do not replace")
    quantizer = make(name, "single", codebook_size=16)
    for codebook in quantizer.codebooks():
        codebook.replacement = Replacement(interval=5)
    z = latents(8, 8, 64)
    with torch.no_grad():
        quantizer.codebook.normal_(10, 0.01)
        if name == "ema":
            quantizer.mean_sum.copy_(quantizer.codebook)
    parameters = list(quantizer.parameters())
    optimizer = torch.optim.Adam(parameters, lr=0.3) if parameters else None
    for step in range(1, 61):
        train_step(quantizer, z, optimizer, step)
    used = quantizer.eval()(z).metrics["usage"].item()
    assert used > 0.8, used


def test_log_is_empty_where_nothing_is_due():
    quantizer = ResidualQuantizer(DiVeQ, 2, 8, 4)
    quantizer(latents(400, 4))
    assert quantizer.maintain(1) == {} and quantizer.maintain(99) == {}
    assert set(quantizer.maintain(100)) == {"replaced", "usage", "perplexity", "effective_bits"}


def test_stages_draw_apart():
    """Two stages with the same counts must not be given the same replacements."""
    quantizer: Quantizer = ResidualQuantizer(DiVeQ, 2, 64, 4)
    first, second = quantizer.codebooks()
    for codebook in (first, second):
        codebook.counts[:8] = 1000
    second.codebook.data.copy_(first.codebook)
    before = copy.deepcopy(first.codebook.detach())
    quantizer.maintain(100)
    assert not torch.equal(first.codebook, before) and not torch.equal(first.codebook, second.codebook)
