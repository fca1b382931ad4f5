"""Average precision and recall from matches, for one weight an image.

Weight 1 gives COCO's numbers; the counts of a resample give those of the resampled data set, in which image i occurs
`weights[i]` times. Only true positives matter: precision can rise, and recall does rise, at no other place.
"""

from dataclasses import dataclass

import numpy as np

from focalcli.evaluation.columns import Bools, Floats, Ints
from focalcli.evaluation.matches import Matches
from focalcli.evaluation.settings import RECALL_POINTS


@dataclass(frozen=True, slots=True)
class Hits:
    """The claims of one area, prepared for counting; a segment is a threshold and class, level x C + class.

    segment, image, detection, rank (k,) of each claim; true (k,): it took an object that counts. shift (k,): what
    it changes in the number of detections that count at its threshold, beside `inside` (n,), which holds at all of
    them. bounds (T x C + 1,): where each segment begins among the true ones. first (C,): each class's first detection.
    """

    segment: Ints
    image: Ints
    detection: Ints
    rank: Ints
    true: Bools
    shift: Ints
    inside: Bools
    all_images: Ints
    bounds: Ints
    claim_bounds: Ints
    first: Ints

    @property
    def shape(self) -> tuple[int, int]:
        """Give (T, C)."""
        return (len(self.bounds) - 1) // len(self.first), len(self.first)


def hits(matches: Matches, area: int) -> Hits:
    """Prepare the claims of an area once; `average_precision` and `recall` weigh them."""
    claims, classes = matches.claims[area], matches.truth.num_categories
    segment = claims.level * classes + matches.category[claims.detection]
    true = matches.counted[area, claims.object]
    inside = ~matches.outside[area]
    edges = np.arange(len(matches.settings.iou) * classes + 1)
    return Hits(
        segment=segment,
        image=matches.image[claims.detection],
        detection=claims.detection,
        rank=matches.rank[claims.detection],
        true=true,
        shift=true.astype(np.int64) - inside[claims.detection],
        inside=inside,
        all_images=matches.image,
        bounds=np.searchsorted(segment[true], edges),
        claim_bounds=np.searchsorted(segment, edges),
        first=np.searchsorted(matches.category, np.arange(classes)),
    )


def num_objects(matches: Matches, area: int, weights: Ints) -> Ints:
    """Give (C,) the number of objects that count in an area."""
    counted = matches.counted[area]
    weight = weights[matches.truth.image[counted]]
    objects = np.bincount(matches.truth.category[counted], weight, matches.truth.num_categories)
    return objects.astype(np.int64)


def average_precision(found: Hits, weights: Ints, objects: Ints) -> Floats:
    """Give (T, C) the mean of precision at 101 recalls, NaN for a class without objects.

    Precision at a recall is the best at that recall or beyond (COCOeval.accumulate). `objects` is `num_objects`.
    """
    precision, true = _precision(found, weights)
    for begin, end in zip(found.bounds[:-1].tolist(), found.bounds[1:].tolist(), strict=True):
        falling = precision[begin:end][::-1]
        np.maximum.accumulate(falling, out=falling)
    segment = found.segment[found.true]
    total = np.maximum(objects, 1)[segment % len(objects)]
    reached = np.searchsorted(RECALL_POINTS, true / total, side="right")
    steps = np.diff(reached, prepend=0)
    starts = found.bounds[:-1][np.diff(found.bounds) > 0]
    steps[starts] = reached[starts]
    area = np.bincount(segment, precision * steps, len(found.bounds) - 1) / len(RECALL_POINTS)
    return np.where(objects > 0, area.reshape(found.shape), np.nan)


def recall(found: Hits, weights: Ints, objects: Ints, *, max_dets: int) -> Floats:
    """Give (T, C) the share of objects found by the best `max_dets` detections, NaN for a class without objects."""
    weight = weights[found.image] * (found.true & (found.rank < max_dets))
    true = np.bincount(found.segment, weight, len(found.bounds) - 1).reshape(found.shape)
    return np.where(objects > 0, true / np.maximum(objects, 1), np.nan)


def _precision(found: Hits, weights: Ints) -> tuple[Floats, Ints]:
    """Give precision and number of true positives (k,), at and up to each true positive of a segment."""
    counts = np.cumsum(np.append(0, weights[found.all_images] * found.inside))
    weight = weights[found.image]
    shifts = np.cumsum(np.append(0, weight * found.shift))
    segment = found.segment[found.true]
    detections = counts[found.detection + 1][found.true] - counts[found.first][segment % len(found.first)]
    detections += shifts[1:][found.true] - shifts[found.claim_bounds[segment]]
    trues = np.cumsum(np.append(0, weight[found.true]))
    true = trues[1:] - trues[found.bounds[segment]]
    # COCOeval adds one ulp of 1 to the number of detections; the last bit is part of the number.
    return true / (detections + np.spacing(1.0)), true


def single_precision(category: Ints, score: Floats, true: Bools, objects: Ints) -> Floats:
    """Give (C,) AP of detections (n,) that are known to be right or wrong; NaN for a class without objects."""
    order = np.lexsort((-score, category))
    category, true = category[order], true[order]
    places, nowhere = np.flatnonzero(true), np.zeros(len(category), np.int64)
    edges = np.arange(len(objects) + 1)
    found = Hits(
        segment=category[places],
        image=nowhere[places],
        detection=places,
        rank=nowhere[places],
        true=np.ones(len(places), np.bool_),
        shift=nowhere[places],
        inside=np.ones(len(category), np.bool_),
        all_images=nowhere,
        bounds=np.searchsorted(category[places], edges),
        claim_bounds=np.searchsorted(category[places], edges),
        first=np.searchsorted(category, edges[:-1]),
    )
    area: Floats = average_precision(found, np.ones(1, np.int64), objects)[0]
    return area
