"""CSV files through `Source`: records with the line each begins on, and the text of records."""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from focalcli.dataset.peek import Peek
from focalcli.dataset.sink import Sink
from focalcli.dataset.source import Source
from focalcli.errors import DataError

DELIMITERS = ",;\t"


def records(source: Source, path: Path, delimiter: str | None = None) -> Iterator[tuple[int, list[str]]]:
    """Give the records of a CSV file that are not empty, each with its first line.

    The delimiter is the commonest of comma, semicolon and tab in the first line.

    Raises:
        DataError: a quote is never closed or a field is too long; else as `Source.bytes`.
    """
    text = source.text(path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter or _delimiter(text), strict=True)
    line = 1
    try:
        for record in reader:
            if record and any(record):
                yield line, record
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{source.name(path)}: line {line}", f"is not CSV ({error})", "repair it") from error


def text(rows: Iterable[Iterable[object]]) -> str:
    """Give records as CSV with commas, quoted where they must be."""
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def tell_formulas(sink: Sink, words: Iterable[str]) -> None:
    """Note names that a spreadsheet would compute; they stay as they are, for another name is another class."""
    formulas = sum(word.startswith(("=", "+", "-", "@")) for word in words)
    sink.loss("medium", "names begin like a formula, so do not open the CSV in a spreadsheet", formulas)


def first_records(peek: Peek, name: str, count: int = 20) -> list[list[str]]:
    """Give the first records of a CSV file as far as a peek shows them whole; none where it is no CSV."""
    lines = peek.text(name).splitlines(keepends=True)
    head = "".join(lines[: count if len(lines) > count else max(len(lines) - (len(peek.head(name)) > 200_000), 1)])
    try:
        return [row for row in csv.reader(io.StringIO(head, newline=""), delimiter=_delimiter(head)) if any(row)]
    except csv.Error:
        return []


def header(record: list[str]) -> list[str]:
    """Give the names of columns without case and blanks.

    >>> header([" XMin", "Class "])
    ['xmin', 'class']
    """
    return [name.strip().lower() for name in record]


def decimal(value: float, digits: int) -> str:
    """Give a number with at most so many decimals.

    >>> decimal(12.0, 3), decimal(0.12345, 3), decimal(-0.0001, 3)
    ('12', '0.123', '0')
    """
    shown = f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}"
    return "0" if shown in ("-0", "") else shown


def _delimiter(text: str) -> str:
    first = text.split("\n", 1)[0]
    return max(DELIMITERS, key=first.count)
