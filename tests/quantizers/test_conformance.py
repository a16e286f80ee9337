"""Laws that hold for every method in every composition."""

import copy

import pytest
import torch

from audiocodec.errors import ShapeError
from audiocodec.quantizers import Quantizer, ResidualQuantizer
from tests.quantizers.makers import ALL, COMPOSITIONS, STACKS, adam, latents, make, train_step

pytestmark = pytest.mark.filterwarnings("ignore:DiVeQ in")
every = pytest.mark.parametrize(("name", "kind"), ALL)


@every
@pytest.mark.parametrize("shape", [(2, 8, 5), (11, 8)], ids=["BDT", "ND"])
def test_decode_of_encode_is_the_eval_forward_bit_for_bit(name, kind, shape):
    quantizer, z = make(name, kind), latents(*shape)
    quantizer.init_from_data(latents(300, 8))
    quantizer.eval()
    out, codes = quantizer(z), quantizer.encode(z)
    assert torch.equal(out.codes, codes)
    assert torch.equal(quantizer.decode(codes), out.z_q)
    assert torch.equal(quantizer(z).z_q, out.z_q)
    assert out.loss == 0
    stack = (kind in STACKS,)
    assert codes.shape == (shape[0], *((3 if kind != "product" else 2,) if stack[0] else ()), *shape[2:])
    assert codes.dtype == torch.int64
    sizes = torch.tensor(quantizer.codebook_sizes).view(1, -1, *[1] * (len(shape) - 2)) if stack[0] else None
    assert (codes >= 0).all() and (codes < (quantizer.codebook_sizes[0] if sizes is None else sizes)).all()


@every
def test_eval_changes_no_buffer_and_no_parameter(name, kind):
    quantizer, z = make(name, kind).eval(), latents(2, 8, 5)
    before = {key: value.clone() for key, value in [*quantizer.named_parameters(), *quantizer.named_buffers()]}
    quantizer.decode(quantizer.encode(z))
    quantizer(z)
    after = dict([*quantizer.named_parameters(), *quantizer.named_buffers()])
    assert before.keys() == after.keys()
    for key, value in before.items():
        assert torch.equal(value, after[key]), key


@every
@pytest.mark.parametrize("training", [True, False])
def test_frames_outside_the_mask_change_nothing_inside(name, kind, training):
    mask = torch.ones(3, 7, dtype=torch.bool)
    mask[0, 4:] = mask[2, :2] = False
    results = []
    for filler in (0.0, 50.0, torch.nan):
        quantizer = make(name, kind).train(training)
        z = torch.where(mask[:, None], latents(3, 8, 7), torch.tensor(filler)).requires_grad_()
        torch.manual_seed(5)
        out = quantizer(z, mask=mask)
        if training:
            (out.z_q.square().sum() + out.loss).backward()
            assert torch.equal(z.grad[~mask[:, None].expand_as(z)], torch.zeros((~mask).sum() * 8))
        results.append((out, z.grad, dict(quantizer.named_buffers())))
    for out, gradient, buffers in results[1:]:
        torch.testing.assert_close(out.z_q, results[0][0].z_q, rtol=0, atol=0)
        assert torch.equal(out.codes, results[0][0].codes) and torch.equal(out.loss, results[0][0].loss)
        for key, value in out.metrics.items():
            assert torch.equal(value, results[0][0].metrics[key]), key
        for key, value in buffers.items():
            assert torch.equal(value, results[0][2][key]), key
        if training:
            assert torch.equal(gradient, results[0][1])
    assert (results[0][0].z_q.transpose(1, 2)[~mask] == 0).all() and (
        results[0][0].codes.movedim(-1, 1)[~mask] == 0
    ).all()
    if not training:
        whole = make(name, kind).eval()(latents(3, 8, 7))
        assert torch.equal(whole.z_q.transpose(1, 2)[mask], results[0][0].z_q.transpose(1, 2)[mask])


