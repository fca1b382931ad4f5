"""How well two answers agree: one to one, in pixels and in score. numpy only."""

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from focalcli.export.rows import Rows


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a file may be from torch: corners in pixels, scores, and the share of rows without a counterpart."""

    box: float
    score: float
    alone: float = 0.0


# fp32 differs by rounding: 1e-3 px was seen. fp16 has 11 bits. INT8 is held to its AP, and here to its own answer,
# which other processors round otherwise.
LIMITS = {
    "fp32": Limits(box=0.05, score=1e-4),
    "fp16": Limits(box=2.0, score=0.02, alone=0.05),
    "int8": Limits(box=8.0, score=0.1, alone=0.25),
}


class Agreement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The outcome: pairs, rows without a counterpart, and the largest differences among the pairs.

    `excused` rows have no counterpart either, but lie within the score limit of a threshold or of the last kept
    score, where a rounding error decides who stays.
    """

    pairs: int
    alone: int
    excused: int
    box: float
    score: float

    def within(self, limits: Limits) -> bool:
        """Say whether it holds."""
        return self.alone <= limits.alone * max(1, self.pairs + self.alone)


def agreement(
    expected: Rows, actual: Rows, limits: Limits, *, thresholds: Sequence[float] = (), most: int | None = None
) -> Agreement:
    """Compare the rows of one image: a pair has the same label and is within both limits.

    `thresholds` (of the classes) and `most` say where rows were cut off, for `excused`.
    """
    distance = np.abs(expected.boxes[:, None] - actual.boxes[None]).max(axis=2, initial=0.0)
    gap = np.abs(expected.scores[:, None] - actual.scores[None])
    possible = (expected.labels[:, None] == actual.labels) & (distance <= limits.box) & (gap <= limits.score)
    taken = np.zeros(len(actual), bool)
    pairs = []
    for row in range(len(expected)):
        candidates = np.flatnonzero(possible[row] & ~taken)
        if len(candidates):
            best = candidates[np.argmin(distance[row, candidates] + gap[row, candidates])]
            taken[best] = True
            pairs.append((row, best))
    found = np.array(pairs, np.int64).reshape(-1, 2)
    alone = [
        *np.delete(expected.scores, found[:, 0]),
        *actual.scores[~taken],
    ]
    cuts = [cut for rows in (expected, actual) for cut in _cuts(rows, thresholds, most)]
    excused = sum(any(abs(score - cut) <= limits.score for cut in cuts) for score in alone)
    return Agreement(
        pairs=len(found),
        alone=len(alone) - excused,
        excused=excused,
        box=_largest(distance[found[:, 0], found[:, 1]]),
        score=_largest(gap[found[:, 0], found[:, 1]]),
    )


def together(parts: Iterable[Agreement]) -> Agreement:
    """Give the sum of several agreements, with their largest differences."""
    parts = list(parts)
    return Agreement(
        pairs=sum(part.pairs for part in parts),
        alone=sum(part.alone for part in parts),
        excused=sum(part.excused for part in parts),
        box=max((part.box for part in parts), default=0.0),
        score=max((part.score for part in parts), default=0.0),
    )


def describe(found: Agreement) -> str:
    """Say in one line how close two answers are."""
    alone = f", {found.alone} without a counterpart" if found.alone else ""
    return f"{found.pairs} detections agree{alone}, within {found.box:.2g} px and {found.score:.2g} of score"


def _cuts(rows: Rows, thresholds: Sequence[float], most: int | None) -> list[float]:
    full = most is not None and len(rows) >= most
    return [*thresholds, *([float(rows.scores.min())] if full else [])]


def _largest(values: npt.NDArray[np.float64]) -> float:
    return round(float(values.max(initial=0.0)), 9)
