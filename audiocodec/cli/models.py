"""`audiocodec models`: which models the package brings along; reads their files, loads none of them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ..errors import CodecError, ConfigError
from . import console

SHIPPED = Path(__file__).parent.parent / "pretrained"


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """One shipped model, as its files say."""

    name: str
    sample_rate: int  # Hz
    channels: int
    frame_rate: float  # Hz
    n_q: int
    codebook_size: int
    bitrate_min: float  # bit/s with one codebook, before the container
    bitrate_max: float  # bit/s with all of them
    weights_bytes: int
    weights_sha256: str  # of the file model.safetensors
    licence: str
    folder: Path


def models(
    json: Annotated[bool, typer.Option("--json", help="One JSON object a model.")] = False,
) -> None:
    """List the models that come with the package."""
    folders = model_folders()
    if not folders and not json:
        print(f"No model comes with this installation ({SHIPPED} holds none).")
        print("Train one with recipes/train.py and name its folder: --model FOLDER.")
    for folder in folders:
        summary = read_model(folder)
        if json:
            console.print_json(summary)
        else:
            print(describe(summary))


def model_folders(root: Path = SHIPPED) -> list[Path]:
    """Return the folders under `root` that hold a model (a config.json), by name."""
    return sorted(path.parent for path in root.glob("*/config.json"))


def read_model(folder: Path) -> ModelSummary:
    """Read what a model's folder says about it, without building it.

    Args:
        folder: holds config.json, model.safetensors and, for a shipped model, MODEL_CARD.md.
    Raises:
        ConfigError: config.json is not a codec's configuration.
        CodecError: a file is missing or cannot be read.
    """
    from ..config.codec import CodecConfig

    try:
        config = CodecConfig.model_validate_json((folder / "config.json").read_bytes())
        weights = (folder / "model.safetensors").read_bytes()
    except ValueError as error:  # pydantic's report runs over many lines; the first names the model, the rest the keys
        raise ConfigError(f"{folder / 'config.json'}: {error}") from error
    except OSError as error:
        raise CodecError(f"{folder}: incomplete model: {console.describe_error(error)}") from error
    return ModelSummary(
        name=folder.name,
        sample_rate=config.sample_rate,
        channels=config.channels,
        frame_rate=float(config.frame_rate),
        n_q=config.quantizer.n_q,
        codebook_size=config.quantizer.codebook_size,
        bitrate_min=config.bitrate(1),
        bitrate_max=config.bitrate(),
        weights_bytes=len(weights),
        weights_sha256=hashlib.sha256(weights).hexdigest(),
        licence=licence_line(folder / "MODEL_CARD.md"),
        folder=folder,
    )


def licence_line(card: Path) -> str:
    """Return the first line of a model card that speaks of a licence, without its markup; "not stated" if none does."""
    lines = card.read_text(encoding="utf-8").splitlines() if card.is_file() else []
    for line in lines:
        words = line.strip(" #*-|_")
        if words.lower().startswith(("license:", "licence:")):
            return words.split(":", 1)[1].strip(" *")
    return "not stated"


def describe(model: ModelSummary) -> str:
    """Return the lines that `audiocodec models` prints for one model."""
    channels = "mono" if model.channels == 1 else f"{model.channels} channels"
    return (
        f"{model.name}\n"
        f"  audio      {model.sample_rate} Hz {channels}, {model.frame_rate:g} frames/s\n"
        f"  bitrates   {model.bitrate_min / 1000:g} to {model.bitrate_max / 1000:g} kbit/s, "
        f"1 to {model.n_q} codebooks of {model.codebook_size}\n"
        f"  weights    {model.weights_bytes} bytes, SHA-256 {model.weights_sha256}\n"
        f"  licence    {model.licence}\n"
        f"  folder     {model.folder}"
    )