@every
def test_one_vector_two_codewords_one_dimension(name, kind):
    dim = 2 if kind in ("product", "factorised", "factorised_stages") else 1  # so that the codebook has one dimension
    quantizer = make(name, kind, codebook_size=2, dim=dim)
    quantizer.init_from_data(latents(1, dim))
    z = latents(1, dim, seed=3).requires_grad_()
    out = quantizer(z)
    (out.z_q.square().sum() + out.loss).backward()
    assert out.z_q.shape == z.shape and torch.isfinite(out.z_q).all() and torch.isfinite(z.grad).all()
    for parameter in quantizer.parameters():
        assert torch.isfinite(parameter).all() and torch.isfinite(parameter.grad).all()
    quantizer.eval()
    assert torch.equal(quantizer.decode(quantizer.encode(z.detach())), quantizer(z.detach()).z_q)


@every
def test_no_frame_at_all(name, kind):
    quantizer, z = make(name, kind).eval(), torch.zeros(2, 8, 0)
    codes = quantizer.encode(z)
    assert codes.shape == ((2, *quantizer(latents(1, 8, 1)).codes.shape[1:-1], 0))
    assert quantizer.decode(codes).shape == quantizer(z).z_q.shape == z.shape


@every
def test_latents_on_a_codeword_and_at_zero_give_finite_gradients(name, kind):
    quantizer = make(name, kind)
    quantizer.eval()
    z = torch.cat([quantizer.decode(quantizer.encode(latents(3, 8))).detach(), torch.zeros(1, 8)]).requires_grad_()
    out = quantizer.train()(z)
    (out.z_q.square().sum() + out.loss).backward()
    assert torch.isfinite(z.grad).all()
    assert all(torch.isfinite(parameter.grad).all() for parameter in quantizer.parameters())


@every
def test_autocast_and_bfloat16_search_and_add_in_float32(name, kind):
    quantizer, z = make(name, kind).eval(), latents(2, 8, 40)
    plain = quantizer(z)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = quantizer(z)
        assert torch.equal(cast.codes, plain.codes) and torch.equal(cast.z_q, plain.z_q)
        assert torch.equal(quantizer.decode(quantizer.encode(z)), plain.z_q)
    low = quantizer(z.bfloat16())
    assert low.z_q.dtype == torch.bfloat16
    assert torch.equal(low.codes, quantizer.encode(z.bfloat16().float()))
    small = copy.deepcopy(quantizer).bfloat16()
    out = small(z.bfloat16())
    assert torch.equal(small.decode(out.codes).bfloat16(), out.z_q) and small.decode(out.codes).dtype == torch.float32
    small.train()
    out = small(z.bfloat16().requires_grad_())
    (out.z_q.float().square().sum() + out.loss).backward()


@every
def test_float64_follows_the_module_and_finds_the_same_codes(name, kind):
    quantizer, z = make(name, kind).eval(), latents(3, 8, 50)
    exact = copy.deepcopy(quantizer).double()
    codes = exact.encode(z.double())
    assert exact.decode(codes).dtype == exact(z.double()).z_q.dtype == torch.float64
    assert (codes == quantizer.encode(z)).float().mean() > 0.99
    torch.testing.assert_close(exact.decode(codes).float(), quantizer.decode(codes))


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name, kind in ALL if kind in ("single", "per_stage", "product") or name == "diveq"],
)
@pytest.mark.parametrize("stop_at", [2, 5], ids=["inside the warm-up", "after it"])
def test_stop_and_resume_gives_the_same_codebooks(name, kind, stop_at):
    """Training goes on from a state dict, in warm-up or later, as if it had never stopped."""

    def build() -> tuple[Quantizer, torch.optim.Optimizer | None]:
        quantizer = make(name, kind, warmup=4)
        for codebook in quantizer.codebooks():
            codebook.replacement = codebook.replacement.__class__(interval=3, evidence=1, threshold=0.5)
        return quantizer, adam(quantizer)

    def run(quantizer: Quantizer, optimizer: torch.optim.Optimizer | None, steps: range) -> None:
        for step in steps:
            torch.manual_seed(step)
            train_step(quantizer, latents(2, 8, 16, seed=step), optimizer, step)

    straight, optimizer = build()
    run(straight, optimizer, range(1, 8))
    first, first_optimizer = build()
    run(first, first_optimizer, range(1, stop_at + 1))
    second, second_optimizer = build()
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    if second_optimizer is not None:
        second_optimizer = adam(second)  # parameters may have been replaced by loading
        second_optimizer.load_state_dict(copy.deepcopy(first_optimizer.state_dict()))
    run(second, second_optimizer, range(stop_at + 1, 8))
    expected, got = straight.state_dict(), second.state_dict()
    assert expected.keys() == got.keys() and "reservoir.latents" not in got
    for key, value in expected.items():
        assert torch.equal(value, got[key]), key


