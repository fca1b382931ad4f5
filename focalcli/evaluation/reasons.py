"""All that can be said of a model on a data set, gathered once for every output: numbers, how sure, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from focalcli.dataset.types import Dataset
from focalcli.evaluation.bootstrap import Interval, interval, resample
from focalcli.evaluation.coco import matches_of
from focalcli.evaluation.columns import Floats, Predictions
from focalcli.evaluation.confusion import Confusion, confusion
from focalcli.evaluation.curves import Curve, class_curves, pooled_curve
from focalcli.evaluation.error_kinds import KINDS, ErrorKinds, error_kinds
from focalcli.evaluation.matches import Matches
from focalcli.evaluation.metrics import Metrics, scorer, summarize
from focalcli.evaluation.reliability import Reliability, reliability_of
from focalcli.evaluation.settings import Settings
from focalcli.evaluation.slices import Slice, by_crowding, by_folder, by_size, by_split
from focalcli.evaluation.worst import ImageVerdict, judge_images

SIDES = (16.0, 32.0, 96.0)
RESAMPLES = 200


@dataclass(frozen=True, slots=True)
class Reasons:
    """Metrics and what explains them; `thresholds` (C,) are the scores at which mistakes are counted and shown."""

    dataset: Dataset
    predictions: Predictions
    matches: Matches
    metrics: Metrics
    curves: tuple[Curve, ...]
    thresholds: Floats
    errors: ErrorKinds
    confusion: Confusion
    reliability: Reliability
    slices: dict[str, list[Slice]]
    verdicts: list[ImageVerdict]


def explain(
    dataset: Dataset, predictions: Predictions, settings: Settings, *, sides: Sequence[float] = SIDES
) -> Reasons:
    """Measure and explain; `sides` are the edges of the size bins, in pixels."""
    matches = matches_of(dataset, predictions, settings)
    thresholds = operating_thresholds(matches)
    errors = error_kinds(matches.truth, predictions)
    return Reasons(
        dataset,
        predictions,
        matches,
        summarize(matches, dataset.categories),
        class_curves(matches),
        thresholds,
        errors,
        confusion(matches.truth, predictions, thresholds),
        reliability_of(matches),
        _slices(dataset, predictions, matches, sides),
        judge_images(errors, thresholds),
    )


def _slices(
    dataset: Dataset, predictions: Predictions, matches: Matches, sides: Sequence[float]
) -> dict[str, list[Slice]]:
    """Measure the parts of a data set; folders and splits where there is more than one."""
    slices = {
        "object size in pixels": by_size(dataset, predictions, sides, matches.settings),
        "objects per image": by_crowding(matches),
    }
    named = {"folder": by_folder(dataset, matches), "split": by_split(dataset, matches)}
    return slices | {name: parts for name, parts in named.items() if len(parts) > 1}


def operating_thresholds(matches: Matches) -> Floats:
    """Give (C,) the score of the best F1 of each class; of all classes together where a class has none."""
    everywhere = np.nan_to_num(pooled_curve(matches).best_f1().threshold)
    own = np.array([curve.best_f1().threshold for curve in class_curves(matches)])
    return np.where(np.isnan(own), everywhere, own)


def intervals(matches: Matches, *, resamples: int, seed: int) -> dict[str, Interval]:
    """Give the interval of every headline number."""
    drawn = resample(scorer(matches), matches.truth.num_images, resamples=resamples, seed=seed)
    return {name: interval(values) for name, values in drawn.all.items()}


def reasons_as_dict(reasons: Reasons) -> dict[str, Any]:
    """Give the reasons as plain values, beside `outputs.as_dict` of the metrics."""
    images = reasons.dataset.images
    names = [*(category.name for category in reasons.dataset.categories), "background"]
    counts = reasons.errors.counts
    return {
        "errors": {kind: {"count": counts[kind], "AP50_cost": reasons.errors.costs[kind]} for kind in KINDS},
        "confusion": {
            "classes": names,
            "thresholds": reasons.confusion.thresholds.tolist(),
            "matrix": reasons.confusion.matrix.tolist(),
        },
        "calibration": {"ECE": reasons.reliability.ece, "bins": [row._asdict() for row in reasons.reliability.bins]},
        "slices": {
            name: [{"name": part.name, "images": part.images, "objects": part.objects, **part.values} for part in parts]
            for name, parts in reasons.slices.items()
        },
        "worst": [
            {"image": images[verdict.image].key, "F1": verdict.f1, "right": verdict.right, **verdict.mistakes}
            for verdict in reasons.verdicts
            if verdict.mistakes
        ],
    }
