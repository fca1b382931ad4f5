"""Which detection found which object: COCO's greedy matching, for all thresholds and areas at once.

The rule is pycocotools' (`COCOeval.evaluateImg`): within an image and class, detections choose by descending score
among the objects still free; an object that counts is preferred to one that does not, then the larger IoU, then the
later object. Only pairs above the lowest threshold are looked at, and the first choices of all images, thresholds and
areas are made in one step, then the second ones, and so on.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from focalcli.evaluation.columns import Bools, Floats, Ints, Predictions, Truth
from focalcli.evaluation.overlaps import groups, overlaps
from focalcli.evaluation.settings import Settings

FALSE, TRUE, IGNORED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Claims:
    """Who took what in one area: positions of threshold, detection and object (k,), by threshold, then detection."""

    level: Ints
    detection: Ints
    object: Ints


@dataclass(frozen=True, slots=True)
class Matches:
    """The n detections that were kept, sorted by class, then by descending score, and the objects they took.

    row, image, category, score, rank (n,): position in the predictions, image, class, score, and place among its
    image's detections of the class, known where the image has objects of it. outside (A, n): its own area is not in
    the range, so it does not count unless it takes an object that does. counted (A, m): the objects that count.
    claims: one for each area.
    """

    settings: Settings
    truth: Truth
    row: Ints
    image: Ints
    category: Ints
    score: Floats
    rank: Ints
    outside: Bools
    counted: Bools
    claims: tuple[Claims, ...]

    def partners(self, level: int, area: int = 0) -> Ints:
        """Give (n,) the position of the object each detection took at a threshold, -1 none."""
        claims = self.claims[area]
        here = claims.level == level
        partner = np.full(len(self.row), -1, np.int64)
        partner[claims.detection[here]] = claims.object[here]
        return partner

    def fates(self, level: int, area: int = 0) -> npt.NDArray[np.int8]:
        """Give (n,) FALSE, TRUE or IGNORED at a threshold."""
        partner = self.partners(level, area)
        fate = np.where(self.outside[area], IGNORED, FALSE).astype(np.int8)
        taken = partner >= 0
        fate[taken] = np.where(self.counted[area, partner[taken]], TRUE, IGNORED)
        return fate


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Overlaps: detection and object positions and IoU (p,), by round, detection, falling IoU, later object first.

    rounds (r + 1,): where each round of choices begins; no image and class has two detections in one round.
    """

    detection: Ints
    object: Ints
    iou: Floats
    rounds: Ints


def match(truth: Truth, predictions: Predictions, settings: Settings) -> Matches:
    """Match detections to objects of the same image and class."""
    row = _by_class_and_score(truth, predictions)
    group = groups(truth, predictions.image[row], predictions.category[row])
    row, group, rank = _best(truth, predictions, row, group, settings.max_dets[-1])
    thresholds = np.minimum(np.array(settings.iou), 1 - 1e-10)
    boxes = predictions.xywh[row]
    pairs = _pairs(truth, boxes, group, float(thresholds[0]))
    area = boxes[:, 2] * boxes[:, 3]
    limits = settings.areas.values()
    counted = np.array([~truth.region & ~_outside(truth.area, limit) for limit in limits])
    return Matches(
        settings,
        truth,
        row=row,
        image=predictions.image[row],
        category=predictions.category[row],
        score=predictions.score[row],
        rank=rank,
        outside=np.array([_outside(area, limit) for limit in limits]),
        counted=counted,
        claims=_choose(pairs, thresholds, counted, truth.region),
    )


def _outside(area: Floats, limits: tuple[float, float]) -> Bools:
    return (area < limits[0]) | (area > limits[1])


def _by_class_and_score(truth: Truth, predictions: Predictions) -> Ints:
    """Give the order of the detections by class, falling score, pycocotools' order of images, then as given."""
    image = truth.image_order[predictions.image]
    order = np.arange(len(image))
    if (np.diff(image) < 0).any():
        order = _sorted_by(order, image)
    return _sorted_by(_sorted_by(order, -predictions.score), predictions.category)


def _sorted_by(order: Ints, key: Floats | Ints) -> Ints:
    """Sort positions by their key, equal ones as they stand; the key is not negative where it is whole."""
    values = key[order]
    if values.dtype.kind == "i":  # numpy sorts 16 bits by radix, ten times faster than 64
        values = values.astype(np.min_scalar_type(values.max(initial=0)))
    return order[np.argsort(values, kind="stable")]


