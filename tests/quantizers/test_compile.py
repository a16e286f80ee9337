"""torch.compile takes the training forward in one graph; the eager backend shows it without a compiler's minutes."""

import pytest
import torch

from audiocodec.quantizers import ResidualQuantizer
from tests.quantizers.makers import ALL, METHODS, latents, make


def assert_same_as_eager(quantizer: torch.nn.Module, *arguments: object) -> None:
    torch._dynamo.reset()
    compiled = torch.compile(quantizer, fullgraph=True, backend="eager")
    results = []
    for module in (compiled, quantizer):
        z = latents(2, 8, 5).requires_grad_()
        quantizer.zero_grad()
        for buffer in quantizer.buffers():
            if buffer.dtype == torch.int64:
                buffer.zero_()
        torch.manual_seed(0)
        out = module(z, *arguments)
        (out.z_q.square().sum() + out.loss).backward()
        results.append((out, z.grad, [parameter.grad.clone() for parameter in quantizer.parameters()]))
    (ours, z_grad, gradients), (eager, eager_grad, eager_gradients) = results
    torch.testing.assert_close(ours.z_q, eager.z_q)
    torch.testing.assert_close(z_grad, eager_grad)
    assert torch.equal(ours.codes, eager.codes)
    for got, expected in zip(gradients, eager_gradients, strict=True):
        torch.testing.assert_close(got, expected)


def test_a_stack_with_masks_and_prefixes_compiles_without_a_break():
    mask = torch.ones(2, 5, dtype=torch.bool)
    mask[1, 3:] = False
    assert_same_as_eager(ResidualQuantizer(METHODS["diveq"], 2, 8, 8), torch.tensor([1, 2]), mask)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind"), ALL)
def test_every_method_compiles_without_a_break(name, kind):
    assert_same_as_eager(make(name, kind))
