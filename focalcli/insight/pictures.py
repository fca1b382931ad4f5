"""Figures without a display: made with matplotlib's Agg canvas, written beside their place and renamed into it."""

from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from focalcli.files import replacing

# Okabe and Ito's colours: told apart by everyone.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def figure(columns: int, *, width: float = 5.2, height: float = 4.0) -> tuple[Figure, list[Any]]:
    """Give a figure with `columns` plots side by side, each `width` x `height` inches."""
    drawn = Figure(figsize=(width * columns, height), layout="constrained")
    FigureCanvasAgg(drawn)
    axes = drawn.subplots(1, columns, squeeze=False)[0]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25, linewidth=0.6)
        axis.set_axisbelow(True)
    return drawn, list(axes)


def save(drawn: Figure, path: Path) -> None:
    """Write a figure as PNG, the same bytes for the same figure. Raises as `files.replacing`."""
    with replacing(path) as temporary:
        drawn.savefig(temporary, format="png", dpi=120, metadata={"Software": None})