@every
def test_warm_up_passes_latents_through_and_uses_every_parameter(name, kind):
    quantizer, z = make(name, kind, warmup=3), latents(2, 8, 30).requires_grad_()
    out = quantizer(z)
    assert torch.equal(out.z_q, z) and out.loss == 0
    out.z_q.sum().backward()
    assert torch.equal(z.grad, torch.ones_like(z))
    assert all(parameter.grad is not None for parameter in quantizer.parameters())
    assert quantizer.maintain(2) == {}
    assert quantizer.maintain(3) == {"initialised": 1.0}
    assert not torch.equal(quantizer(z).z_q, z)


@every
def test_training_uses_every_parameter_even_where_few_stages_are_kept(name, kind):
    quantizer, z = make(name, kind), latents(3, 8, 6).requires_grad_()
    few = (torch.tensor([1, 1, 2]),) if isinstance(quantizer, ResidualQuantizer) else ()
    out = quantizer(z, *few)
    (out.z_q.square().sum() + out.loss).backward()
    assert all(parameter.grad is not None for parameter in quantizer.parameters())


@every
def test_training_brings_the_error_down_and_metrics_say_so(name, kind):
    quantizer, z = make(name, kind), latents(4, 8, 64)
    optimizer = adam(quantizer)
    before = quantizer(z).metrics
    for step in range(1, 31):
        train_step(quantizer, z, optimizer, step)
    after = quantizer.eval()(z).metrics
    total = {key: value["relative_error"] for key, value in (("before", before), ("after", after))}
    last = {key: value.sum() if kind == "product" else value[-1] for key, value in total.items()}
    assert last["after"] < last["before"] or last["after"] < 0.5
    assert set(after) >= {"usage", "perplexity", "effective_bits", "relative_error"}
    codes = quantizer.encode(z)
    columns = codes.unbind(1) if kind in STACKS else [codes]
    assert torch.allclose(
        after["usage"],
        torch.tensor([column.unique().numel() / size for column, size in zip(columns, _sizes(quantizer), strict=True)]),
    ) or name.startswith("sf_diveq")  # codes of a grid count for the corner next to them


def _sizes(quantizer: Quantizer) -> list[int]:
    return [book.codebook_size for book in quantizer.codebooks()] or list(quantizer.codebook_sizes)


@pytest.mark.parametrize("kind", COMPOSITIONS)
def test_wrong_shapes_are_named(kind):
    quantizer = make("ste", kind)
    for z in (torch.zeros(2, 7, 5), torch.zeros(8), torch.zeros(2, 8, 5, dtype=torch.int64)):
        with pytest.raises(ShapeError, match=r"latents must be floating \[B, 8, T\] or \[N, 8\]"):
            quantizer(z)
    with pytest.raises(ShapeError, match="mask must be bool"):
        quantizer(torch.zeros(2, 8, 5), mask=torch.ones(2, 4, dtype=torch.bool))
    with pytest.raises(ShapeError, match="mask must be bool"):
        quantizer(torch.zeros(2, 8, 5), mask=torch.ones(2, 5))
    with pytest.raises(ShapeError, match="codes must be"):
        quantizer.decode(torch.zeros(1, 1, 1, 1, dtype=torch.int64))
    with pytest.raises(ShapeError, match="at least one latent"):
        quantizer.init_from_data(torch.zeros(0, 8))
