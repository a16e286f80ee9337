"""The index of a shard: one row an item, in Parquet, so that any data tool can read it."""

import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BitstreamError, ConfigError
from .header import canonical

if TYPE_CHECKING:
    import pyarrow

OK, ERROR = "ok", "error"


@dataclass(frozen=True, slots=True)
class Row:
    """One item of a store.

    Args:
        id: unique in the store.
        source: the recording, as its manifest names it.
        offset: sample of the source at which the item starts, at `sample_rate`.
        samples: samples of the item, at `sample_rate`; 0 where it failed.
        sample_rate: of the source, Hz; 0 where it could not be opened.
        channel: of the source, from 0; the first one where the codec codes several jointly; -1: all of them mixed.
        start: frame of the shard's codes at which the item's begin.
        frames: T; 0 where it failed.
        status: "ok" or "error".
        error: why there are no codes; "" where there are.
        note: what to know about a recording that was read all the same, such as that it is cut short.
        fields: what the manifest said besides, such as text and speaker.
    """

    id: str
    source: str
    offset: int
    samples: int
    sample_rate: int
    channel: int
    start: int
    frames: int
    status: str = OK
    error: str = ""
    note: str = ""
    fields: dict[str, Any] = field(default_factory=dict)


def write_index(rows: Sequence[Row]) -> bytes:
    """Return `rows` as a Parquet file; equal rows give equal bytes (with one version of pyarrow)."""
    pa, parquet = _pyarrow()
    columns = {name: [getattr(row, name) for row in rows] for name in _NAMES}
    columns["fields"] = [json.dumps(row.fields, ensure_ascii=False, sort_keys=True) for row in rows]
    out = io.BytesIO()
    parquet.write_table(pa.table(columns, schema=_schema()), out, compression="zstd")
    return out.getvalue()


class Index:
    """The rows of one shard, read from Parquet bytes; numbers are at hand as arrays, texts are fetched one by one.

    Raises:
        BitstreamError: `data` is no index.
    """

    def __init__(self, data: bytes, name: str):
        pa, parquet = _pyarrow()
        try:
            self.table: pyarrow.Table = parquet.read_table(io.BytesIO(data)).select(_NAMES).cast(_schema())
        except (pa.ArrowException, KeyError, ValueError, OSError) as error:
            reason = " ".join(str(error).split())
            raise BitstreamError(f"{name}: is no index of a token store: {reason}") from None

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def numbers(self, column: str) -> np.ndarray:
        """A column of whole numbers [rows]."""
        values: np.ndarray = self.table.column(column).to_numpy()
        return values

    def is_ok(self) -> np.ndarray:
        """[rows] bool: which items have codes."""
        return np.array([status == OK for status in self.table.column("status").to_pylist()], dtype=bool)

    def row(self, number: int) -> Row:
        """One row."""
        values = {name: self.table.column(name)[number].as_py() for name in _NAMES}
        return Row(**{**values, "fields": json.loads(values["fields"])})

    def rows(self) -> Iterable[Row]:
        """All rows."""
        for values in self.table.to_pylist():
            yield Row(**{**values, "fields": json.loads(values["fields"])})


def rows_sha256(rows: Iterable[Row]) -> str:
    """SHA-256 (hex) of rows as canonical JSON, one a line: what an index says, however Parquet stores it."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(canonical(asdict(row)) + b"\n")
    return digest.hexdigest()


_NAMES = [f.name for f in fields(Row)]
_TEXTS = ("id", "source", "status", "error", "note", "fields")


def _schema() -> "pyarrow.Schema":
    pa, _ = _pyarrow()
    small = {"sample_rate": pa.int32(), "channel": pa.int16()}
    return pa.schema(
        [pa.field(n, pa.string() if n in _TEXTS else small.get(n, pa.int64()), nullable=False) for n in _NAMES]
    )


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigError("token stores need pyarrow: pip install 'audiocodec[tokens]'") from error
    return pyarrow, pyarrow.parquet
