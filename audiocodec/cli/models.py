"""`audiocodec models`: which models the package brings along; reads their files, builds none of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import ConfigError
from ..pretrained import WEIGHTS_FILE, shipped
from . import console

CARD_FILE = "MODEL_CARD.md"


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """One model, as its files say."""

    name: str
    sample_rate: int  # Hz
    channels: int
    frame_rate: float  # Hz
    n_q: int
    codebook_size: int
    bitrate_min: float  # bit/s with one codebook, before the container
    bitrate_max: float  # bit/s with all of them
    licence: str
    weights_bytes: int  # size of the file
    weights_sha256: str  # the model's identity, as .anc files name it
    weights_sha256_on_card: str | None  # what it was when the card was written
    folder: Path


def models(
    json: Annotated[bool, typer.Option("--json", help="One JSON object a model.")] = False,
) -> None:
    """List the models that come with the package."""
    folders = shipped()
    if not folders and not json:
        print("No model comes with this installation. Train one with recipes/train.py and name it: --model FOLDER.")

    def show(folder: Path, report: console.Report) -> None:
        summary = read_model(folder)
        if json:
            console.print_json(summary)
        else:
            print(describe(summary))

    console.run_each(folders, show)


def read_model(folder: Path) -> ModelSummary:
    """Read what a model's folder says about it, without torch.

    Args:
        folder: holds config.json, model.safetensors and, for a shipped model, MODEL_CARD.md.
    Raises:
        ConfigError: config.json is not a codec's configuration.
        CodecError: a file is missing or damaged.
    """
    from ..inference.files import read_config, read_weights, weights_digest

    config = read_config(folder)
    card = read_card(folder / CARD_FILE)
    return ModelSummary(
        name=folder.name,
        sample_rate=config.sample_rate,
        channels=config.channels,
        frame_rate=float(config.frame_rate),
        n_q=config.quantizer.n_q,
        codebook_size=config.quantizer.alphabet_size,
        bitrate_min=config.bitrate(1),
        bitrate_max=config.bitrate(),
        licence=str(card.get("license", "not stated")),
        weights_sha256=weights_digest(read_weights(folder)),
        weights_sha256_on_card=card.get("weights_sha256"),
        weights_bytes=(folder / WEIGHTS_FILE).stat().st_size,
        folder=folder,
    )


def read_card(path: Path) -> dict[str, Any]:
    """Return the YAML head of a model card (between its first two lines of dashes); {} where there is none.

    `license` and `weights_sha256` are the keys that are read here.
    """
    import yaml

    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    opening, _, rest = text.partition("---\n")
    head, closing, _ = rest.partition("\n---")
    if opening.strip() or not closing:
        return {}
    try:
        values = yaml.safe_load(head)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: its head is not YAML: {error}") from error
    return values if isinstance(values, dict) else {}


def describe(model: ModelSummary) -> str:
    """Return the lines that `audiocodec models` prints for one model."""
    channels = "mono" if model.channels == 1 else f"{model.channels} channels"
    return (
        f"{model.name}\n"
        f"  audio      {model.sample_rate} Hz {channels}, {model.frame_rate:g} frames/s\n"
        f"  bitrates   {model.bitrate_min / 1000:g} to {model.bitrate_max / 1000:g} kbit/s, "
        f"1 to {model.n_q} codebooks of {model.codebook_size}\n"
        f"  licence    {model.licence}\n"
        f"  weights    {model.weights_bytes} bytes, SHA-256 {model.weights_sha256}\n"
        f"  folder     {model.folder}"
    )
