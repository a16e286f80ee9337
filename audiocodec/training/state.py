"""Everything that training changes, in one object that turns into named tensors and back."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..codec import Codec
from ..config.training import GENERATOR_TERMS, TrainConfig
from ..data.seeding import Stream, torch_seed
from ..losses import Balancer, Discriminators
from .ema import AveragedWeights
from .scaling import LossScaler
from .schedule import scaled_lr


@dataclass
class TrainState:
    """Networks, optimizers, averages and counters of a run."""

    codec: Codec
    discriminators: Discriminators | None
    optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer | None
    ema: AveragedWeights
    balancer: Balancer | None
    scaler: LossScaler
    discriminator_scaler: LossScaler
    step: int = 0  # optimizer steps done
    skipped: int = 0  # of them without effect, because something was not finite
    counters: dict[str, Any] = field(default_factory=dict)  # plain JSON values: the best validation figure

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """File stem -> named tensors, all that a checkpoint holds besides `numbers`."""
        groups = {
            "model": self.codec.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizer": _optimizer_tensors(self.optimizer, self.codec),
        }
        if self.discriminators is not None and self.discriminator_optimizer is not None:
            groups["discriminators"] = self.discriminators.state_dict()
            groups["discriminator_optimizer"] = _optimizer_tensors(self.discriminator_optimizer, self.discriminators)
        return groups

    def numbers(self) -> dict[str, Any]:
        """The counters, as JSON."""
        return {
            "step": self.step,
            "skipped": self.skipped,
            "counters": self.counters,
            "balancer": self.balancer.state_dict() if self.balancer else None,
            "scaler": self.scaler.state_dict(),
            "discriminator_scaler": self.discriminator_scaler.state_dict(),
        }

    def load(self, tensors: dict[str, dict[str, Tensor]], numbers: dict[str, Any]) -> None:
        """Continue from what `tensors` and `numbers` gave; the checkpoint may lack discriminators: they stay new."""
        self.codec.load_state_dict(tensors["model"])
        self.ema.load_state_dict(tensors["ema"])
        _load_optimizer(self.optimizer, self.codec, tensors["optimizer"])
        if self.discriminators is not None and self.discriminator_optimizer is not None and "discriminators" in tensors:
            self.discriminators.load_state_dict(tensors["discriminators"])
            _load_optimizer(self.discriminator_optimizer, self.discriminators, tensors["discriminator_optimizer"])
        if self.balancer and numbers["balancer"]:
            self.balancer.load_state_dict(numbers["balancer"])
        self.scaler.load_state_dict(numbers["scaler"])
        self.discriminator_scaler.load_state_dict(numbers["discriminator_scaler"])
        self.step, self.skipped = numbers["step"], numbers["skipped"]
        self.counters = dict(numbers["counters"])

    def load_companions(self, tensors: dict[str, dict[str, Tensor]]) -> list[str]:
        """Take discriminators and optimizer moments of another run, as far as their shapes fit.

        Args:
            tensors: file stem -> named tensors, as of a checkpoint.
        Returns:
            what was taken.
        """
        taken = []
        judges, theirs = self.discriminators, tensors.get("discriminators", {})
        if judges is not None and _shapes(judges.state_dict()) == _shapes(theirs):
            judges.load_state_dict(theirs)
            taken.append("discriminators")
        pairs: list[tuple[str, torch.optim.Optimizer, nn.Module]] = [("optimizer", self.optimizer, self.codec)]
        if judges is not None and taken and self.discriminator_optimizer is not None:
            pairs.append(("discriminator_optimizer", self.discriminator_optimizer, judges))
        for stem, optimizer, module in pairs:
            shapes = {name: p.shape for name, p in module.named_parameters() if p.requires_grad}
            moments = _fitting_moments(tensors.get(stem, {}), shapes)
            if moments:
                _load_optimizer(optimizer, module, moments)
                taken.append(stem)
        return taken


def build_state(config: TrainConfig, device: torch.device) -> TrainState:
    """Build networks and optimizers; every process of a run gets the same weights.

    Args:
        config: the whole experiment.
        device: where it shall run.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(config.run.seed, Stream.WEIGHTS))
        codec = Codec(config.model).to(device)
        discriminators = Discriminators(config.discriminator, config.model.channels) if config.adversarial else None
    for part in config.run.freeze:
        codec.get_submodule(part).requires_grad_(False)
    discriminator_optimizer = None
    if discriminators is not None:
        discriminators.to(device)
        d = config.discriminator
        discriminator_optimizer = torch.optim.AdamW(
            [{"params": list(discriminators.parameters()), "full_lr": d.lr}],
            lr=d.lr,
            betas=d.betas,
            weight_decay=d.weight_decay,
            fused=True,
        )
    weights = {name: getattr(config.loss, name) for name in GENERATOR_TERMS}
    balancer = Balancer(weights, config.loss.balancer_decay) if config.loss.balancer else None
    fp16 = config.run.mixed_precision == "fp16"
    return TrainState(
        codec,
        discriminators,
        _generator_optimizer(config, codec),
        discriminator_optimizer,
        AveragedWeights(codec, config.optim.ema_decay),
        balancer,
        LossScaler(fp16),
        LossScaler(fp16),
    )


