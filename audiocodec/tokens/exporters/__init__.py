"""Token stores in the formats that other people's training code reads; one call, `export`."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...errors import ConfigError
from ..store import TokenStore
from . import huggingface, kaldi, lhotse, megatron, webdataset
from .job import Job, Summary, output_folder

FORMATS: dict[str, Callable[..., None]] = {
    "webdataset": webdataset.write,
    "huggingface": huggingface.write,
    "lhotse": lhotse.write,
    "kaldi": kaldi.write,
    "megatron": megatron.write,
}


def export(
    store: TokenStore,
    out: str | Path,
    *,
    format: str,
    n_q: int | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Summary:
    """Write every item of a store in another format; memory does not grow with the store.

    The folder appears when it is whole. Beside the format's own files it holds `export.json`: the store's header and
    hash, the options, and, where ids are not raw codes, the vocabulary.

    Args:
        store: opened.
        out: folder to make.
        format: one of `FORMATS`.
        n_q: how many codebooks, the first ones; default all.
        overwrite: whether an earlier export in `out` may be replaced; nothing else ever is.
        progress: called with (items done, items in all).
        options: of the format, see `options_of` and the `write` of each module.
    Returns:
        What was written.
    Raises:
        ConfigError: no such format, option or number of codebooks, or `out` is there already.
    """
    if format not in FORMATS:
        raise ConfigError(f"format {format!r} is not known; known are {', '.join(FORMATS)}")
    allowed = options_of(format)
    if unknown := sorted(set(options) - set(allowed)):
        raise ConfigError(f"format {format} has no option {unknown[0]!r}; it has {', '.join(allowed) or 'none'}")
    out = Path(out)
    with output_folder(out, overwrite) as folder:
        job = Job(store, folder, out, n_q, progress or (lambda done, total: None))
        FORMATS[format](job, **options)
        job.describe(format, options)
        return job.summary()


def options_of(format: str) -> dict[str, Any]:
    """Names and defaults of a format's own options."""
    parameters = list(inspect.signature(FORMATS[format]).parameters.values())[1:]
    return {parameter.name: parameter.default for parameter in parameters}
