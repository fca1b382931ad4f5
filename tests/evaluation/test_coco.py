"""Streaming detections gives what measuring them at once gives."""

import numpy as np

from focalcli.evaluation.coco import Evaluator, evaluate
from focalcli.evaluation.columns import join
from focalcli.inference.detections import Detections
from tests.evaluation.cases import dataset, predictions

DATA = dataset((0, 0, 10, 10, 20, 20), (1, 1, 30, 30, 40, 40), images=2)


def found(*boxes: tuple[float, ...], classes: tuple[int, ...] = (), scores: tuple[float, ...] = ()) -> Detections:
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), np.array(classes, np.int64)
    )


def test_nothing_added_is_measured_as_nothing_found() -> None:
    assert Evaluator(DATA).summary().values["AP"] == 0


def test_streaming_equals_at_once_whatever_the_order_of_images() -> None:
    evaluator = Evaluator(DATA)
    evaluator.add(1, found((30, 30, 70, 70), classes=(1,), scores=(0.5,)))
    evaluator.add(0, found((10, 10, 30, 28), classes=(0,), scores=(0.75,)))
    at_once = evaluate(DATA, predictions((0, 0, 10, 10, 20, 18, 0.75), (1, 1, 30, 30, 40, 40, 0.5)))
    assert str(evaluator.summary()) == str(at_once)


def test_ranks_are_joined() -> None:
    parts = []
    for index, box in enumerate([(10, 10, 30, 30), (30, 30, 70, 70)]):
        evaluator = Evaluator(DATA)
        evaluator.add(index, found(box, classes=(index,), scores=(0.5,)))
        parts.append(evaluator.predictions())
    assert evaluate(DATA, join(parts)).ap > 0.999
    assert len(join([])) == 0


def test_a_detection_costs_56_bytes() -> None:
    """No Python object is kept for a detection: seven doubles each, in a buffer at most twice too large."""
    evaluator = Evaluator(DATA)
    many = found(*[(0, 0, 5, 5)] * 500, classes=(0,) * 500, scores=(0.5,) * 500)
    for _ in range(100):
        evaluator.add(0, many)
    assert len(evaluator.predictions()) == 50_000
    assert evaluator._columns.nbytes <= 2 * 50_000 * 56