def _generator_optimizer(config: TrainConfig, codec: Codec) -> torch.optim.Optimizer:
    """AdamW with the codebooks in a group of their own: another learning rate, and never weight decay."""
    optim = config.optim
    lr = scaled_lr(optim, config.data.batch_size)
    codebooks = {id(p): p for p in codec.quantizer.codebook_parameters() if p.requires_grad}
    others = [p for p in codec.parameters() if p.requires_grad and id(p) not in codebooks]
    groups: list[dict[str, Any]] = [{"params": others, "lr": lr, "weight_decay": optim.weight_decay}]
    if codebooks:
        groups.append({"params": list(codebooks.values()), "lr": lr * optim.codebook_lr, "weight_decay": 0.0})
    for group in groups:
        group["full_lr"] = group["lr"]
    return torch.optim.AdamW(groups, betas=optim.betas, eps=optim.eps, fused=True)


def _shapes(tensors: dict[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}


def _fitting_moments(moments: dict[str, Tensor], shapes: dict[str, torch.Size]) -> dict[str, Tensor]:
    """The moments of parameters that are trained here in the same shape; counters of steps are scalars."""
    owners = {path: path.rpartition("/")[0] for path in moments}
    alien = {owners[path] for path, t in moments.items() if t.dim() and t.shape != shapes.get(owners[path])}
    return {path: t for path, t in moments.items() if owners[path] in shapes and owners[path] not in alien}


def _optimizer_tensors(optimizer: torch.optim.Optimizer, module: nn.Module) -> dict[str, Tensor]:
    """State of an optimizer under the names of the module's parameters: `decoder.head.weight/exp_avg`."""
    names = {id(p): name for name, p in module.named_parameters()}
    return {
        f"{names[id(p)]}/{key}": value
        for p, values in optimizer.state.items()
        for key, value in values.items()
        if isinstance(value, Tensor)
    }


def _load_optimizer(optimizer: torch.optim.Optimizer, module: nn.Module, tensors: dict[str, Tensor]) -> None:
    """The inverse of `_optimizer_tensors`; parameters without an entry start fresh."""
    by_name: dict[str, dict[str, Tensor]] = {}
    for path, value in tensors.items():
        name, _, key = path.rpartition("/")
        by_name.setdefault(name, {})[key] = value
    names = {id(p): name for name, p in module.named_parameters()}
    order = [names[id(p)] for group in optimizer.param_groups for p in group["params"]]
    state = {number: by_name[name] for number, name in enumerate(order) if name in by_name}
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
