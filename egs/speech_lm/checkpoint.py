"""A training run on disk: weights and optimizer as safetensors, position and curve as JSON."""

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

WEIGHTS, OPTIMIZER, STATE = "model.safetensors", "optimizer.safetensors", "state.json"


@dataclass
class State:
    """Where a run is."""

    step: int
    position: dict[str, int]  # in the data, as the last batch carried it
    curve: list[dict[str, Any]]
    seconds: dict[str, float]  # spent so far: wall and cpu


class Clock:
    """Seconds of this process on top of those of earlier ones."""

    def __init__(self, earlier: dict[str, float]):
        self._earlier, self._wall, self._cpu = earlier, time.monotonic(), time.process_time()

    def seconds(self) -> dict[str, float]:
        """Wall and CPU seconds of the run."""
        return {
            "wall": self._earlier["wall"] + time.monotonic() - self._wall,
            "cpu": self._earlier["cpu"] + time.process_time() - self._cpu,
        }


def save(out: Path, model: nn.Module, optimizer: torch.optim.Optimizer, state: State) -> None:
    """Write everything; each file is replaced as a whole, the state last."""
    out.mkdir(parents=True, exist_ok=True)
    moments = {
        f"{number}.{name}": value
        for number, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
    }
    for name, tensors in ((WEIGHTS, model.state_dict()), (OPTIMIZER, moments)):
        safetensors.torch.save_file(tensors, out / f"{name}.part")
        os.replace(out / f"{name}.part", out / name)
    (out / f"{STATE}.part").write_text(json.dumps(asdict(state)), encoding="utf-8")
    os.replace(out / f"{STATE}.part", out / STATE)


def load(out: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> State | None:
    """Read everything into model and optimizer; None where nothing was saved."""
    if not (out / STATE).exists():
        return None
    model.load_state_dict(safetensors.torch.load_file(out / WEIGHTS))
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in safetensors.torch.load_file(out / OPTIMIZER).items():
        number, name = key.split(".", 1)
        moments.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict(optimizer.state_dict() | {"state": moments})
    return State(**json.loads((out / STATE).read_text(encoding="utf-8")))
