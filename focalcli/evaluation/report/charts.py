"""Line and bar charts as inline SVG, readable in colour, in grey and in the dark."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup, escape

from focalcli.evaluation.columns import Floats
from focalcli.evaluation.reliability import Reliability

WIDTH, HEIGHT = 360, 300
LEFT, BOTTOM, TOP, RIGHT = 44, 40, 10, 10
POINTS = 160

# Okabe and Ito 2008: told apart by people with any colour vision. `currentColor` follows light and dark.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
DASHES = ("", "7 3", "2 3")


@dataclass(frozen=True, slots=True)
class Line:
    """A curve: its name and its points (k,), x and y in [0, 1]."""

    name: str
    x: Floats
    y: Floats


class Style(NamedTuple):
    """Colour and dashes of the line at a position."""

    color: str
    dash: str


def style(index: int) -> Style:
    """Give the look of a line: six colours, then again dashed, then dotted."""
    return Style(COLORS[index % len(COLORS)], DASHES[index // len(COLORS) % len(DASHES)])


def line_chart(lines: Sequence[Line], *, x: str, y: str) -> Markup:
    """Draw curves over the unit square with a legend below; the first line is drawn last, on top and thicker."""
    paths = [_path(line, index) for index, line in reversed(list(enumerate(lines)))]
    return _figure(x, y, Markup("").join(paths), _legend([line.name for line in lines]))


def reliability_chart(reliability: Reliability) -> Markup:
    """Draw the share of right detections of each bin of scores, against the diagonal of honest scores."""
    bar = Markup(
        '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="{}" opacity=".75"><title>{}</title></rect>'
    )
    words = "{} detections scored {:.2f} on average, {:.0%} of them right"
    bars = [
        bar.format(
            _x(row.low) + 1,
            _y(row.right),
            _x(row.high) - _x(row.low) - 2,
            _y(0) - _y(row.right),
            COLORS[0],
            words.format(row.number, row.score, row.right),
        )
        for row in reliability.bins
    ]
    diagonal = Markup('<path d="M{:.1f} {:.1f}L{:.1f} {:.1f}" stroke="currentColor" stroke-dasharray="4 4"/>').format(
        _x(0), _y(0), _x(1), _y(1)
    )
    return _figure("score", "share that is right", Markup("").join(bars) + diagonal, Markup(""))


def _path(line: Line, index: int) -> Markup:
    keep = _thin(len(line.x))
    points = "L".join(f"{_x(float(line.x[i])):.1f} {_y(float(line.y[i])):.1f}" for i in keep)
    color, dash = style(index)
    pattern = Markup(
        '<path d="M{}" fill="none" stroke="{}" stroke-width="{}" stroke-dasharray="{}"><title>{}</title></path>'
    )
    return pattern.format(points, color, 2.6 if index == 0 else 1.4, dash, line.name) if keep else Markup("")


def _thin(n: int) -> list[int]:
    """Give the positions of at most `POINTS` of n points, both ends among them."""
    if n <= POINTS:
        return list(range(n))
    return sorted({round(i * (n - 1) / (POINTS - 1)) for i in range(POINTS)})


def _figure(x: str, y: str, inside: Markup, legend: Markup) -> Markup:
    ticks = [0, 0.2, 0.4, 0.6, 0.8, 1]
    grid = Markup("").join(
        Markup(
            '<path d="M{0:.1f} {2:.1f}V{3:.1f}M{4:.1f} {1:.1f}H{5:.1f}" stroke="currentColor" opacity=".15"/>'
            '<text x="{0:.1f}" y="{6:.1f}" text-anchor="middle">{7:g}</text>'
            '<text x="{8:.1f}" y="{9:.1f}" text-anchor="end">{7:g}</text>'
        ).format(_x(t), _y(t), _y(0), _y(1), _x(0), _x(1), _y(0) + 15, t, _x(0) - 6, _y(t) + 4)
        for t in ticks
    )
    names = Markup(
        '<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>'
        '<text transform="translate(12 {:.1f}) rotate(-90)" text-anchor="middle">{}</text>'
    ).format((_x(0) + _x(1)) / 2, HEIGHT - 6, x, (_y(0) + _y(1)) / 2, y)
    label = escape(f"{y} over {x}")
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}</svg>{}').format(
        WIDTH, HEIGHT, label, grid, names, inside, legend
    )


def _legend(names: Sequence[str]) -> Markup:
    item = Markup(
        '<li><svg viewBox="0 0 24 8" aria-hidden="true">'
        '<path d="M0 4H24" stroke="{}" stroke-width="{}" stroke-dasharray="{}"/></svg>{}</li>'
    )
    items = [
        item.format(style(index).color, 3 if index == 0 else 2, style(index).dash, name)
        for index, name in enumerate(names)
    ]
    return Markup('<ul class="legend">{}</ul>').format(Markup("").join(items))


def _x(value: float) -> float:
    return LEFT + value * (WIDTH - LEFT - RIGHT)


def _y(value: float) -> float:
    return HEIGHT - BOTTOM - value * (HEIGHT - BOTTOM - TOP)
