"""A model's folder read without torch: its configuration, its weights as arrays, and their identity."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import safetensors
from numpy.typing import NDArray
from safetensors.numpy import load_file

from ..config.codec import CodecConfig
from ..config.facts import CodecFacts
from ..config.loader import validate
from ..errors import ConfigError, ModelMismatchError
from ..pretrained import CONFIG_FILE, WEIGHTS_FILE, locate


def read_config(folder: Path) -> CodecConfig:
    """Read a model's config.json.

    Raises:
        ConfigError: it cannot be read, or is no codec's configuration.
    """
    path = folder / CONFIG_FILE
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not readable as JSON: {error}") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: holds a JSON {type(tree).__name__}; a codec's configuration is an object")
    return validate(CodecConfig, tree, str(path))


def read_weights(folder: Path) -> dict[str, NDArray[Any]]:
    """Read a model's floating-point weights as they are stored (float16 or float32, mostly).

    Raises:
        ModelMismatchError: the file is missing, damaged, or holds numbers that NumPy does not know (bfloat16).
    """
    path = folder / WEIGHTS_FILE
    try:
        tensors = load_file(path)
    except (OSError, KeyError, TypeError, safetensors.SafetensorError) as error:
        raise ModelMismatchError(f"{path}: not readable as safetensors: {error}") from error
    if strange := [name for name, tensor in tensors.items() if tensor.dtype.kind not in "fiub"]:
        raise ModelMismatchError(f"{path}: {strange[0]} is {tensors[strange[0]].dtype}, which NumPy does not know")
    return {name: tensor for name, tensor in tensors.items() if tensor.dtype.kind == "f"}


def weights_digest(weights: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 (hex) over name, shape and float32 values of all weights by name: the same however they are stored."""
    digest = hashlib.sha256()
    for name, value in sorted(weights.items()):
        digest.update(f"{name}{list(value.shape)}".encode())
        digest.update(value.astype("<f4").tobytes())
    return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class ModelFiles(CodecFacts):
    """What a model's folder holds.

    Args:
        name: of the model.
        folder: where it lies.
        config: its configuration.
        weights: by name, as stored.
    """

    name: str
    folder: Path
    config: CodecConfig
    weights: Mapping[str, NDArray[Any]]

    @classmethod
    def read(cls, name: str | Path, revision: str | None = None) -> "ModelFiles":
        """Find and read a model; arguments and errors as `Codec.from_pretrained`."""
        folder = locate(name, revision)
        return cls(Path(name).resolve().name, folder, read_config(folder), read_weights(folder))

    @cached_property
    def weights_sha256(self) -> str:
        """What `Codec.weights_sha256` is."""
        return weights_digest(self.weights)
