"""The headline numbers: COCO's twelve, and the same for every class."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from focalcli.dataset.types import Category
from focalcli.evaluation.columns import Floats, Ints
from focalcli.evaluation.matches import Matches
from focalcli.evaluation.precision import average_precision, hits, num_objects, recall
from focalcli.evaluation.settings import Settings


@dataclass(frozen=True, slots=True)
class ClassMetrics:
    """The numbers of one class, and how many objects it has that count."""

    name: str
    id: int
    objects: int
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class Metrics:
    """`values` by name: AP AP50 AP75 APs APm APl AR1 AR10 AR100 ARs ARm ARl under COCO's settings.

    NaN (null in JSON) where nothing can be measured: no object in that area (pycocotools says -1).
    """

    values: dict[str, float]
    images: int
    classes: tuple[ClassMetrics, ...]

    @property
    def ap(self) -> float:
        """Give AP, the mean over IoU thresholds and classes; 0 where no object is annotated."""
        return float(np.nan_to_num(self.values["AP"]))

    @property
    def ap50(self) -> float:
        """Give AP at IoU 0.5, 0 where it was not measured."""
        return float(np.nan_to_num(self.values.get("AP50", np.nan)))


# Values of one name by class, (C,): NaN where a class has no object.
Table = dict[str, Floats]


def per_class(matches: Matches, weights: Ints | None = None) -> Table:
    """Measure every class; `weights` says how often each image counts, 1 by default."""
    return scorer(matches)(np.ones(matches.truth.num_images, np.int64) if weights is None else weights)


def scorer(matches: Matches) -> Callable[[Ints], Table]:
    """Prepare the matches once and give a function from image weights to the table of classes."""
    found = [hits(matches, area) for area in range(len(matches.claims))]
    settings = matches.settings
    names = tuple(settings.areas)

    def table(weights: Ints) -> Table:
        precisions: Table = {}
        recalls: Table = {}
        for area, name in enumerate(names):
            objects = num_objects(matches, area, weights)
            by_level = average_precision(found[area], weights, objects)
            suffix = "" if area == 0 else name
            precisions[f"AP{suffix}"] = by_level.mean(axis=0)
            if area == 0:
                precisions |= _single_levels(settings, by_level)
            for max_dets in settings.max_dets if area == 0 else settings.max_dets[-1:]:
                by_level = recall(found[area], weights, objects, max_dets=max_dets)
                recalls[f"AR{max_dets if area == 0 else name}"] = by_level.mean(axis=0)
        return precisions | recalls

    return table


def mean_over_classes(table: Table) -> dict[str, float]:
    """Give the mean of each number over the classes that have objects, NaN where none has."""
    known = {name: values[~np.isnan(values)] for name, values in table.items()}
    return {name: float(values.mean()) if len(values) else float("nan") for name, values in known.items()}


def summarize(matches: Matches, categories: Sequence[Category]) -> Metrics:
    """Give the numbers of a data set."""
    objects = num_objects(matches, 0, np.ones(matches.truth.num_images, np.int64))
    return collect(per_class(matches), objects, categories, matches.truth.num_images)


def collect(table: Table, objects: Ints, categories: Sequence[Category], num_images: int) -> Metrics:
    """Put the numbers of the classes and their means together."""
    classes = tuple(
        ClassMetrics(
            category.name,
            category.source_id,
            int(objects[index]),
            {name: float(values[index]) for name, values in table.items()},
        )
        for index, category in enumerate(categories)
    )
    return Metrics(mean_over_classes(table), num_images, classes)


def _single_levels(settings: Settings, by_level: Floats) -> Table:
    """Give AP50 and AP75 where these overlaps are measured."""
    levels = {"AP50": settings.iou_index(0.5), "AP75": settings.iou_index(0.75)}
    return {name: by_level[level] for name, level in levels.items() if level is not None}
