"""The stack: prefixes, wirings and their gradients."""

import pytest
import torch

from audiocodec.errors import ConfigError, ShapeError
from audiocodec.quantizers import FSQ, STE, DiVeQ, DiVeQDetach, ResidualQuantizer, SFDiVeQ
from tests.quantizers.makers import latents, make


@pytest.mark.parametrize("name", ["diveq", "sf_diveq", "ema", "fsq"])
def test_a_prefix_of_the_codes_is_the_code_of_the_prefix(name):
    quantizer, z = make(name, "per_stage").eval(), latents(2, 8, 9)
    whole = quantizer.encode(z)
    for n_q in (1, 2, 3):
        assert torch.equal(quantizer.encode(z, n_q), whole[:, :n_q])
        out = quantizer(z, n_q)
        assert torch.equal(out.codes, whole[:, :n_q])
        assert torch.equal(out.z_q, quantizer.decode(whole[:, :n_q]))
        assert out.metrics["relative_error"].shape == (n_q,)


@pytest.mark.parametrize("wiring", ["per_stage", "joint"])
@pytest.mark.parametrize("training", [True, False])
def test_items_of_one_batch_keep_their_own_number_of_stages(wiring, training):
    quantizer = ResidualQuantizer(DiVeQDetach, 3, 12, 8, wiring=wiring).train(training)
    z, n_q = latents(3, 8, 9), torch.tensor([1, 3, 2])
    out = quantizer(z, n_q)
    assert out.codes.shape == (3, 3, 9)
    for item, kept in enumerate(n_q.tolist()):
        alone = quantizer(z[item : item + 1], kept)
        torch.testing.assert_close(out.z_q[item], alone.z_q[0], rtol=1e-5, atol=1e-6)
        assert torch.equal(out.codes[item, :kept], alone.codes[0])


def test_dropped_stages_learn_and_count_nothing():
    quantizer, z = make("diveq", "per_stage"), latents(2, 8, 9)
    quantizer(z, torch.tensor([1, 2])).z_q.square().sum().backward()
    counts = [codebook.counts.sum().item() for codebook in quantizer.codebooks()]
    assert counts == [18, 9, 0]
    gradients = [codebook.codebook.grad.abs().sum().item() for codebook in quantizer.codebooks()]
    assert gradients[0] > 0 and gradients[1] > 0 and gradients[2] == 0


def test_joint_wiring_gives_every_chosen_codeword_the_same_gradient():
    """z_q = z + |q - z| u: the gradient u (u . g) of the sum goes to each stage's codeword unchanged."""
    quantizer = ResidualQuantizer(DiVeQDetach, 3, 12, 8, wiring="joint").double()
    z, g = latents(1, 8).double(), latents(1, 8, seed=9).double()
    out = quantizer(z)
    (out.z_q * g).sum().backward()
    error = quantizer.decode(out.codes) - z
    u = error / error.norm()
    expected = u * (u * g).sum()
    for index, codebook in enumerate(quantizer.codebooks()):
        torch.testing.assert_close(codebook.codebook.grad[out.codes[0, index]], expected[0])


def test_per_stage_wiring_hands_the_gradient_on_from_stage_to_stage():
    """r_{i+1} = r_i - y_i has d r_{i+1} / d r_i = P_i and d r_{i+1} / d c_i = -P_i with P_i = u_i u_i^T. So for K
    stages d z_q / d z = I - P_K ... P_1, nearly the identity, and d z_q / d c_i = P_K ... P_i."""
    quantizer = ResidualQuantizer(DiVeQDetach, 3, 12, 8).double()
    z = latents(1, 8).double().requires_grad_()
    out = quantizer(z)
    left, projections = z.detach()[0], []
    for index, codebook in enumerate(quantizer.codebooks()):
        error = codebook.codebook[out.codes[0, index]].detach() - left
        projections.append(error.outer(error) / error.square().sum())
        left = -error
    to_z = torch.stack([torch.autograd.grad(out.z_q[0, i], z, retain_graph=True)[0][0] for i in range(8)])
    torch.testing.assert_close(to_z, torch.eye(8).double() - projections[2] @ projections[1] @ projections[0])
    product = torch.eye(8, dtype=torch.float64)
    for index in (2, 1, 0):
        product = product @ projections[index]
        table = quantizer.codebooks()[index].codebook
        rows = [torch.autograd.grad(out.z_q[0, i], table, retain_graph=True)[0] for i in range(8)]
        torch.testing.assert_close(torch.stack([row[out.codes[0, index]] for row in rows]), product)


