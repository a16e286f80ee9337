"""Records on disk: one JSON line for each file and system, appended as they come, so that a run can be taken up again.

Everything in a line repeats exactly from run to run, but for the CPU times at its end.
"""

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from .measure import Record

Key = tuple[str, str]
"""(file, system)"""


class Store:
    """The records of one output folder, in its results.jsonl."""

    def __init__(self, folder: str | Path):
        """Open `folder`, made if absent, with the records that lie there."""
        self.path = Path(folder) / "results.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.records: dict[Key, Record] = {(record.file, record.system): record for record in read(self.path)}

    def add(self, record: Record) -> None:
        """Keep a record, in place of an older one of the same file and system, and append it to the file."""
        self.records[record.file, record.system] = record
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(_line(record))

    def tidy(self) -> None:
        """Write the file anew, sorted and without lines that were replaced or cut off."""
        new = self.path.with_suffix(".new")
        new.write_text("".join(_line(self.records[key]) for key in sorted(self.records)), encoding="utf-8")
        new.replace(self.path)


def read(path: Path) -> list[Record]:
    """Read records, the last of each file and system; none where there is no file.

    A line that a crash cut off is left out, and fields of other versions of this package are.
    """
    names = {field.name for field in fields(Record)}
    records = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            row: dict[str, Any] = json.loads(line)
            record = Record(**{name: value for name, value in row.items() if name in names})
        except (json.JSONDecodeError, TypeError):
            continue
        records[record.file, record.system] = record
    return list(records.values())


def _line(record: Record) -> str:
    return json.dumps(asdict(record), ensure_ascii=False, allow_nan=False) + "\n"
