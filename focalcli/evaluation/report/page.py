"""Puts a report together: what stands in it and in which order; the look is `report.html`'s part."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from focalcli.evaluation.bootstrap import Interval
from focalcli.evaluation.curves import Curve, pooled_curve
from focalcli.evaluation.error_kinds import KINDS
from focalcli.evaluation.outputs import printable
from focalcli.evaluation.reasons import Reasons
from focalcli.evaluation.report.charts import Line, line_chart, reliability_chart
from focalcli.evaluation.report.gallery import best_cards, worst_cards
from focalcli.files import write_text

# More lines, or rows of the confusion matrix, than this nobody can read: the classes with most objects are shown.
MOST_LINES, MOST_CONFUSED = 12, 30

KIND_WORDS = {
    "class": "right place, wrong class",
    "localisation": "right class, the box does not fit",
    "both": "wrong class, and the box does not fit",
    "duplicate": "a second box on an object that was found",
    "background": "there is nothing",
    "missed": "an object without any box near it",
}


def write_report(path: Path, reasons: Reasons, intervals: Mapping[str, Interval]) -> None:
    """Write the report as one file that needs no other and no network; the same input gives the same bytes."""
    page = files("focalcli.evaluation.report").joinpath("report.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"fraction": _fraction, "visible": printable}
    text = environment.from_string(page).render(_content(reasons, intervals))
    write_text(path, text.encode("utf-8", "backslashreplace").decode() + "\n")


def _content(reasons: Reasons, intervals: Mapping[str, Interval]) -> dict[str, Any]:
    counts, costs = reasons.errors.counts, reasons.errors.costs
    return {
        "title": reasons.dataset.root.absolute().name or "data set",
        "splits": ", ".join(reasons.dataset.splits),
        "metrics": reasons.metrics,
        "intervals": intervals,
        "objects": int(reasons.matches.counted[0].sum()),
        "detections": len(reasons.predictions),
        "classes": [
            {"row": row, "best": curve.best_f1(), "recall": _last_recall(curve)}
            for row, curve in zip(reasons.metrics.classes, reasons.curves, strict=True)
        ],
        "charts": _charts(reasons),
        "ece": reasons.reliability.ece,
        "kinds": [(kind, KIND_WORDS[kind], counts[kind], costs[kind]) for kind in KINDS],
        "largest_count": max([*counts.values(), 1]),
        "largest_cost": max([cost for cost in costs.values() if cost == cost], default=0.0) or 1.0,
        "confusion": _confusion(reasons),
        "slices": reasons.slices,
        "worst": worst_cards(reasons),
        "best": best_cards(reasons),
        "names": [printable(category.name) for category in reasons.dataset.categories],
    }


def _charts(reasons: Reasons) -> dict[str, Markup]:
    everything = pooled_curve(reasons.matches)
    order = _largest(reasons, MOST_LINES)
    curves = [("all classes", everything)]
    if len(reasons.curves) > 1:
        curves += [(printable(reasons.dataset.categories[index].name), reasons.curves[index]) for index in order]
    return {
        "precision": line_chart([_precision_line(name, curve) for name, curve in curves], x="recall", y="precision"),
        "f1": line_chart([_f1_line(name, curve) for name, curve in curves], x="score threshold", y="F1"),
        "reliability": reliability_chart(reasons.reliability),
    }


def _precision_line(name: str, curve: Curve) -> Line:
    return Line(name, np.nan_to_num(curve.recall), curve.precision)


def _f1_line(name: str, curve: Curve) -> Line:
    return Line(name, np.clip(curve.threshold, 0, 1), np.nan_to_num(curve.f1))


def _largest(reasons: Reasons, number: int) -> list[int]:
    """Give the positions of the classes with most objects, in the data set's order."""
    objects = np.array([row.objects for row in reasons.metrics.classes])
    return sorted(np.argsort(-objects, kind="stable")[:number].tolist())


def _confusion(reasons: Reasons) -> dict[str, Any]:
    """Give names, and rows of (count, share of the row); of many classes the largest and background."""
    chosen = _largest(reasons, MOST_CONFUSED)
    shown = [*chosen, len(reasons.metrics.classes)]
    matrix = reasons.confusion.matrix
    names = [*(category.name for category in reasons.dataset.categories), "background"]
    totals = np.maximum(matrix.sum(axis=1), 1)
    rows = [(names[i], [(int(matrix[i, j]), float(matrix[i, j] / totals[i]), i == j) for j in shown]) for i in shown]
    left_out = len(reasons.metrics.classes) - len(chosen)
    return {"names": [names[i] for i in shown], "rows": rows, "left_out": left_out}


def _last_recall(curve: Curve) -> float:
    return float(curve.recall[-1]) if len(curve.recall) else float("nan")


def _fraction(value: float) -> str:
    return "–" if value != value else f"{value:.3f}"
