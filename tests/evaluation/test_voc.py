"""Pascal VOC's AP against a plain port of its development kit, and by hand."""

import numpy as np
import pytest

from focalcli.dataset.types import Dataset, Flag
from focalcli.evaluation.columns import Predictions
from focalcli.evaluation.voc import voc_average_precision
from tests.evaluation.cases import dataset, predictions


def devkit(data: Dataset, found: Predictions, kind: int, *, points11: bool) -> float:
    """Follow VOCevaldet.m, one detection after the other."""
    boxes, difficult = data.boxes, (data.boxes.flags & Flag.DIFFICULT) != 0
    rows = np.flatnonzero(found.category == kind)
    rows = rows[np.argsort(-found.score[rows], kind="stable")]
    taken, true, false = set(), np.zeros(len(rows)), np.zeros(len(rows))
    for place, row in enumerate(rows):
        x, y, width, height = found.xywh[row]
        best, target = -np.inf, -1
        for index in np.flatnonzero((boxes.image == found.image[row]) & (boxes.category == kind)):
            x0, y0, x1, y1 = boxes.xyxy[index]
            w, h = min(x1, x + width) - max(x0, x), min(y1, y + height) - max(y0, y)
            iou = w * h / (width * height + (x1 - x0) * (y1 - y0) - w * h) if w > 0 and h > 0 else 0
            if iou > best:
                best, target = iou, index
        if best >= 0.5 and difficult[target]:
            continue
        if best >= 0.5 and target not in taken:
            taken.add(target)
            true[place] = 1
        else:
            false[place] = 1
    recall = np.cumsum(true) / (~difficult & (boxes.category == kind)).sum()
    precision = np.cumsum(true) / np.maximum(np.cumsum(true) + np.cumsum(false), 1e-9)
    if points11:
        return float(np.mean([max(precision[recall >= t], default=0.0) for t in np.linspace(0, 1, 11)]))
    r, p = np.concatenate([[0], recall, [1]]), np.concatenate([[0], precision, [0]])
    p = np.maximum.accumulate(p[::-1])[::-1]
    return float(((r[1:] - r[:-1]) * p[1:]).sum())


@pytest.mark.parametrize("seed", range(10))
def test_both_forms_equal_the_development_kit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    objects = [(int(i), int(rng.integers(2)), *rng.integers(0, 60, 2), 20, 20) for i in np.sort(rng.integers(0, 5, 25))]
    near = [objects[int(rng.integers(25))] for _ in range(60)]
    found = predictions(*((*row[:2], row[2] + rng.integers(-6, 7), *row[3:], rng.random()) for row in near))
    data = dataset(*objects, images=5, flags=dict.fromkeys(range(0, 25, 4), Flag.DIFFICULT))
    table = voc_average_precision(data, found)
    for kind in range(2):
        assert table["VOC"][kind] == pytest.approx(devkit(data, found, kind, points11=False), abs=1e-12)
        assert table["VOC07"][kind] == pytest.approx(devkit(data, found, kind, points11=True), abs=1e-12)


def test_by_hand() -> None:
    """Hit, miss, hit of two objects: area 0.5 x 1 + 0.5 x 2/3; heights 1 at 0 to 0.5, 2/3 at 0.6 to 1."""
    data = dataset((0, 0, 0, 0, 10, 10), (0, 0, 50, 50, 10, 10), classes=("cat", "dog"))
    found = predictions((0, 0, 0, 0, 10, 10, 0.9), (0, 0, 30, 0, 10, 10, 0.8), (0, 0, 50, 50, 10, 10, 0.7))
    table = voc_average_precision(data, found)
    assert table["VOC"][0] == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert table["VOC07"][0] == pytest.approx((6 + 5 * 2 / 3) / 11)
    assert np.isnan(table["VOC"][1])


def test_nothing_found_is_zero_and_nothing_annotated_unknown() -> None:
    assert voc_average_precision(dataset((0, 0, 0, 0, 10, 10)), predictions())["VOC"][0] == 0
    assert np.isnan(voc_average_precision(dataset(), predictions())["VOC07"]).all()
