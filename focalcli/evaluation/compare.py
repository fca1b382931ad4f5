"""Which of two models is better, and whether the difference is more than luck: a paired bootstrap over images.

Both are measured on the same draws of images, so what makes an image hard cancels out; a model against itself differs
by exactly 0.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from focalcli.dataset.types import Category
from focalcli.evaluation.bootstrap import Interval, interval, resample
from focalcli.evaluation.columns import Floats
from focalcli.evaluation.matches import Matches
from focalcli.evaluation.metrics import scorer, summarize


class Difference(NamedTuple):
    """A number of A and B, B - A, its interval, and how likely chance alone is to give as much.

    `p` is two-sided: twice the share of resamples at or beyond 0, the data set itself counted as one, at most 1.
    """

    a: float
    b: float
    difference: float
    interval: Interval
    p: float

    @property
    def sure(self) -> bool:
        """Say whether the interval leaves 0 out."""
        return self.interval.low > 0 or self.interval.high < 0


class ClassDifference(NamedTuple):
    """The differences of one class by number."""

    name: str
    id: int
    objects: int
    values: dict[str, Difference]


class Comparison(NamedTuple):
    """All differences of two models on the same images."""

    values: dict[str, Difference]
    classes: tuple[ClassDifference, ...]
    images: int
    resamples: int


def compare(a: Matches, b: Matches, categories: Sequence[Category], *, resamples: int, seed: int) -> Comparison:
    """Compare two sets of matches on the same data set; the values of A and B are those of `summarize`."""
    assert a.truth.num_images == b.truth.num_images, (a.truth.num_images, b.truth.num_images)
    images = a.truth.num_images
    metrics_a, metrics_b = summarize(a, categories), summarize(b, categories)
    drawn_a = resample(scorer(a), images, resamples=resamples, seed=seed)
    drawn_b = resample(scorer(b), images, resamples=resamples, seed=seed)
    classes = tuple(
        ClassDifference(
            one.name,
            one.id,
            one.objects,
            {
                name: _difference(
                    one.values[name], other.values[name], drawn_b.classes[name][:, index] - drawn[:, index]
                )
                for name, drawn in drawn_a.classes.items()
            },
        )
        for index, (one, other) in enumerate(zip(metrics_a.classes, metrics_b.classes, strict=True))
    )
    values = {
        name: _difference(metrics_a.values[name], metrics_b.values[name], drawn_b.all[name] - drawn)
        for name, drawn in drawn_a.all.items()
    }
    return Comparison(values, classes, images, resamples)


def _difference(a: float, b: float, drawn: Floats) -> Difference:
    known = drawn[~np.isnan(drawn)]
    beyond = min(int((known <= 0).sum()), int((known >= 0).sum())) + 1
    p = min(1.0, 2 * beyond / (len(known) + 1)) if len(known) else float("nan")
    return Difference(a, b, b - a, interval(drawn), p)
