"""Score thresholds that reach a target on annotated photos, and how they do on photos they were not chosen on."""

from typing import Literal, NamedTuple

import numpy as np

from focalcli.errors import UsageError
from focalcli.evaluation.columns import Bools, Floats
from focalcli.evaluation.curves import Curve, Point, class_curves
from focalcli.evaluation.matches import IGNORED, TRUE, Matches

_EXAMPLE = "for example --target precision=0.9, recall=0.95 or f1"


class Target(NamedTuple):
    """What thresholds are to reach: the best F1, or a precision or recall of at least `value`."""

    kind: Literal["f1", "precision", "recall"]
    value: float = 0.0


class ClassThreshold(NamedTuple):
    """The threshold of a class, what it gives where it was chosen and on held-out photos, and whether it is on target.

    `reached` is False where no threshold reaches the target: then it is the one that comes nearest.
    """

    chosen: Point
    held_out: Point
    reached: bool


def parse_target(text: str) -> Target:
    """Read `f1`, `precision=0.9` or `recall=0.95`.

    Raises:
        UsageError: it is none of these.
    """
    name, _, number = text.partition("=")
    try:
        value = float(number) if number else 0.0
    except ValueError:
        value = -1.0
    if name == "f1" and not number:
        return Target("f1")
    if name in ("precision", "recall") and 0 < value <= 1:
        return Target("precision" if name == "precision" else "recall", value)
    raise UsageError("--target", f"{text!r} is no target", _EXAMPLE)


def choose(curve: Curve, target: Target) -> tuple[Point, bool]:
    """Give the threshold of a class and whether it reaches the target.

    For a precision, the one with the highest recall that has it; for a recall, the highest one that has it. A class
    without objects or detections gets NaN: leave its threshold as it is.
    """
    if not len(curve.threshold) or not curve.objects:
        return curve.best_f1(), False
    values = {"f1": curve.f1, "precision": curve.precision, "recall": curve.recall}[target.kind]
    good = np.flatnonzero(values >= target.value)
    if target.kind == "f1" or not len(good):
        return _below(curve, int(np.argmax(values))), target.kind == "f1"
    return _below(curve, int(good[-1] if target.kind == "precision" else good[0])), True


def _below(curve: Curve, index: int) -> Point:
    """Give the point of a threshold, half way to the next lower score: another machine's last bit must not matter."""
    score = float(curve.threshold[index])
    lower = float(curve.threshold[index + 1]) if index + 1 < len(curve.threshold) else 0.99 * score
    return curve.at(score)._replace(threshold=(score + lower) / 2)


def choose_all(matches: Matches, target: Target, *, seed: int) -> tuple[ClassThreshold, ...]:
    """Choose a threshold for each class on all photos; check on halves what was chosen on the other half."""
    halves = _halves(matches.truth.num_images, seed)
    chosen = [choose(curve, target) for curve in class_curves(matches)]
    checks = []
    for part in halves:
        here, there = class_curves(matches, part.astype(np.int64)), class_curves(matches, (~part).astype(np.int64))
        checks.append([other.at(choose(curve, target)[0].threshold) for curve, other in zip(here, there, strict=True)])
    return tuple(
        ClassThreshold(point, _mean(one, other), reached)
        for (point, reached), one, other in zip(chosen, *checks, strict=True)
    )


def _halves(num_images: int, seed: int) -> tuple[Bools, Bools]:
    part = np.zeros(num_images, np.bool_)
    part[np.random.default_rng(seed).permutation(num_images)[: num_images // 2]] = True
    return part, ~part


def _mean(one: Point, other: Point) -> Point:
    """Average two halves; what only one of them can tell is taken from it."""
    values = np.array([one, other])
    known = ~np.isnan(values)
    total = np.where(known, values, 0).sum(axis=0)
    return Point(*np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan).tolist())


def temperature(matches: Matches) -> float:
    """Give T so that sigmoid(logit / T) of the scores fits how often they are right: least log loss (Guo et al. 2017).

    1 where there are no detections to fit, or only right or only wrong ones.
    """
    fate = matches.fates(matches.settings.analysis_iou)
    counts = fate != IGNORED
    right = fate[counts] == TRUE
    if not right.any() or right.all():
        return 1.0
    score = np.clip(matches.score[counts], 1e-6, 1 - 1e-6)
    logit = np.log(score / (1 - score))
    low, high = np.log(0.05), np.log(20.0)
    for _ in range(60):  # golden section: the loss is unimodal in log T for one-parameter scaling
        a, b = high - (high - low) * 0.6180339887498949, low + (high - low) * 0.6180339887498949
        low, high = (low, b) if _log_loss(logit, right, a) < _log_loss(logit, right, b) else (a, high)
    return float(np.exp((low + high) / 2))


def _log_loss(logit: Floats, right: Bools, log_temperature: float) -> float:
    scaled = logit * np.exp(-log_temperature)
    return float(np.logaddexp(0.0, np.where(right, -scaled, scaled)).mean())


def scaled(score: Floats, by: float) -> Floats:
    """Give the scores that a model with this temperature gives instead."""
    score = np.clip(score, 1e-12, 1 - 1e-12)
    return 1 / (1 + np.exp(-np.log(score / (1 - score)) / by))
