"""Why detections are wrong, and what each kind of mistake costs: TIDE (Bolya et al. 2020, arXiv 2008.08115).

A detection that is no true positive at IoU 0.5 is, in this order: a localisation error (overlaps its class by 0.1 to
0.5), a class error (overlaps another class by 0.5), a duplicate (of an object that was found), background (overlaps
nothing by 0.1), or both (class and place are wrong). An object nobody found, and that no localisation or class error
nearly found, is missed. What a kind costs is what AP at IoU 0.5 would gain if it were repaired: the best error on an
object nobody found becomes its true positive, all others vanish, missed objects vanish.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from focalcli.evaluation.columns import Bools, Floats, Ints, Predictions, Truth
from focalcli.evaluation.matches import IGNORED, TRUE, Matches, match
from focalcli.evaluation.overlaps import groups, overlaps
from focalcli.evaluation.precision import single_precision
from focalcli.evaluation.settings import Settings

KINDS = ("class", "localisation", "both", "duplicate", "background", "missed")
CLASS, LOCALISATION, BOTH, DUPLICATE, BACKGROUND, MISSED = range(6)
RIGHT = -1
FOREGROUND_IOU, BACKGROUND_IOU = 0.5, 0.1
SETTINGS = Settings(iou=(FOREGROUND_IOU,), max_dets=(100,), areas={"all": (0.0, 1e10)})


@dataclass(frozen=True, slots=True)
class ErrorKinds:
    """The verdict on every detection and object at IoU 0.5.

    matches: at that IoU. kind (n,) of each detection, RIGHT where it is right or ignored; target (n,) the object that
    a class or localisation error is on, else -1. missed (m,) objects. costs: AP won by repairing a kind.
    """

    matches: Matches
    kind: npt.NDArray[np.int8]
    target: Ints
    missed: Bools
    ap: float
    costs: dict[str, float]

    @property
    def counts(self) -> dict[str, int]:
        """Give how many errors there are of each kind."""
        found = np.bincount(self.kind[self.kind >= 0], minlength=MISSED)
        return {name: int(found[i]) if i != MISSED else int(self.missed.sum()) for i, name in enumerate(KINDS)}


@dataclass(frozen=True, slots=True)
class _Nearest:
    """For each detection the largest IoU (n,) with objects of one sort, 0 for none, and which object (n,)."""

    iou: Floats
    object: Ints


def error_kinds(truth: Truth, predictions: Predictions) -> ErrorKinds:
    """Judge every detection and every object."""
    matches = match(truth, predictions, SETTINGS)
    fate, partner = matches.fates(0), matches.partners(0)
    used = np.zeros(len(truth.area), np.bool_)
    used[partner[fate == TRUE]] = True
    same, other, same_used, any_object = _neighbours(matches, predictions, used)
    wrong = (fate != TRUE) & (fate != IGNORED)
    verdicts = (
        (LOCALISATION, (same.iou >= BACKGROUND_IOU) & (same.iou <= FOREGROUND_IOU)),
        (CLASS, other.iou >= FOREGROUND_IOU),
        (DUPLICATE, same_used.iou >= FOREGROUND_IOU),
        (BACKGROUND, any_object.iou <= BACKGROUND_IOU),
    )
    kind = np.where(wrong, BOTH, RIGHT).astype(np.int8)
    for value, holds in reversed(verdicts):
        kind[wrong & holds] = value
    target = np.select([kind == LOCALISATION, kind == CLASS], [same.object, other.object], -1)
    nearly = np.zeros(len(truth.area), np.bool_)
    nearly[target[target >= 0]] = True
    missed = matches.counted[0] & ~used & ~nearly
    return _priced(matches, kind, target, missed, used)


def _neighbours(matches: Matches, predictions: Predictions, used: Bools) -> tuple[_Nearest, ...]:
    """Give the nearest object of the class, of another class, of the class and found, and of any."""
    truth = matches.truth
    alone = replace(truth, category=np.zeros_like(truth.category), num_categories=1, region=~matches.counted[0])
    group = groups(alone, matches.image, np.zeros_like(matches.image))
    detection, found, iou = overlaps(alone, predictions.xywh[matches.row], group, np.nextafter(0.0, 1.0))
    counts = matches.counted[0][found]
    same = matches.category[detection] == truth.category[found]
    return tuple(
        _nearest(detection[rows], found[rows], iou[rows], len(matches.row))
        for rows in (counts & same, counts & ~same, counts & same & used[found], counts)
    )


def _nearest(detection: Ints, found: Ints, iou: Floats, n: int) -> _Nearest:
    order = np.lexsort((found, -iou, detection))
    first = order[np.flatnonzero(np.diff(detection[order], prepend=-1))]
    nearest = _Nearest(np.zeros(n), np.full(n, -1))
    nearest.iou[detection[first]], nearest.object[detection[first]] = iou[first], found[first]
    return nearest


def _priced(matches: Matches, kind: npt.NDArray[np.int8], target: Ints, missed: Bools, used: Bools) -> ErrorKinds:
    """Repair one kind at a time and measure what AP gains."""
    counted = matches.counted[0]
    classes = matches.truth.num_categories
    objects = np.bincount(matches.truth.category[counted], minlength=classes)
    fate = matches.fates(0)
    judged, true = fate != IGNORED, fate == TRUE

    def mean(category: Ints, keep: Bools, right: Bools, total: Ints) -> float:
        values = single_precision(category[keep], matches.score[keep], right[keep], total)
        return float(np.nanmean(values)) if (total > 0).any() else float("nan")

    base = mean(matches.category, judged, true, objects)
    heirs = _best_for_each_object(matches, np.where(np.append(used, True)[target], -1, target))
    target_category = np.append(matches.truth.category, -1)[target]
    costs = {}
    for index, name in enumerate(KINDS):
        category, keep, right, total = matches.category, judged & (kind != index), true, objects
        if index in (CLASS, LOCALISATION):
            repaired = heirs & (kind == index)
            category = np.where(repaired, target_category, category)
            keep, right = keep | repaired, true | repaired
        if index == MISSED:
            total = objects - np.bincount(matches.truth.category[missed], minlength=classes)
        costs[name] = mean(category, keep, right, total) - base
    return ErrorKinds(matches, kind, target, missed, base, costs)


def _best_for_each_object(matches: Matches, target: Ints) -> Bools:
    """Mark the best scored error of each object: only one can become its true positive."""
    errors = np.flatnonzero(target >= 0)
    order = errors[np.lexsort((-matches.score[errors], target[errors]))]
    best = np.zeros(len(target), np.bool_)
    best[order[np.flatnonzero(np.diff(target[order], prepend=-1))]] = True
    return best
