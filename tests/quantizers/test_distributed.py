"""Two processes hold the same codebooks, whatever their data; what they learn is what one process would."""

import os
import socket
from pathlib import Path

import pytest
import torch
from torch import distributed as dist
from torch import multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

from audiocodec.quantizers import Quantizer, Replacement
from tests.quantizers.makers import CODEBOOKS, adam, latents, make, train_step

CASES = [
    *((name, "per_stage") for name in CODEBOOKS),
    *((name, kind) for name in ("diveq", "ema", "sf_diveq", "gumbel") for kind in ("joint", "product")),
    ("sf_diveq", "single"),
    ("diveq", "factorised_stages"),
]
STEPS = 200


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def join(rank: int, port: int) -> None:
    torch.set_num_threads(1)
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    dist.init_process_group("gloo", rank=rank, world_size=2)


class Model(nn.Module):
    """A linear encoder before a quantizer, so that gradients pass through both."""

    def __init__(self, quantizer: Quantizer):
        super().__init__()
        self.encoder, self.quantizer = nn.Linear(8, 8), quantizer

    def forward(self, x: torch.Tensor, *arguments: torch.Tensor) -> torch.Tensor:
        out = self.quantizer(self.encoder(x), *arguments)
        return (out.z_q - x).square().mean() + out.loss


def train(rank: int, port: int, folder: Path) -> None:
    """Different data and different prefixes on each rank; every tenth step the codebooks are compared."""
    join(rank, port)
    for index, (name, kind) in enumerate(CASES):
        quantizer = make(name, kind, codebook_size=16, warmup=5 if index else 0)
        for codebook in quantizer.codebooks():
            codebook.replacement = Replacement(interval=20, threshold=0.5, evidence=1)
        model = DistributedDataParallel(Model(quantizer), broadcast_buffers=False)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        replaced = 0.0
        for step in range(1, STEPS + 1):
            torch.manual_seed(2 * step + rank)
            x = (1 + rank) * latents(64, 8, seed=2 * step + rank)
            prefixes = (torch.randint(1, 4, (64,)),) if kind in ("per_stage", "joint") else ()
            loss = model(x, *prefixes)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            replaced += quantizer.maintain(step, optimizer, max_steps=STEPS).get("replaced", 0.0)
            if step % 10 == 0:
                for key, value in quantizer.state_dict().items():
                    if "reservoir" in key:
                        continue  # each rank remembers its own latents
                    pair = [torch.empty_like(value) for _ in range(2)]
                    dist.all_gather(pair, value.contiguous())
                    assert torch.equal(*pair), (name, kind, key, step)
        torch.save({"replaced": replaced}, folder / f"{index}-{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_codebooks_of_two_processes_are_equal_after_200_steps_with_replacement(tmp_path):
    multiprocessing.spawn(train, (free_port(), tmp_path), nprocs=2)
    for index, (name, _) in enumerate(CASES):
        both = [torch.load(tmp_path / f"{index}-{rank}.pt", weights_only=True)["replaced"] for rank in range(2)]
        assert both[0] == both[1] and (both[0] > 0 or name.startswith("sf_")), (name, both)


def train_halves(rank: int, port: int, folder: Path) -> None:
    join(rank, port)
    quantizer = make("ema", "per_stage", codebook_size=16)
    for step in range(1, 11):
        train_step(quantizer, latents(2, 64, 8, seed=step)[rank], adam(quantizer), step)
    torch.save(quantizer.state_dict(), folder / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_learn_what_one_does_from_all_data(tmp_path):
    multiprocessing.spawn(train_halves, (free_port(), tmp_path), nprocs=2)
    alone = make("ema", "per_stage", codebook_size=16)
    for step in range(1, 11):
        train_step(alone, latents(2, 64, 8, seed=step).flatten(0, 1), adam(alone), step)
    for rank in range(2):
        together = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        for key, value in alone.state_dict().items():
            torch.testing.assert_close(together[key], value, rtol=1e-5, atol=1e-5, msg=key)
