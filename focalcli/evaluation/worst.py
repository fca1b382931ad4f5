"""The images a model gets most wrong, and why: where to look first, at the model or at the labels."""

from typing import NamedTuple

import numpy as np

from focalcli.evaluation.columns import Floats, Ints
from focalcli.evaluation.error_kinds import KINDS, MISSED, ErrorKinds
from focalcli.evaluation.matches import TRUE


class ImageVerdict(NamedTuple):
    """An image by its position: detections that are right, mistakes by kind (none left out), F1, and where they are.

    `detections` and `kinds` (k,): positions in the predictions of what scored high enough, and what each is; `objects`
    and `missed` are positions of the image's objects and of those nobody found.
    """

    image: int
    right: int
    mistakes: dict[str, int]
    f1: float
    detections: Ints
    kinds: Ints
    objects: Ints
    missed: Ints

    @property
    def why(self) -> str:
        """Say what is wrong, the commonest first: `3 missed, 1 background`."""
        order = sorted(self.mistakes.items(), key=lambda item: -item[1])
        return ", ".join(f"{number} {kind}" for kind, number in order) or "nothing wrong"


def judge_images(errors: ErrorKinds, thresholds: Floats) -> list[ImageVerdict]:
    """Judge every image by the detections that score at least their class's threshold (C,), worst image first.

    Most mistakes come first, then the lower F1. A missed object is one that no right detection above the threshold
    is on.
    """
    matches = errors.matches
    truth = matches.truth
    above = matches.score >= thresholds[matches.category]
    true = (matches.fates(0) == TRUE) & above
    found = np.zeros(len(truth.area), np.bool_)
    found[matches.partners(0)[true]] = True
    missed = np.flatnonzero(matches.counted[0] & ~found)
    shown = np.flatnonzero(true | (above & (errors.kind >= 0)))
    order = shown[np.argsort(matches.image[shown], kind="stable")]
    edges = np.arange(truth.num_images + 1)
    detections = np.searchsorted(matches.image[order], edges)
    misses = np.searchsorted(truth.image[missed], edges)
    objects = np.searchsorted(truth.image, edges)
    verdicts = [
        _verdict(errors, index, order[a:b], np.arange(*objects[index : index + 2]), missed[c:d])
        for index, (a, b, c, d) in enumerate(zip(detections, detections[1:], misses, misses[1:], strict=False))
    ]
    return sorted(verdicts, key=lambda verdict: (-sum(verdict.mistakes.values()), verdict.f1, verdict.image))


def _verdict(errors: ErrorKinds, image: int, rows: Ints, objects: Ints, missed: Ints) -> ImageVerdict:
    kinds = errors.kind[rows].astype(np.int64)
    wrong = np.bincount(kinds[kinds >= 0], minlength=len(KINDS))
    wrong[MISSED] = len(missed)
    right = int((kinds < 0).sum())
    f1 = 2 * right / (2 * right + int(wrong.sum())) if right or wrong.any() else 1.0
    mistakes = {kind: int(number) for kind, number in zip(KINDS, wrong, strict=True) if number}
    return ImageVerdict(image, right, mistakes, f1, errors.matches.row[rows], kinds, objects, missed)
