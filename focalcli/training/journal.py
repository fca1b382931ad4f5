"""What happened, as it happens: metrics.jsonl and metrics.csv on rank 0, and whoever listens."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from focalcli.files import write_error, write_text

Record = dict[str, Any]
Listener = Callable[[Record], None]


class Journal:
    """Appends records to metrics.jsonl, a whole line at a time, and passes them on."""

    def __init__(self, path: Path, listeners: tuple[Listener, ...], *, writes: bool, from_step: int = 0) -> None:
        """Go on after step `from_step`: later records of a run that broke off are dropped."""
        self._path, self._listeners, self._writes = path, listeners, writes
        self._kept = [record for record in read_records(path) if record["step"] <= from_step]
        if writes:
            write_text(path, "".join(_line(record) for record in self._kept))
            self.write_table()

    def write(self, record: Record) -> None:
        """Add one record; it has a `kind` and a `step`."""
        if not self._writes:
            return
        self._kept += [record] if record["kind"] == "evaluation" else []
        try:
            with open(self._path, "a", encoding="utf-8") as file:
                file.write(_line(record))
        except OSError as error:
            raise write_error(self._path, error) from error
        for listener in self._listeners:
            listener(record)

    def write_table(self) -> None:
        """Write the evaluations so far as metrics.csv."""
        rows = [record for record in self._kept if record["kind"] == "evaluation"]
        if not (self._writes and rows):
            return
        text = io.StringIO()
        writer = csv.DictWriter(text, [name for name in rows[0] if name != "kind"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
        write_text(self._path.with_suffix(".csv"), text.getvalue())


def read_records(path: Path) -> list[Record]:
    """Read metrics.jsonl; a last line that was cut off is left out."""
    if not path.exists():
        return []
    records = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            records.append(json.loads(line))
    return records


def _line(record: Record) -> str:
    return json.dumps({name: _finite(value) for name, value in record.items()}, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    """Round a float to six digits; JSON has no NaN."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if value == value and abs(value) != float("inf") else None
    return value
