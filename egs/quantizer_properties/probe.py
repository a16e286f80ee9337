"""Properties that need no training: what one forward and backward pass gives on Gaussian latents.

Latents are N(0, 1) in 8 dimensions, the codebook has 64 codewords near their k-means places, the task is the squared
error after a random linear decoder (or none).
"""

import torch
from contenders import CONTENDERS
from torch import Tensor

from audiocodec.quantizers import SFDiVeQ
from audiocodec.quantizers.vector import VectorQuantizer

VECTORS, CODES, DIM, OUT_DIM, DRAWS = 4096, 64, 8, 16, 50


def probe(name: str, seed: int) -> dict[str, float | None]:
    """All figures of one method; see the comments for their definitions."""
    torch.manual_seed(seed)
    z = torch.randn(VECTORS, DIM)
    quantizer = CONTENDERS[name].make(CODES, DIM, seed=seed)
    quantizer.init_from_data(z)
    with torch.no_grad():  # away from the optimum, where all gradients would vanish
        quantizer.codebook += 0.3 * torch.randn(CODES, DIM)
    decoder = torch.randn(DIM, OUT_DIM) / DIM**0.5
    figures: dict[str, float | None] = {}
    for kind, weights in (("random decoder", decoder), ("identity decoder", torch.eye(DIM))):
        figures |= {f"{key}, {kind}": value for key, value in gradients(quantizer, z, weights).items()}
    return figures | mapping(quantizer, z)


def task_loss(z_q: Tensor, z: Tensor, weights: Tensor) -> Tensor:
    """Summed squared error behind the decoder."""
    return ((z_q - z) @ weights).square().sum() / len(z)


def gradients(quantizer: VectorQuantizer, z: Tensor, weights: Tensor) -> dict[str, float | None]:
    """The mean gradient of the codebook over DRAWS passes against the exact one of the deployed quantizer.

    The deployed loss is that of z_q = C[encode(z)]; for fixed codes its gradient by C[k] is the sum of d loss / d z_q
    over the vectors with code k, exact almost everywhere.
    """
    if not quantizer.codebook.requires_grad:
        return {"cosine": None, "norm ratio": None, "task gradient": 0.0, "auxiliary loss": aux_loss(quantizer, z)}
    codes = quantizer.eval().encode(z)
    hard = quantizer.codebook.detach()[codes].requires_grad_()
    (at_hard,) = torch.autograd.grad(task_loss(hard, z, weights), hard)
    exact = torch.zeros_like(quantizer.codebook).index_add_(0, codes, at_hard)
    quantizer.train()
    whole, task = torch.zeros_like(exact), torch.zeros_like(exact)
    for _ in range(DRAWS):
        out = quantizer(z)
        loss = task_loss(out.z_q, z, weights)
        for total, of in ((task, loss), (whole, loss + out.loss)):
            if of.requires_grad:
                (gradient,) = torch.autograd.grad(of, quantizer.codebook, retain_graph=True, allow_unused=True)
                total += 0 if gradient is None else gradient / DRAWS
    return {
        "cosine": float(torch.cosine_similarity(whole.flatten(), exact.flatten(), dim=0)),
        "norm ratio": float(whole.norm() / exact.norm()),
        "task gradient": float(task.norm() / exact.norm()),
        "auxiliary loss": aux_loss(quantizer, z),
    }


def aux_loss(quantizer: VectorQuantizer, z: Tensor) -> float:
    """Loss that the method adds to the task's."""
    return abs(quantizer.train()(z).loss.item())


@torch.no_grad()
def mapping(quantizer: VectorQuantizer, z: Tensor) -> dict[str, float | None]:
    """How training's output differs from the deployed one, and where it lies."""
    deployed = quantizer.eval()(z)
    trained = quantizer.train()(z)
    error = (z - deployed.z_q).norm(dim=1)
    off = distance_to_alphabet(quantizer, trained.z_q)
    return {
        "mismatch": float((trained.z_q - deployed.z_q).square().sum() / error.square().sum()),
        "other code": float((trained.codes != deployed.codes).float().mean()),
        "off the mapping": float((off / error).mean()),
        "further than the error": float((off > error).float().mean()),
    }


def distance_to_alphabet(quantizer: VectorQuantizer, z_q: Tensor) -> Tensor:
    """Distance [N] of training outputs to the nearest codeword, or to the curve through them."""
    corners = quantizer.codebook
    if not isinstance(quantizer, SFDiVeQ):
        return torch.cdist(z_q, corners, compute_mode="donot_use_mm_for_euclid_dist").min(dim=1).values
    start, along = corners[:-1], corners[1:] - corners[:-1]
    share = ((z_q[:, None] - start) * along).sum(-1) / along.square().sum(-1)
    feet = start + share.clamp(0, 1)[..., None] * along
    return (z_q[:, None] - feet).norm(dim=-1).min(dim=1).values
