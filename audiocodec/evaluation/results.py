"""Records on disk: one JSON line for each file and system, appended as they come, so that a run can be taken up again.

`results.jsonl` holds what repeats exactly from run to run; CPU times, which do not, lie beside it in `times.jsonl`.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from .measure import Record

TIMES = ("encode_s", "decode_s")
Key = tuple[str, str]
"""(file, system)."""


class Store:
    """The records of one output folder."""

    def __init__(self, folder: str | Path):
        """Open `folder`, made if absent, with the records that lie there."""
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._records = {(record.file, record.system): record for record in read(self.results, self.times)}

    @property
    def results(self) -> Path:
        return self._folder / "results.jsonl"

    @property
    def times(self) -> Path:
        return self._folder / "times.jsonl"

    def get(self, file: str, system: str) -> Record | None:
        return self._records.get((file, system))

    def add(self, record: Record) -> None:
        """Keep a record, in place of an older one of the same file and system, and append it to the files."""
        self._records[record.file, record.system] = record
        for path, line in zip((self.results, self.times), _lines(record), strict=True):
            with open(path, "a", encoding="utf-8") as file:
                file.write(line)

    def tidy(self) -> None:
        """Write both files anew, sorted and without lines that were replaced or cut off."""
        lines = [_lines(self._records[key]) for key in sorted(self._records)]
        for path, index in ((self.results, 0), (self.times, 1)):
            new = path.with_suffix(".new")
            new.write_text("".join(pair[index] for pair in lines), encoding="utf-8")
            new.replace(path)


def read(results: Path, times: Path | None = None) -> list[Record]:
    """Read records; where `times` lacks one, its CPU times are 0. A last line that was cut off is left out."""
    seconds = {_key(row): row for row in _rows(times)} if times else {}
    names = {field.name for field in fields(Record)}
    records = {}
    for row in _rows(results):
        record = Record(**{name: value for name, value in row.items() if name in names})
        clock = seconds.get(_key(row), {})
        records[_key(row)] = replace(record, **{name: clock[name] for name in TIMES if name in clock})
    return list(records.values())


def write(path: Path, records: Iterable[Record]) -> None:
    """Write records whole, times included, one JSON line each, sorted by system and file."""
    ordered = sorted(records, key=lambda record: (record.system, record.file))
    path.write_text("".join(_line(asdict(record)) for record in ordered), encoding="utf-8")


def _lines(record: Record) -> tuple[str, str]:
    """A record's line of results and its line of times."""
    row = asdict(record)
    times = {name: row.pop(name) for name in TIMES}
    return _line(row), _line({"file": record.file, "system": record.system, **times})


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


def _key(row: dict[str, Any]) -> Key:
    return row["file"], row["system"]


def _rows(path: Path) -> list[dict[str, Any]]:
    """JSON lines of a file that may not exist, and whose last line may be cut off by a crash."""
    rows: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return rows
