"""AP of parts of a data set: by object size, by objects per image, by folder, by split."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from focalcli.dataset.types import Dataset
from focalcli.errors import UsageError
from focalcli.evaluation.columns import Bools, Ints, Predictions, truth_of
from focalcli.evaluation.matches import Matches, match
from focalcli.evaluation.metrics import Table, mean_over_classes, scorer
from focalcli.evaluation.settings import COCO_AREAS, Settings

CROWDING = ((0, 0), (1, 1), (2, 4), (5, 9), (10, 19), (20, 49), (50, math.inf))


class Slice(NamedTuple):
    """A part of the data set by name: how many images and objects it has, and the means over its classes."""

    name: str
    images: int
    objects: int
    values: dict[str, float]


def by_size(dataset: Dataset, predictions: Predictions, sides: Sequence[float], settings: Settings) -> list[Slice]:
    """Measure objects by the side of a square of their area, in pixels: below, between and above `sides`.

    An object on an edge counts on both sides of it, as COCO's areas do.

    Raises:
        UsageError: the sides do not rise from above 0.
    """
    if not sides or min(sides) <= 0 or list(sides) != sorted(set(sides)):
        raise UsageError("--sizes", f"{tuple(sides)} are not rising sides in pixels", "for example --sizes 16,32,96")
    edges = [0.0, *(side * side for side in sides), COCO_AREAS["all"][1]]
    names = [f"< {sides[0]:g}", *(f"{low:g} to {high:g}" for low, high in pairwise(sides))]
    names.append(f"> {sides[-1]:g}")
    areas = {"all": COCO_AREAS["all"], **dict(zip(names, pairwise(edges), strict=True))}
    matches = match(truth_of(dataset), predictions, Settings(settings.iou, settings.max_dets, areas))
    values = mean_over_classes(scorer(matches)(np.ones(matches.truth.num_images, np.int64)))
    return [
        Slice(
            name,
            len(np.unique(matches.truth.image[matches.counted[index]])),
            int(matches.counted[index].sum()),
            {"AP": values[f"AP{name}"], "AR": values[f"AR{name}"]},
        )
        for index, name in enumerate(names, 1)
    ]


def by_crowding(matches: Matches) -> list[Slice]:
    """Measure images by how many objects they have; an image without any can only have false detections."""
    number = np.bincount(matches.truth.image[matches.counted[0]], minlength=matches.truth.num_images)
    parts = {_range(low, high): (number >= low) & (number <= high) for low, high in CROWDING}
    return _parts(matches, parts)


def by_folder(dataset: Dataset, matches: Matches) -> list[Slice]:
    """Measure the images of each folder."""
    return _named(matches, [image.key.rpartition("/")[0] or "." for image in dataset.images])


def by_split(dataset: Dataset, matches: Matches) -> list[Slice]:
    """Measure the images of each split."""
    return _named(matches, [image.split or "(none)" for image in dataset.images])


def _named(matches: Matches, names: Sequence[str]) -> list[Slice]:
    column = np.array(names)
    return _parts(matches, {name: column == name for name in sorted(set(names))})


def _parts(matches: Matches, parts: dict[str, Bools]) -> list[Slice]:
    """Measure each part as a data set of its own: its images weigh 1, all others 0; empty parts are left out."""
    score = scorer(matches)
    return [_part(matches, score, name, here.astype(np.int64)) for name, here in parts.items() if here.any()]


def _part(matches: Matches, score: Callable[[Ints], Table], name: str, weights: Ints) -> Slice:
    objects = weights[matches.truth.image[matches.counted[0]]].sum()
    return Slice(name, int(weights.sum()), int(objects), mean_over_classes(score(weights)))


def _range(low: int, high: float) -> str:
    if high == math.inf:
        return f"{low} or more"
    return str(low) if low == high else f"{low} to {high}"
