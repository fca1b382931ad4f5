"""Pairs, rows alone, and rows that a rounding error may decide about; worked by hand."""

import numpy as np

from focalcli.export.agreement import Limits, agreement, together
from focalcli.export.cases import alike, generated, threshold_for
from focalcli.export.rows import Rows, rows_of

LIMITS = Limits(box=0.5, score=0.01)


def rows(*found: tuple[list[float], float, int]) -> Rows:
    boxes = np.array([box for box, _, _ in found], np.float64).reshape(-1, 4)
    return Rows(boxes, np.array([s for _, s, _ in found]), np.array([c for _, _, c in found], np.int64))


BOX = [0.0, 0.0, 10.0, 10.0]


def compare(one: Rows, other: Rows, most: int | None = None) -> tuple[int, int, int]:
    found = agreement(one, other, LIMITS, thresholds=(0.3, 0.7), most=most)
    return found.pairs, found.alone, found.excused


def test_nothing_agrees_with_nothing() -> None:
    assert compare(rows(), rows()) == (0, 0, 0)


def test_a_pair_needs_label_place_and_score() -> None:
    one = rows((BOX, 0.9, 1))
    assert compare(one, rows(([0.4, 0, 10, 10], 0.905, 1))) == (1, 0, 0)
    assert compare(one, rows((BOX, 0.9, 2))) == (0, 2, 0)
    assert compare(one, rows(([0.6, 0, 10, 10], 0.9, 1))) == (0, 2, 0)
    assert compare(one, rows((BOX, 0.92, 1))) == (0, 2, 0)


def test_order_does_not_matter_and_nobody_pairs_twice() -> None:
    a, b = (BOX, 0.9, 1), ([20.0, 20.0, 30.0, 30.0], 0.895, 1)
    assert compare(rows(a, b), rows(b, a)) == (2, 0, 0)
    assert compare(rows(a), rows(a, a)) == (1, 1, 0)


def test_a_row_at_the_threshold_or_at_the_last_kept_score_is_excused() -> None:
    assert compare(rows((BOX, 0.305, 1)), rows()) == (0, 0, 1)
    assert compare(rows((BOX, 0.695, 1)), rows()) == (0, 0, 1)
    full = rows((BOX, 0.9, 1), (BOX, 0.5, 2))
    assert compare(full, rows((BOX, 0.9, 1), (BOX, 0.503, 3)), most=2) == (1, 0, 2)
    assert compare(full, rows((BOX, 0.9, 1), (BOX, 0.503, 3)), most=5) == (1, 2, 0)


def test_sums_and_largest_differences() -> None:
    one = agreement(rows((BOX, 0.9, 1)), rows(([0.25, 0, 10, 10], 0.9, 1)), LIMITS)
    both = together([one, one])
    assert (both.pairs, both.box, both.score) == (2, 0.25, 0.0)
    assert both.within(LIMITS)


def test_generated_images_are_the_same_everywhere() -> None:
    image = generated(1, (40, 60))
    assert image.shape == (40, 60, 3)
    assert image[:2, :2].tolist() == generated(1, (40, 60))[:2, :2].tolist()
    assert int(image.astype(np.int64).sum()) == GENERATED_SUM


GENERATED_SUM = 921222


def test_a_few_lie_on_the_other_side_of_the_widest_gap() -> None:
    scores = np.array([0.9, 0.8, 0.79, 0.5, 0.49], np.float32)
    assert threshold_for(alike("x", (1,), (32, 32), "few"), scores) == np.float32((np.float32(0.79) + 0.5) / 2)
    assert threshold_for(alike("x", (1,), (32, 32)), scores) is None


def test_flat_rows_come_apart_by_image() -> None:
    table = np.array([[0, 1, 2, 3, 4, 0.9, 2], [0, 0, 0, 0, 0, 0, -1], [1, 0, 0, 0, 0, 0, -1]], np.float32)
    first, second = rows_of({"detections": table}, "flat7")
    assert first.boxes.tolist() == [[1, 2, 3, 4]] and first.labels.tolist() == [2] and len(second) == 0
