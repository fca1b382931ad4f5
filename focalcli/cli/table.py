"""A plain table in text: for the few rows that need neither Rich nor its start-up time."""

from collections.abc import Sequence


def aligned(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Set rows under a header; numbers to the right, text to the left, None as a dash.

    >>> print(aligned(["run", "AP"], [["a", 0.5], ["long", None]]))
    run     AP
    a     .500
    long     -
    """
    cells = [[_cell(value) for value in row] for row in rows]
    right = [all(not isinstance(row[i], str) for row in rows) and bool(rows) for i in range(len(header))]
    widths = [max(len(line[i]) for line in [list(header), *cells]) for i in range(len(header))]
    return "\n".join(_line(line, widths, right) for line in [list(header), *cells])


def _line(cells: list[str], widths: list[int], right: list[bool]) -> str:
    parts = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(cells, widths, right, strict=True)]
    return "  ".join(parts).rstrip()


def _cell(value: object) -> str:
    """Write a fraction as papers do, three digits after the point."""
    if value is None:
        return "-"
    return f"{value:.3f}".replace("0.", ".", 1) if isinstance(value, float) else str(value)