@pytest.mark.parametrize("wiring", ["per_stage", "joint"])
def test_straight_through_stacks_pass_the_gradient_once(wiring):
    """Not once a stage: residuals that are not cut multiply the encoder's gradient by the number of stages."""
    quantizer = ResidualQuantizer(STE, 5, 12, 8, wiring=wiring)
    z = latents(7, 8).requires_grad_()
    quantizer(z).z_q.sum().backward()
    torch.testing.assert_close(z.grad, torch.ones_like(z))


def test_commitment_of_late_stages_reaches_the_encoder():
    quantizer = ResidualQuantizer(STE, 3, 12, 8)
    z = latents(7, 8).requires_grad_()
    quantizer(z).loss.backward()
    left, expected = z.detach(), torch.zeros_like(z)
    for stage in quantizer.stages:
        left = left - stage.lookup(stage.search(left, None), left.dtype).detach()
        expected += 2 * 0.25 * left / left.numel()
    torch.testing.assert_close(z.grad, expected)


def test_random_prefixes_train_each_prefix_to_be_good():
    """Loss over random prefixes: the error falls with every stage that is kept."""
    torch.manual_seed(0)
    quantizer = ResidualQuantizer(DiVeQ, 3, 16, 8)
    z = latents(16, 8, 32)
    quantizer.init_from_data(z)
    optimizer = torch.optim.Adam(quantizer.parameters(), lr=1e-2)
    for step in range(1, 31):
        kept = torch.randint(1, 4, (16,))
        (quantizer(z, kept).z_q - z).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        quantizer.maintain(step, optimizer)
    quantizer.eval()
    errors = [(quantizer(z, n_q).z_q - z).detach().square().mean().item() for n_q in (1, 2, 3)]
    assert errors[0] > errors[1] > errors[2]
    relative = (
        quantizer(z).metrics["relative_error"] * z.transpose(1, 2).reshape(-1, 8).var(dim=0, correction=0).sum() / 8
    )
    torch.testing.assert_close(relative, torch.tensor(errors), rtol=1e-4, atol=1e-5)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="n_q >= 1"):
        ResidualQuantizer(DiVeQ, 0, 12, 8)
    with pytest.raises(ConfigError, match="use wiring='per_stage'"):
        ResidualQuantizer(FSQ, 2, 12, 8, wiring="joint")
    with pytest.raises(ConfigError, match="use wiring='per_stage'"):
        ResidualQuantizer(DiVeQ, 2, 12, 8, wiring="joint", codebook_dim=4)
    quantizer, z = ResidualQuantizer(DiVeQ, 3, 12, 8), latents(2, 8, 5)
    for n_q in (0, 4):
        with pytest.raises(ShapeError, match="n_q must be 1 to 3"):
            quantizer(z, n_q)
        with pytest.raises(ShapeError, match="n_q must be 1 to 3"):
            quantizer.encode(z, n_q)
    with pytest.raises(ShapeError, match="one number for each of the 2 items"):
        quantizer(z, torch.tensor([1, 2, 3]))
    with pytest.raises(ShapeError, match="codes have 4 stages"):
        quantizer.decode(torch.zeros(1, 4, 5, dtype=torch.int64))
    with pytest.raises(ConfigError, match="SFDiVeQ"):
        quantizer.with_sf_bits(1)


def test_sizes_and_bits_are_counted_for_each_stage():
    quantizer = ResidualQuantizer(SFDiVeQ, 2, 9, 8)
    assert quantizer.n_q == 2 and quantizer.codebook_size == 9 and quantizer.dim == 8
    assert quantizer.codebook_sizes == (9, 9)
    finer = quantizer.with_sf_bits(3)
    assert finer.codebook_sizes == (65, 65) and quantizer.codebook_sizes == (9, 9)
    assert finer.bits == pytest.approx([6.0224, 6.0224], abs=1e-4)
    assert ResidualQuantizer(DiVeQ, 2, 1024, 8).bits == [10.0, 10.0]
