"""The memory of a stream as bytes: written, sent to another process or machine, and put back."""

import json
from dataclasses import fields
from typing import Any, Self
from weakref import WeakKeyDictionary

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from .codec import Codec
from .errors import BitstreamError, ModelMismatchError
from .frozen import Frozen
from .nn.stream import map_state

_models: WeakKeyDictionary[Frozen, str] = WeakKeyDictionary()  # digests, which take longer than all the rest here


class StreamState:
    """Base of what a streaming encoder or decoder remembers: a frozen dataclass of tensors and numbers."""

    def to(self, device: str | torch.device) -> Self:
        """The same state on another device."""
        return self._mapped(lambda t: t.to(device))

    def to_bytes(self, codec: Codec) -> bytes:
        """The state as a safetensors file.

        Args:
            codec: whose stream it is; its identity goes in.
        """
        tensors: dict[str, Tensor] = {}
        values = {field.name: _outline(getattr(self, field.name), field.name, tensors) for field in fields(self)}  # type: ignore[arg-type]
        metadata = {"kind": type(self).__name__, "model": _model(codec), "values": json.dumps(values)}
        return safetensors.torch.save(tensors, metadata)

    @classmethod
    def from_bytes(cls, data: bytes, codec: Codec) -> Self:
        """The state again.

        Args:
            data: from `to_bytes`.
            codec: that it shall go on with, the one that it came from or a copy.
        Raises:
            BitstreamError: `data` is damaged, or the state of something else.
            ModelMismatchError: it comes from another model, or from another precision of this one.
        """
        try:
            tensors = safetensors.torch.load(data)
            header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
            kind, model, values = header["kind"], header["model"], json.loads(header["values"])
        except (safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
            raise BitstreamError(f"no stream state, or a damaged one: {error}") from error
        if kind != cls.__name__:
            raise BitstreamError(f"this is a {kind}; wanted {cls.__name__}")
        if model != _model(codec):
            raise ModelMismatchError(f"the state belongs to model {model}; this is {codec.name}, {_model(codec)}")
        try:
            state = cls(**{name: _filled(value, tensors) for name, value in values.items()})
        except (KeyError, TypeError) as error:
            raise BitstreamError(f"a damaged stream state: {error}") from error
        return state._mapped(lambda t: t.to(codec.frozen().device))

    def _mapped(self, function: Any) -> Self:
        values = (getattr(self, field.name) for field in fields(self))  # type: ignore[arg-type]
        return type(self)(*(value if isinstance(value, int) else map_state(function, value) for value in values))


def _outline(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """`value` for JSON, every tensor in it replaced by its name in `tensors`, where it is put."""
    if isinstance(value, Tensor):
        tensors[name] = value.detach().clone(memory_format=torch.contiguous_format)
        return name
    if isinstance(value, tuple):
        return [_outline(part, f"{name}.{index}", tensors) for index, part in enumerate(value)]
    return value


def _filled(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, str):
        return tensors[value]
    return tuple(_filled(part, tensors) for part in value) if isinstance(value, list) else value


def _model(codec: Codec) -> str:
    frozen = codec.frozen()
    if frozen not in _models:
        precision = str(frozen.precision).removeprefix("torch.")
        _models[frozen] = f"{codec.weights_sha256[:16]}-{codec.config_sha256[:16]}-{precision}"
    return _models[frozen]
