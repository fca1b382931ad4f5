"""What a runtime answers is checked before it is believed: a model file may hold anything."""

import numpy as np
import pytest

from focalcli.errors import DataError
from focalcli.inference.detections import RawDetections


def answer(scores: list[float], counts: list[int]) -> RawDetections:
    table = np.array([scores], np.float32)
    return RawDetections(
        np.zeros((1, len(scores), 4), np.float32), table, np.zeros_like(table, np.int64), np.array(counts)
    )


def test_no_slot_and_descending_scores_pass() -> None:
    for whole in (answer([], [0]), answer([0.9, 0.9, 0.1], [3]), answer([0.5, 0.0, 0.7], [1])):
        assert whole.check("m", 1, 1) is whole  # what lies behind the count is padding


@pytest.mark.parametrize(
    ("scores", "counts", "fact"),
    [
        ([0.5, 0.4], [-1], "do not have the shapes"),
        ([0.5, 0.4], [3], "do not have the shapes"),
        ([0.4, 0.5], [2], "its scores do not descend"),
        ([0.4, float("nan")], [1], "not finite"),
    ],
)
def test_what_is_no_answer_is_refused(scores: list[float], counts: list[int], fact: str) -> None:
    with pytest.raises(DataError, match=f"m: .*{fact}"):
        answer(scores, counts).check("m", 1, 1)
