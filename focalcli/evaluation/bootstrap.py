"""How sure the numbers are: images are drawn again with replacement, and every number is computed anew.

Nothing is matched again: a resample is a weight for each image, how often it was drawn (Efron 1979).
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from focalcli.evaluation.columns import Floats, Ints
from focalcli.evaluation.metrics import Table, mean_over_classes

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """The middle 95 % of the resamples; NaN where no resample could be measured."""

    low: float
    high: float


class Resamples(NamedTuple):
    """One value a resample: by number (S,), and by number and class (S, C)."""

    all: dict[str, Floats]
    classes: dict[str, Floats]


def draws(num_images: int, resamples: int, seed: int) -> Iterator[Ints]:
    """Give for each resample how often each image was drawn (num_images,); the same for the same seed."""
    rng = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.bincount(rng.integers(0, num_images, num_images), minlength=num_images)


def resample(score: Callable[[Ints], Table], num_images: int, *, resamples: int, seed: int) -> Resamples:
    """Score each draw of images; `score` is `metrics.scorer` of the matches."""
    tables = [score(weights) for weights in draws(num_images, resamples, seed)]
    means = [mean_over_classes(table) for table in tables]
    names = list(tables[0])
    return Resamples(
        {name: np.array([mean[name] for mean in means]) for name in names},
        {name: np.stack([table[name] for table in tables]) for name in names},
    )


def interval(values: Floats) -> Interval:
    """Give the interval of the resampled values (S,) that could be measured."""
    known = values[~np.isnan(values)]
    if not len(known):
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(known, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(low), float(high))
