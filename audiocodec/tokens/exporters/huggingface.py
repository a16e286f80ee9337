"""Hugging Face datasets: a folder of Parquet files that `datasets.load_dataset` and the hub read as they are.

    dataset = datasets.load_dataset("OUT", split="train").with_format("numpy")
    dataset[0]["codes"]     # [n_q, T]

Columns: id, codes (a list of codebooks, each a list of uint16), frames, source, offset, samples, sample_rate, channel,
note, and one for each of the store's own fields (text, speaker, ...).
"""

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import ConfigError
from ..item import TokenItem
from ..store import TokenStore
from .job import Job, check_shard_items, item_facts

_ROWS = 256  # of a row group: what is in memory at once, and what a reader of one row reads


def write(job: Job, shard_items: int = 50_000) -> None:
    """Write data/train-00000-of-00003.parquet, ... and README.md, the card of the dataset.

    Args:
        job: what to export.
        shard_items: rows of one file.
    """
    pa, parquet = _pyarrow()
    check_shard_items(shard_items)
    names = field_columns(job.store)
    schema = _schema(pa, names)
    count = max(-(-len(job.store) // shard_items), 1)
    (job.folder / "data").mkdir()
    writer, rows = None, []
    try:
        for number, item in job.items():
            if number % shard_items == 0:
                if writer:
                    _flush(pa, writer, schema, rows)
                    writer.close()
                writer = parquet.ParquetWriter(_path(job, number // shard_items, count), schema, compression="zstd")
            rows.append(_row(job, item, names))
            if len(rows) == _ROWS:
                _flush(pa, writer, schema, rows)
        writer = writer or parquet.ParquetWriter(_path(job, 0, 1), schema)  # a dataset of no rows has columns too
        _flush(pa, writer, schema, rows)
    finally:
        if writer:
            writer.close()
    (job.folder / "README.md").write_text(_card(job), encoding="utf-8")


def field_columns(store: TokenStore) -> dict[str, tuple[str, type]]:
    """Columns of the store's own fields: column name to field name and type.

    A field whose values are all texts, whole numbers, numbers or truth values keeps its type; any other becomes JSON
    text. A field named like a column of ours gets the name field_NAME.
    """
    kinds: dict[str, type] = {}
    for item in store:
        for name, value in item.fields.items():
            kind = type(value) if type(value) in (str, int, float, bool) else dict
            if value is not None:
                kinds[name] = _wider(kinds.get(name, kind), kind)
            else:
                kinds.setdefault(name, type(None))
    taken = {"id", "codes", "frames", "source", "offset", "samples", "sample_rate", "channel", "note"}
    return {
        (f"field_{name}" if name in taken else name): (name, str if kind is type(None) else kind)
        for name, kind in sorted(kinds.items())
    }


def _wider(a: type, b: type) -> type:
    if a is b or b is type(None):
        return a
    if a is type(None):
        return b
    return float if {a, b} == {int, float} else dict


def _schema(pa: Any, names: dict[str, tuple[str, type]]) -> Any:
    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_(), dict: pa.string()}
    columns = [
        pa.field("id", pa.string()),
        pa.field("codes", pa.list_(pa.list_(pa.uint16()))),
        pa.field("frames", pa.int64()),
        pa.field("source", pa.string()),
        pa.field("offset", pa.int64()),
        pa.field("samples", pa.int64()),
        pa.field("sample_rate", pa.int32()),
        pa.field("channel", pa.int16()),
        pa.field("note", pa.string()),
    ]
    return pa.schema(columns + [pa.field(column, types[kind]) for column, (_, kind) in names.items()])


def _row(job: Job, item: TokenItem, names: dict[str, tuple[str, type]]) -> dict[str, Any]:
    facts = item_facts(item)
    fields = facts.pop("fields")
    convert: dict[type, Callable[[Any], Any]] = {dict: lambda value: json.dumps(value, ensure_ascii=False)}
    for column, (name, kind) in names.items():
        value = fields.get(name)
        facts[column] = None if value is None else convert.get(kind, kind)(value)
    return facts | {"codes": job.codes(item)}


def _flush(pa: Any, writer: Any, schema: Any, rows: list[dict[str, Any]]) -> None:
    """Write the rows that wait as one row group, and forget them."""
    if not rows:
        return
    columns = [
        _codes_column(pa, [row["codes"] for row in rows])
        if column.name == "codes"
        else pa.array([row[column.name] for row in rows], column.type)
        for column in schema
    ]
    writer.write_table(pa.table(columns, schema=schema))
    rows.clear()


def _codes_column(pa: Any, codes: list[np.ndarray]) -> Any:
    """[n_q, T] each as one Arrow array of lists of lists, without a Python object a code."""
    lengths = [array.shape[1] for array in codes for _ in range(array.shape[0])]
    inner = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    outer = np.arange(len(codes) + 1, dtype=np.int32) * codes[0].shape[0]
    values = pa.array(np.concatenate([np.ascontiguousarray(array).ravel() for array in codes]))
    return pa.ListArray.from_arrays(outer, pa.ListArray.from_arrays(inner, values))


def _path(job: Job, number: int, count: int) -> str:
    return str(job.folder / "data" / f"train-{number:05d}-of-{count:05d}.parquet")


def _card(job: Job) -> str:
    header = job.store.header
    sizes = " or ".join(str(size) for size in sorted(set(job.sizes)))
    return f"""---
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*.parquet
---
Codes of the neural audio codec `{header.codec_name}` (weights {header.weights_sha256[:16]}): {len(job.store)} items,
{job.store.hours:.2f} hours, {len(job.sizes)} codebooks of {sizes} codes,
{header.frame_rate} frames a second ({header.sample_rate} Hz, {header.hop_length} samples a frame).

`codes` is a list of codebooks, coarsest first; any number of the first ones decodes with
`audiocodec.Codec.from_pretrained(...).decode(codes)`. `samples` and `sample_rate` are those of the recording.
"""


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigError("Parquet needs pyarrow: pip install 'audiocodec[tokens]'") from error
    return pyarrow, pyarrow.parquet
