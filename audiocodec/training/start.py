"""Where a run begins: at a checkpoint, at another model's weights, or at codebooks drawn from its first latents."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ..config.loader import validate
from ..config.training import TrainConfig
from ..data.dataset import CropDataset
from ..data.sampler import RowSampler
from ..errors import ConfigError, ModelMismatchError
from ..quantizers import ResidualQuantizer
from ..quantizers.base import Quantizer
from ..quantizers.randomness import generator_for
from .checkpoints import Checkpoints, read_config
from .state import TrainState

Say = Callable[[str], None]
# settings that decide which weights there are
_SHAPING = ("model.sample_rate", "model.channels", "model.network.", "model.quantizer.n_q", "model.quantizer.codebook_")


def find_checkpoint(config: TrainConfig, checkpoints: Checkpoints, resume: str, say: Say) -> Path | None:
    """The checkpoint to go on from.

    Args:
        config: of the run, as given now.
        checkpoints: of the run's folder.
        resume: "" for a new run, "auto", or the path of a checkpoint.
        say: told of damaged checkpoints and of settings that changed since.
    Raises:
        ConfigError: a new run in a folder that holds one, or no such checkpoint.
        ModelMismatchError: the checkpoint is of another model.
    """
    if not resume:
        if (step := next((p.name for p in reversed(list(checkpoints))), None)) is not None:
            raise ConfigError(
                f"run.dir={config.run.dir} already holds a run ({step}); go on with --resume auto, "
                "or choose another run.dir"
            )
        return None
    if resume == "auto":
        if (found := checkpoints.latest(say)) is None:
            return None
    elif not (found := Path(resume)).is_dir():
        raise ConfigError(
            f"--resume {resume}: no such checkpoint folder; use auto, or one of {checkpoints.folder}/step-*"
        )
    changes = _changes(_as_read_now(read_config(found), found), config.model_dump(mode="json"))
    if model := [line for line in changes if line.startswith(_SHAPING)]:
        raise ModelMismatchError(
            f"{found} was trained with another model: {'; '.join(model)}; use run.init_from to start from it"
        )
    for line in changes:
        say(f"changed since {found.name}: {line}")
    return found


def _as_read_now(tree: dict[str, Any], source: Path) -> dict[str, Any]:
    """An old configuration with the defaults of settings that it does not know yet."""
    try:
        return validate(TrainConfig, tree, str(source)).model_dump(mode="json")
    except ConfigError:  # it has settings that are gone: compare what there is
        return tree


def start_from(config: TrainConfig, state: TrainState, say: Say) -> int:
    """Load the weights of `run.init_from` into the parts named by `run.init_parts`.

    A quantizer of another method takes over the codewords: a space-filling curve is laid through them in their best
    order, statistics of EMA start from them. A longer stack takes the stages that are there; with fewer wanted, the
    last ones stay behind. With `run.init_companions` a checkpoint's discriminators and the moments
    of both optimizers come along as far as they fit.

    Returns:
        Stages of the quantizer that came along; the others have yet to be started (`start_codebooks`).
    Raises:
        ConfigError: there are no weights in the folder.
        ModelMismatchError: they do not fit.
    """
    stages = 0
    folder = Path(config.run.init_from or "")
    try:
        weights = {"model": load_file(folder / "model.safetensors")}
        weights |= {p.stem: load_file(p) for p in folder.glob("*.safetensors") if p.stem not in weights}
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"run.init_from={folder}: no readable model.safetensors there: {error}") from None
    for part in config.run.init_parts:
        mine = {name.removeprefix(f"{part}."): t for name, t in weights["model"].items() if name.startswith(f"{part}.")}
        mine = {name: t.float() if t.is_floating_point() else t for name, t in mine.items()}
        module = state.codec.get_submodule(part)
        try:
            if part == "quantizer":
                stages = _load_quantizer(state.codec.quantizer, mine, say)
            else:
                learned = dict(module.named_parameters())  # the rest is drawn anew where the weights are without it
                fixed = {name: t for name, t in module.state_dict().items() if name not in learned}
                module.load_state_dict({**fixed, **mine})
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise ModelMismatchError(
                f"run.init_from={folder}: {part} does not fit: {reason}; leave it out of run.init_parts"
            ) from None
    state.ema.restart_all()
    more = state.load_companions(weights) if config.run.init_companions else []
    say(f"started from {folder}: {', '.join([*config.run.init_parts, *more])}")
    return stages


def _load_quantizer(quantizer: ResidualQuantizer, tensors: Mapping[str, Tensor], say: Say) -> int:
    """Load the stages that both have; how many those are."""
    wanted = quantizer.state_dict()
    there = {int(name.split(".")[1]) for name in tensors if name.startswith("stages.")}
    shared = min(quantizer.n_q, len(there))
    mine = {
        name: t for name, t in tensors.items() if not name.startswith("stages.") or int(name.split(".")[1]) < shared
    }
    if shared < len(there):
        say(f"the quantizer keeps {shared} of {len(there)} stages")
    elif shared < quantizer.n_q:
        say(
            f"the quantizer has {quantizer.n_q} stages: those after the first {shared} start from what these leave over"
        )
    fresh = {name for name in wanted if name.startswith("stages.") and int(name.split(".")[1]) >= shared}
    if mine.keys() == wanted.keys() - fresh:
        quantizer.load_state_dict({**wanted, **mine})
    elif fresh:
        raise RuntimeError(f"another method and {quantizer.n_q} stages instead of {shared}: change one at a time")
    else:
        _take_over(quantizer, mine)
        say("the quantizer is of another method: it starts from the codewords that are there")
    return shared


@torch.no_grad()
def _take_over(quantizer: Quantizer, tensors: Mapping[str, Tensor]) -> None:
    """Start every codebook from the codewords of another method, each codeword its own cluster."""
    wanted = quantizer.state_dict()
    fitting = {name: t for name, t in tensors.items() if name in wanted and wanted[name].shape == t.shape}
    lacking = [name for name in wanted if name.endswith("codebook") and name not in fitting]
    if lacking:
        raise RuntimeError(f"no codewords of that size for {', '.join(lacking)}")
    quantizer.load_state_dict(fitting, strict=False)
    quantizer.reservoir = None
    for index, codebook in enumerate(quantizer.codebooks()):
        codebook.init_rows(codebook.codebook.detach().clone(), generator_for(quantizer.seed, index))


def start_codebooks(
    config: TrainConfig,
    state: TrainState,
    dataset: CropDataset,
    sampler: RowSampler,
    accelerator: Accelerator,
    first: int = 0,
) -> None:
    """Start the codebooks of the stages from `first` on from the latents of the first batches."""
    run, quantizer = config.run, state.codec.quantizer
    if first == quantizer.n_q or not run.quantizer_init_batches or quantizer.reservoir is not None:
        return
    latents: list[Tensor] = []
    with torch.no_grad():
        for step in range(run.quantizer_init_batches):
            wav = torch.from_numpy(dataset.batch(step, sampler.rows).wav).to(accelerator.device)
            latents.append(accelerator.gather(state.codec.encoder(wav)))
        quantizer.init_from_data(torch.cat(latents), first=first)
    state.ema.restart_all()


def forget_replaced(state: TrainState, log: Mapping[str, float]) -> None:
    """Let the average begin anew where codewords did: there their moments are zero, or all codebooks are new."""
    if log.get("initialised"):
        state.ema.restart_all()
    if not log.get("replaced"):
        return
    names = {id(p): name for name, p in state.codec.named_parameters()}
    changed = {}
    for parameter in state.codec.quantizer.codebook_parameters():
        moments = state.optimizer.state.get(parameter, {}).get("exp_avg")
        if moments is not None:
            changed[names[id(parameter)]] = (moments == 0).all(dim=1)
    state.ema.restart(changed)


def _changes(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """`dotted.key: old -> new` of every setting that differs."""
    out: list[str] = []
    for key in [*old, *(k for k in new if k not in old)]:
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            out += _changes(a, b, f"{prefix}{key}.")
        elif a != b:
            out.append(f"{prefix}{key}: {a} -> {b}")
    return out
