"""Where models come from: shipped in this folder, in a folder of the user, or on the Hugging Face hub. No torch here.

A model is a folder of config.json and model.safetensors. Nothing in it can name code, and nothing is unpickled.
"""

from pathlib import Path

from ..errors import ConfigError

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
TABLES_FILE = "entropy.tables"  # statistics of its codes, where a model has them: smaller files
_HERE = Path(__file__).parent


def shipped() -> list[Path]:
    """Folders of the models inside the package, by name."""
    return sorted(path.parent for path in _HERE.glob(f"*/{CONFIG_FILE}"))


def locate(name: str | Path, revision: str | None = None) -> Path:
    """Find the folder of a model.

    Args:
        name: name of a shipped model ("speech-16k"), a folder, or a hub id "owner/name" (needs the network).
        revision: branch, tag or commit of a hub id.
    Returns:
        A folder that holds config.json and model.safetensors.
    Raises:
        ConfigError: there is no such model; the message lists the shipped ones.
    """
    by_name = {path.name: path for path in shipped()}
    if str(name) in by_name:
        return by_name[str(name)]
    folder = Path(name)
    if folder.is_dir():
        missing = [file for file in (CONFIG_FILE, WEIGHTS_FILE) if not (folder / file).is_file()]
        if missing:
            raise ConfigError(
                f"{folder}: not a model folder, {' and '.join(missing)} missing; a run's export writes them"
            )
        return folder
    if str(name).count("/") == 1 and not str(name).startswith((".", "/", "~")):
        return _from_hub(str(name), revision)
    raise ConfigError(
        f"no model {str(name)!r}: not shipped (shipped: {', '.join(by_name) or 'none'}), not a folder, "
        "not a hub id owner/name"
    )


def _from_hub(name: str, revision: str | None) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        paths = [hf_hub_download(name, file, revision=revision) for file in (CONFIG_FILE, WEIGHTS_FILE)]
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(f"no model {name!r}: not a folder here, and the hub did not give it ({reason})") from error
    return Path(paths[0]).parent
