"""One optimizer step of generator and discriminators, over any number of processes and micro-batches.

Both networks are judged as they are before the step: the losses of all micro-batches are accumulated first, then both
optimizers step. Two processes therefore do what one does with two micro-batches, and the discriminators' view of the
original audio is computed once for both losses.
"""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..config.training import TrainConfig
from ..losses import ReconstructionLoss, adversarial_loss, discriminator_loss, feature_matching_loss
from ..losses.discriminators import Features
from .state import TrainState

Terms = dict[str, Tensor]


@dataclass
class StepResult:
    """What one step did; the values are means over micro-batches and processes."""

    values: dict[str, float] = field(default_factory=dict)  # loss terms unweighted, their weighted sum `loss`, norms
    finite: bool = True  # False: nothing was changed
    codes: list[Tensor] = field(default_factory=list)  # [B, K, T] of this process, one tensor a micro-batch
    n_q: list[Tensor | None] = field(default_factory=list)  # [B] codebooks kept of them; None: all


class TrainStep:
    """Runs steps: `step(micro_batches, ...)` on every process alike.

    Args:
        config: of the run.
        state: networks and optimizers, on the accelerator's device.
        accelerator: device, precision and processes.
    """

    def __init__(self, config: TrainConfig, state: TrainState, accelerator: Accelerator):
        self.config, self.state, self.accelerator = config, state, accelerator
        self.reconstruction = ReconstructionLoss(config.loss, config.model.sample_rate)
        self.generator = distributed(state.codec, accelerator)
        self.judges = distributed(state.discriminators, accelerator) if state.discriminators is not None else None

    def __call__(self, wavs: list[Tensor], n_q: list[Tensor | None], seeds: list[int], lr_factor: float) -> StepResult:
        """Do one step.

        Args:
            wavs: [B, C, L] original audio, one tensor a micro-batch.
            n_q: [B] codebooks kept by each item, or None for all, one a micro-batch.
            seeds: of PyTorch's generators, one a micro-batch.
            lr_factor: share of the full learning rate.
        """
        discriminator = self.config.discriminator
        judged = self.judges is not None and self.state.step >= discriminator.start_step
        contested = judged and self.state.step >= discriminator.adversary_step
        before = self._volatile()
        result, sums = StepResult(n_q=n_q), Terms()
        for i, (wav, kept) in enumerate(zip(wavs, n_q, strict=True)):
            torch.manual_seed(seeds[i])
            self._exchange_gradients(i == len(wavs) - 1)
            terms, codes = self._accumulate(wav, kept, 1 / len(wavs), judged, contested)
            result.codes.append(codes)
            for name, value in terms.items():
                sums[name] = sums.get(name, torch.zeros_like(value)) + value / len(wavs)
        result.values = dict(zip(sums, self._mean(torch.stack(list(sums.values()))).tolist(), strict=True))
        result.finite = self._update(result.values, judged, lr_factor)
        if not result.finite:
            self._restore(before)
        return result

    def _accumulate(
        self, wav: Tensor, n_q: Tensor | None, share: float, judged: bool, contested: bool
    ) -> tuple[Terms, Tensor]:
        """Forward and backward of one micro-batch; gradients are added to what is there."""
        with self.accelerator.autocast():
            out = self.generator(wav, n_q)
        fake, weights = out.wav.float(), self.config.loss
        terms = self.reconstruction(fake, wav)
        report = Terms()
        if judged:
            place = self._judged_place(wav.shape[-1])
            real_features = self._judge(wav[..., place], fake[..., place].detach(), share, report)
            if contested:
                terms |= self._contest(fake[..., place], real_features)
        auxiliary = out.quantized.loss.float() * weights.quantizer
        loss = torch.stack([getattr(weights, name) * value for name, value in terms.items()]).sum() + auxiliary
        scale = share * self.state.scaler.scale
        if self.state.balancer:
            # The same gradient as that of this sum: the balanced one at the output, the auxiliary loss's own.
            gradient = self.state.balancer.gradient(terms, fake, self._mean)
            (scale * ((fake * gradient).sum() + auxiliary)).backward()
        else:
            (scale * loss).backward()
        report |= terms | {"quantizer": auxiliary, "loss": loss}
        return {name: value.detach() for name, value in report.items()}, out.quantized.codes

    def _judged_place(self, length: int) -> slice:
        """The stretch of the crops that discriminators see in this micro-batch."""
        window_s = self.config.discriminator.window_s
        if window_s is None:
            return slice(None)
        window = min(length, int(window_s * self.config.model.sample_rate))
        start = int(torch.randint(length - window + 1, ()))
        return slice(start, start + window)

    def _judge(self, real: Tensor, fake: Tensor, share: float, report: Terms) -> Features:
        """The discriminators' own loss and its gradient; returns their features of the original audio, detached."""
        assert self.judges is not None
        with self.accelerator.autocast():
            features = self.judges(torch.cat([real, fake]))
        real_features = [[layer[: len(real)] for layer in layers] for layers in features]
        fake_features = [[layer[len(real) :] for layer in layers] for layers in features]
        loss = discriminator_loss(real_features, fake_features)
        (loss * share * self.state.discriminator_scaler.scale).backward()
        report["discriminator"] = loss
        report["judged_real"] = torch.stack([layers[-1].detach().float().mean() for layers in real_features]).mean()
        report["judged_fake"] = torch.stack([layers[-1].detach().float().mean() for layers in fake_features]).mean()
        return [[layer.detach() for layer in layers] for layers in real_features]

    def _contest(self, fake: Tensor, real_features: Features) -> Terms:
        """Adversarial terms of the generator; the discriminators collect no gradient from them."""
        assert self.state.discriminators is not None
        with frozen(self.state.discriminators), self.accelerator.autocast():
            fake_features = self.state.discriminators(fake)
        terms = Terms()
        if self.config.loss.adversarial:
            terms["adversarial"] = adversarial_loss(fake_features)
        if self.config.loss.feature_matching:
            terms["feature_matching"] = feature_matching_loss(real_features, fake_features)
        return terms

    def _update(self, values: dict[str, float], judged: bool, lr_factor: float) -> bool:
        """Clip and step both networks, or neither where something is not finite; every process decides alike.

        Under fp16 an overflow of one network's gradients is no fault: it lowers that network's scale and costs a step.
        """
        state, config = self.state, self.config
        losses_finite = all(map(math.isfinite, values.values()))
        due = [("grad_norm", state.optimizer, state.scaler, config.optim.clip)]
        if judged and state.discriminator_optimizer is not None:
            scaler, clip = state.discriminator_scaler, config.discriminator.clip
            due.append(("discriminator_grad_norm", state.discriminator_optimizer, scaler, clip))
        for name, optimizer, scaler, clip in due:
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            scaler.unscale(parameters)
            values[name] = float(nn.utils.clip_grad_norm_(parameters, clip))
        finite = losses_finite and all(
            math.isfinite(values[name]) or (scaler.enabled and not scaler.exhausted) for name, _, scaler, _ in due
        )
        for name, optimizer, scaler, _ in due:
            if finite and math.isfinite(values[name]):
                for group in optimizer.param_groups:
                    group["lr"] = group["full_lr"] * lr_factor
                optimizer.step()
            if losses_finite:
                scaler.update(math.isfinite(values[name]))
            optimizer.zero_grad(set_to_none=True)
        return finite

    def _exchange_gradients(self, now: bool) -> None:
        """Whether the next backward passes add up over processes: in the last micro-batch only."""
        for module in (self.generator, self.judges):
            if isinstance(module, DistributedDataParallel):
                module.require_backward_grad_sync = now

    def _mean(self, values: Tensor) -> Tensor:
        """Mean over processes."""
        mean: Tensor = self.accelerator.reduce(values, "mean")
        return mean

    def _volatile(self) -> tuple[dict[str, Tensor], object]:
        """What a forward pass may change: buffers of the quantizer, running means of the balancer."""
        balancer = self.state.balancer
        buffers = {name: buffer.clone() for name, buffer in self.state.codec.quantizer.named_buffers()}
        return buffers, balancer.state_dict() if balancer else None

    def _restore(self, before: tuple[dict[str, Tensor], object]) -> None:
        buffers, means = before
        for name, buffer in self.state.codec.quantizer.named_buffers():
            buffer.copy_(buffers[name])
        if self.state.balancer:
            self.state.balancer.load_state_dict(means)  # type: ignore[arg-type]


def distributed(module: nn.Module, accelerator: Accelerator) -> nn.Module:
    """Share a network's gradients between processes; with one process it stays as it is.

    Buffers are not broadcast: codebook statistics are reduced over all processes where they change.
    """
    if accelerator.num_processes == 1:
        return module
    devices = [accelerator.device] if accelerator.device.type == "cuda" else None
    with warnings.catch_warnings():
        # the name that is to follow broadcast_buffers exists in the newest PyTorch only
        warnings.filterwarnings("ignore", ".*broadcast_buffers.*", FutureWarning)
        return DistributedDataParallel(
            module, device_ids=devices, broadcast_buffers=False, gradient_as_bucket_view=True
        )


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Within the block the module's parameters take no gradients."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)
