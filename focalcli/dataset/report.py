"""What a data set holds as one HTML file for people: counts as tables, classes and sizes as bars. No network."""

from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from focalcli.dataset.statistics import relative_sides
from focalcli.dataset.types import Dataset, Floats
from focalcli.files import write_text

BINS, MOST_CLASSES = 24, 40
WIDTH, ROW = 420, 18

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{ found.data | visible }}</title>
<style>
:root { color-scheme: light dark; } body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto;
padding: 0 1rem; } table { border-collapse: collapse; } th, td { padding: .2rem .8rem .2rem 0; text-align: right; }
th:first-child, td:first-child { text-align: left; } svg { max-width: 100%; font-size: 12px; }
svg text { fill: currentColor; } .charts { display: flex; flex-wrap: wrap; gap: 2rem; }
</style>
</head>
<body>
<h1>{{ found.data | visible }}</h1>
<table><tr><th>split</th>{% for name in counts %}<th>{{ name | replace("_", " ") }}</th>{% endfor %}</tr>
{% for name, part in parts %}
<tr><td>{{ name | visible }}</td>{% for key in counts %}<td>{{ part[key] if key in part else part.box_area[key] }}</td>
{% endfor %}</tr>
{% endfor %}
</table>
<p>Small, medium and large are COCO's: an annotated area under 32 x 32 pixels of the photo, under 96 x 96, and more.</p>
<h2>Classes</h2>
{{ classes }}
{% if left_out %}<p>{{ left_out }} classes with fewer boxes are not drawn.</p>{% endif %}
<div class="charts">
{% for title, chart in charts %}
<section><h2>{{ title }}</h2>{{ chart }}</section>
{% endfor %}
</div>
<h2>Image sizes</h2>
<table><tr><th>{{ found.image_sizes.distinct }} in all, the commonest</th><th>images</th></tr>
{% for size, count in found.image_sizes.common.items() %}<tr><td>{{ size }}</td><td>{{ count }}</td></tr>
{% endfor %}
</table>
{% if findings %}
<h2>Findings of reading</h2>
<ul>{% for finding in findings %}<li>{{ finding | string | visible }}</li>{% endfor %}</ul>
{% endif %}
</body>
</html>
"""
COUNTS = (
    *("images", "empty_images", "unlabelled_images", "boxes", "crowd_boxes"),
    *("small", "medium", "large", "imbalance"),
)


def write_report(path: Path, dataset: Dataset, found: dict[str, Any]) -> None:
    """Write the page of what `statistics` found; the same data set gives the same bytes."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["visible"] = _visible
    ordered = sorted(found["classes"], key=lambda row: -row["boxes"])
    text = environment.from_string(PAGE).render(
        found=found,
        parts=[("all", found), *found["splits"].items()],
        counts=COUNTS,
        classes=_bars([(row["name"], row["boxes"]) for row in ordered[:MOST_CLASSES]]),
        left_out=max(0, len(ordered) - MOST_CLASSES),
        charts=_charts(dataset),
        findings=dataset.findings,
    )
    write_text(path, text + "\n")


def _charts(dataset: Dataset) -> list[tuple[str, Markup]]:
    sides = dataset.boxes.xyxy[:, 2:] - dataset.boxes.xyxy[:, :2]
    counts = np.bincount(dataset.boxes.image, minlength=len(dataset.images)).astype(np.float64)
    return [
        ("Side of boxes, pixels (root of the area)", _histogram(np.sqrt(sides.prod(axis=1)), logarithmic=True)),
        ("Side relative to the photo", _histogram(relative_sides(dataset), logarithmic=True)),
        ("Width / height of boxes", _histogram(sides[:, 0] / sides[:, 1], logarithmic=True)),
        ("Boxes per image", _histogram(counts, logarithmic=False)),
    ]


def _histogram(values: Floats, *, logarithmic: bool) -> Markup:
    """Draw how often values (n,) fall into bins of equal width, or of equal ratio; each bin says where it begins."""
    if not len(values):
        return Markup("<p>nothing to draw</p>")
    low, high = float(values.min()), float(values.max())
    if logarithmic:
        edges = np.geomspace(low, max(high, low * 1.01), BINS + 1)
    else:
        step = max(1, -(-int(high - low + 1) // BINS))  # whole numbers: a bin holds whole ones
        edges = np.arange(low, high + step + 1, step)
    edges[-1] = max(edges[-1], high)
    counts, _ = np.histogram(values, np.maximum.accumulate(edges))
    return _bars([(f"{edge:.3g}", int(count)) for edge, count in zip(edges[:-1], counts, strict=True)])


def _bars(rows: list[tuple[str, int]]) -> Markup:
    """Draw named counts as horizontal bars."""
    most = max([count for _, count in rows], default=0) or 1
    bar = Markup(
        '<text x="130" y="{1}" text-anchor="end">{0}</text><rect x="138" y="{2}" width="{3:.1f}" height="12" '
        'fill="#0072b2"><title>{0}: {4}</title></rect><text x="{5:.1f}" y="{1}">{4}</text>'
    )
    drawn = []
    for index, (name, count) in enumerate(rows):
        width = 200 * count / most
        short = _visible(name) if len(name) <= 20 else _visible(name[:19]) + "…"
        drawn.append(bar.format(short, index * ROW + 12, index * ROW + 2, width, count, 142 + width))
    return Markup('<svg viewBox="0 0 {0} {1}" width="{0}" role="img">{2}</svg>').format(
        WIDTH, len(rows) * ROW + 4, Markup("").join(drawn)
    )


def _visible(text: str) -> str:
    """Spell out what a page cannot show: control characters and bytes that are no text."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
