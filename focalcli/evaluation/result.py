"""What one `evaluate` gives, as plain values: what was asked for, and no work beyond it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from focalcli.dataset.types import Dataset
from focalcli.evaluation.coco import matches_of
from focalcli.evaluation.columns import Predictions
from focalcli.evaluation.curves import class_curves
from focalcli.evaluation.metrics import Metrics, mean_over_classes, summarize
from focalcli.evaluation.outputs import as_dict
from focalcli.evaluation.reasons import RESAMPLES, explain, intervals, reasons_as_dict
from focalcli.evaluation.reference import evaluate_with_pycocotools
from focalcli.evaluation.report import write_report
from focalcli.evaluation.settings import Settings
from focalcli.evaluation.voc import voc_average_precision


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for beside the numbers. `sides` are the edges of size bins in pixels."""

    engine: Literal["focalcli", "pycocotools"]
    reasons: bool
    report: Path | None
    resamples: int
    voc: bool
    sides: tuple[float, ...]
    seed: int


def result_of(dataset: Dataset, predictions: Predictions, settings: Settings, wanted: Wanted) -> dict[str, Any]:
    """Measure; give the numbers and what else is wanted, and write the report."""
    if wanted.reasons or wanted.report:
        reasons = explain(dataset, predictions, settings, sides=wanted.sides)
        matches = reasons.matches
    else:
        reasons, matches = None, matches_of(dataset, predictions, settings)
    if wanted.engine == "pycocotools":
        metrics = evaluate_with_pycocotools(dataset, predictions, settings)
    else:
        metrics = reasons.metrics if reasons else summarize(matches, dataset.categories)
    result = as_dict(_with_voc(metrics, dataset, predictions) if wanted.voc else metrics, class_curves(matches))
    if resamples := wanted.resamples or (RESAMPLES if wanted.report else 0):
        result["intervals"] = intervals(matches, resamples=resamples, seed=wanted.seed)
    if reasons and wanted.reasons:
        result |= reasons_as_dict(reasons)
    if reasons and wanted.report:
        write_report(wanted.report, reasons, result["intervals"])
    return result


def _with_voc(metrics: Metrics, dataset: Dataset, predictions: Predictions) -> Metrics:
    table = voc_average_precision(dataset, predictions)
    classes = tuple(
        type(row)(row.name, row.id, row.objects, row.values | {name: float(v[i]) for name, v in table.items()})
        for i, row in enumerate(metrics.classes)
    )
    return Metrics(metrics.values | mean_over_classes(table), metrics.images, classes)
