"""Code recordings into a token store with several processes, here or on many machines; again after an interruption.

accelerate launch --num_processes 8 recipes/extract_tokens.py IN --out STORE
accelerate launch --cpu --num_processes 8 --mpirun_hostfile HOSTS recipes/extract_tokens.py IN --out STORE
torchrun --nnodes 4 --nproc-per-node 8 ... recipes/extract_tokens.py IN --out STORE
sbatch recipes/extract_tokens.sbatch STORE                       (after `audiocodec tokens IN --out STORE --plan-only`)

The options are those of `audiocodec tokens extract`. Each process takes its part of the shards and its GPU; none waits
for another, so one that dies costs its part, which the same command makes up when it is given again.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # also runs from a checkout that is not installed


def main() -> None:
    """Add what the launcher says about this process to the command line."""
    from audiocodec.cli.main import main as run

    arguments = sys.argv[1:]
    processes = _number(_SIZES, 1)
    if processes > 1:
        arguments += ["--part", f"{_number(_RANKS, 0)}/{processes}"]
        if (gpus := _gpus()) and "--device" not in arguments:
            arguments += ["--device", f"cuda:{_number(_LOCAL_RANKS, 0) % gpus}"]
    sys.argv = ["audiocodec", "tokens", "extract", *arguments, "--log"]
    run()


# What says which process this is: torchrun (which accelerate starts for GPUs), or MPI (which it starts for CPUs).
_SIZES = ("WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE")
_RANKS = ("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "MV2_COMM_WORLD_RANK")
_LOCAL_RANKS = ("LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "MV2_COMM_WORLD_LOCAL_RANK")


def _number(names: tuple[str, ...], default: int) -> int:
    return next((int(os.environ[name]) for name in names if name in os.environ), default)


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()


if __name__ == "__main__":
    main()
