"""Results of evaluations, shown: tables on a terminal, JSON, CSV or JUnit elsewhere or as asked."""

import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from focalcli.cli.console import colored, escape

if TYPE_CHECKING:
    from rich.table import Table

WORST_SHOWN = 10


def show(result: dict[str, Any], format: str | None, output: Path | None, *, failures: Mapping[str, str]) -> None:
    """Print the result of `evaluate`, or write it to a file."""
    from focalcli.evaluation.outputs import as_csv, as_junit

    if format in ("csv", "junit"):
        _put(as_csv(result) if format == "csv" else as_junit(result, failures=failures), output)
    else:
        print_result(result, evaluation_tables(result), format, output)


def print_result(result: dict[str, Any], tables: Iterable["Table"], format: str | None, output: Path | None) -> None:
    """Print a result, or write it to a file: as tables on a terminal, as JSON elsewhere, or as asked."""
    from focalcli.evaluation.outputs import as_json

    terminal = output is None and sys.stdout.isatty()
    if format == "table" or (format is None and terminal):
        _put(tables_text(tables, colors=output is None and colored(sys.stdout)), output)
    else:
        _put(as_json(result), output)


def _put(text: str, output: Path | None) -> None:
    from focalcli.files import write_text

    if output is None:
        print(text)
    else:
        write_text(output, text + "\n")


def tables_text(tables: Iterable["Table"], *, colors: bool) -> str:
    """Render tables as wide as the terminal, or as they need where there is none."""
    import io

    from rich.console import Console

    file = io.StringIO()
    console = Console(
        file=file, width=_width(), force_terminal=colors, no_color=not colors, highlight=False, markup=False
    )
    for number, table in enumerate(tables):
        if number:
            console.print()
        console.print(table)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def evaluation_tables(result: dict[str, Any]) -> Iterable["Table"]:
    """Give the table of classes, then one for each reason that the result holds."""
    yield _classes(result)
    if "errors" in result:
        kinds = [(kind, row["count"], row["AP50_cost"]) for kind, row in result["errors"].items()]
        yield table_of(("error", "count", "AP50 it costs"), kinds)
    if "confusion" in result:
        names = result["confusion"]["classes"]
        matrix = [(name, *row) for name, row in zip(names, result["confusion"]["matrix"], strict=True)]
        yield table_of(("is \\ taken for", *names), matrix)
    if "calibration" in result:
        bins = result["calibration"]["bins"]
        steps = [(f"{row['low']:.1f} to {row['high']:.1f}", row["number"], row["score"], row["right"]) for row in bins]
        yield table_of((f"score (ECE {three(result['calibration']['ECE'])})", "detections", "mean", "right"), steps)
    for name, parts in result.get("slices", {}).items():
        sizes = [(part["name"], part["images"], part["objects"], part["AP"]) for part in parts]
        yield table_of((name, "images", "objects", "AP"), sizes)
    if "worst" in result:
        photos = [(row["image"], row["F1"], _why(row)) for row in result["worst"][:WORST_SHOWN]]
        yield table_of(("worst photos", "F1", "why"), photos)


def table_of(head: Iterable[str], rows: Iterable[Iterable[object]]) -> "Table":
    """Lay out a table: text to the left, numbers to the right, fractions with three digits."""
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    body = [list(row) for row in rows]
    for index, name in enumerate(head):
        text = any(isinstance(row[index], str) for row in body) or not body
        table.add_column(escape(name), justify="left" if text else "right", overflow="fold", no_wrap=not text)
    for row in body:
        table.add_row(*(three(value) if isinstance(value, float) else escape(str(value)) for value in row))
    return table


def three(value: float) -> str:
    """Write a fraction as papers do: three digits after the point, no zero before it."""
    if value != value:
        return "-"
    return f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.3f}"


def _classes(result: dict[str, Any]) -> "Table":
    names = [name for name, value in result.items() if isinstance(value, float)]
    extra = [name for name in ("recall", "F1", "threshold") if all(name in row for row in result["classes"])]
    objects = sum(row["objects"] for row in result["classes"])
    rows: list[list[object]] = [["all", *(result[name] for name in names), *("" for _ in extra), objects]]
    if "intervals" in result:
        for side, label in enumerate(("from", "to")):
            ends = [result["intervals"][name][side] if name in result["intervals"] else "" for name in names]
            rows.append([f"  95 % {label}", *ends, *("" for _ in extra), ""])
    rows += [[row["name"], *(row[name] for name in [*names, *extra]), row["objects"]] for row in result["classes"]]
    table = table_of(("class", *names, *extra, "objects"), rows)
    for column in table.columns[1:]:
        column.justify, column.no_wrap = "right", True
    return table


def _why(row: dict[str, Any]) -> str:
    kinds = {key: value for key, value in row.items() if key not in ("image", "F1", "right")}
    return ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items(), key=lambda item: -item[1]))


def _width() -> int:
    """Give the width of the terminal; off a terminal, enough for any row."""
    return shutil.get_terminal_size((160, 24)).columns if sys.stdout.isatty() else 400