def _best(truth: Truth, predictions: Predictions, row: Ints, group: Ints, limit: int) -> tuple[Ints, Ints, Ints]:
    """Keep the best `limit` detections of each image and class: give row, group and rank.

    Where no image has more detections than that, only those that may find an object are ranked.
    """
    rank = np.zeros(len(row), np.int64)
    few = np.bincount(predictions.image, minlength=1).max() <= limit
    ranked = np.flatnonzero(np.isin(group, groups(truth, truth.image, truth.category))) if few else np.arange(len(row))
    ranked = _sorted_by(ranked, group // truth.num_categories)  # classes are sorted already
    rank[ranked] = _position_in_run(group[ranked])
    kept = rank < limit
    return row[kept], group[kept], rank[kept]


def _position_in_run(values: Ints) -> Ints:
    """Give each element's distance from the first of its run of equal values."""
    starts = np.flatnonzero(np.diff(values, prepend=-1))
    return np.arange(len(values)) - np.repeat(starts, np.diff(starts, append=len(values)))


def _pairs(truth: Truth, boxes: Floats, group: Ints, lowest: float) -> _Pairs:
    """Give all pairs of the same group whose IoU is at least `lowest`, ordered for `_choose`."""
    detection, found, iou = overlaps(truth, boxes, group, lowest)
    new = np.flatnonzero(np.diff(detection, prepend=-1))
    by_group = _sorted_by(np.arange(len(new)), group[detection[new]] // truth.num_categories)
    place = np.empty(len(new), np.int64)
    place[by_group] = _position_in_run(group[detection[new]][by_group])
    rounds = np.repeat(place, np.diff(new, append=len(detection)))
    last_first = np.arange(len(found))[::-1]  # the objects of a detection come in order
    order = _sorted_by(_sorted_by(_sorted_by(last_first, -iou), detection), rounds)
    bounds = np.searchsorted(rounds[order], np.arange(rounds.max(initial=-1) + 2))
    return _Pairs(detection[order], found[order], iou[order], bounds)


def _choose(pairs: _Pairs, thresholds: Floats, counted: Bools, region: Bools) -> tuple[Claims, ...]:
    """Let every detection take its object, in each area; areas do not touch each other, so two are done at a time."""
    reaches = pairs.iou[:, None] >= thresholds
    with ThreadPoolExecutor(2) as pool:
        return tuple(pool.map(lambda row: _choose_in(pairs, reaches, row, region), counted))


def _choose_in(pairs: _Pairs, reaches: Bools, counted: Bools, region: Bools) -> Claims:
    """Let every detection take its object in one area, at each threshold; `reaches` is (p, T), `counted` (m,)."""
    levels, nobody = reaches.shape[1], len(pairs.iou)
    liking, liked = _preferences(pairs, counted)
    free = np.ones((len(region), levels), np.bool_)
    parts = [np.zeros((3, 0), np.int64)]
    for begin, end in pairwise(pairs.rounds.tolist()):
        candidate, detection = pairs.object[begin:end], pairs.detection[begin:end]
        starts = np.flatnonzero(np.diff(detection, prepend=-1))
        possible = reaches[begin:end] & free[candidate]
        best = np.minimum.reduceat(np.where(possible, liking[begin:end, None], nobody), starts, axis=0)
        chooser, level = np.nonzero(best < nobody)
        chosen = pairs.object[liked[best[chooser, level]]]
        free[chosen, level] = region[chosen]
        parts.append(np.stack([level, detection[starts[chooser]], chosen]))
    level, detection, chosen = np.concatenate(parts, axis=1)
    order = np.argsort(level * (int(pairs.detection.max(initial=0)) + 1) + detection)
    return Claims(level[order], detection[order], chosen[order])


def _preferences(pairs: _Pairs, counted: Bools) -> tuple[npt.NDArray[np.int32], Ints]:
    """Rank the pairs of each detection as the area likes them: objects that count first, then as `_Pairs` has them.

    Give the ranks (p,), lower is liked better, and their inverse.
    """
    new = np.cumsum(np.diff(pairs.detection, prepend=-1) != 0)
    liked = np.argsort(2 * new + ~counted[pairs.object], kind="stable")
    liking = np.empty(len(new), np.int32)
    liking[liked] = np.arange(len(new), dtype=np.int32)
    return liking, liked
