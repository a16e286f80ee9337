"""The memory of a stream as bytes: written, sent to another process or machine, and put back."""

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Self, TypeAlias, Union

import numpy as np
import safetensors.numpy

from .errors import BitstreamError, ModelMismatchError
from .inference import InferenceCodec
from .inference.states import map_state

if TYPE_CHECKING:
    from .codec import Codec

AnyCodec: TypeAlias = Union["Codec", InferenceCodec]


class StreamState:
    """Base of what a streaming encoder or decoder remembers: a frozen dataclass of arrays and numbers."""

    def to(self, device: Any) -> Self:
        """The same state of tensors on another device."""
        return self._mapped(lambda t: t.to(device))

    def to_bytes(self, codec: AnyCodec) -> bytes:
        """The state as a safetensors file.

        Args:
            codec: whose stream it is; its identity goes in.
        """
        tensors: dict[str, np.ndarray] = {}
        values = {field.name: _outline(getattr(self, field.name), field.name, tensors, codec) for field in fields(self)}  # type: ignore[arg-type]
        metadata = {"kind": type(self).__name__, "model": codec.stream_id, "values": json.dumps(values)}
        return safetensors.numpy.save(tensors, metadata)

    @classmethod
    def from_bytes(cls, data: bytes, codec: AnyCodec) -> Self:
        """The state again.

        Args:
            data: from `to_bytes`.
            codec: that it shall go on with, the one that it came from or a copy.
        Raises:
            BitstreamError: `data` is damaged, or the state of something else.
            ModelMismatchError: it comes from another model, or from another precision of this one.
        """
        try:
            tensors = safetensors.numpy.load(data)
            header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
            kind, model, values = header["kind"], header["model"], json.loads(header["values"])
        except (safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
            raise BitstreamError(f"no stream state, or a damaged one: {error}") from error
        if kind != cls.__name__:
            raise BitstreamError(f"this is a {kind}; wanted {cls.__name__}")
        if model != codec.stream_id:
            raise ModelMismatchError(f"the state belongs to model {model}; this is {codec.name}, {codec.stream_id}")
        try:
            return cls(**{name: _filled(value, tensors, codec) for name, value in values.items()})
        except (KeyError, TypeError) as error:
            raise BitstreamError(f"a damaged stream state: {error}") from error

    def _mapped(self, function: Any) -> Self:
        values = (getattr(self, field.name) for field in fields(self))  # type: ignore[arg-type]
        return type(self)(*(value if isinstance(value, int) else map_state(function, value) for value in values))


def _outline(value: Any, name: str, tensors: dict[str, np.ndarray], codec: AnyCodec) -> Any:
    """`value` for JSON, every array in it replaced by its name in `tensors`, where it is put."""
    if isinstance(value, tuple):
        return [_outline(part, f"{name}.{index}", tensors, codec) for index, part in enumerate(value)]
    if isinstance(value, int):
        return value
    tensors[name] = np.ascontiguousarray(codec.to_numpy(value))
    return name


def _filled(value: Any, tensors: dict[str, np.ndarray], codec: AnyCodec) -> Any:
    if isinstance(value, str):
        return codec.from_numpy(tensors[value])
    return tuple(_filled(part, tensors, codec) for part in value) if isinstance(value, list) else value
