"""Figures without a display: made with matplotlib's Agg canvas, written beside their place and renamed into it."""

import warnings
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from focalcli.dataset.names import printable
from focalcli.errors import shortened
from focalcli.files import replacing

# Okabe and Ito's colours: told apart by everyone.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LONGEST_NAME = 24  # characters of a class in a legend


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


def named(name: str) -> str:
    r"""Give a class name as matplotlib shows it to the letter: `$` begins no formula, a leading `_` hides nothing.

    >>> named("_a$b$"), named("a\nb"), named("x" * 99)[-4:]
    (' _a\\$b\\$', 'a\\nb', 'xxx…')
    """
    text = shortened(printable(name), LONGEST_NAME).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def save(drawn: Figure, path: Path) -> None:
    """Write a figure as PNG, the same bytes for the same figure. Raises as `files.replacing`."""
    with replacing(path) as temporary, warnings.catch_warnings():
        # The one font that is always there lacks the letters of half the world; a box stands in for each.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        drawn.savefig(temporary, format="png", dpi=120, metadata={"Software": None})
