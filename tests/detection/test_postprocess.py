"""From logits to detections: hand-made outputs whose answer is known. Against torchvision: tests/oracle."""

import torch
from torch import Tensor

from focalcli.config import PostprocessConfig
from focalcli.detection.postprocess import Candidates, candidates, select
from focalcli.detection.retinanet import HeadOutputs

SIZE = torch.tensor([[100, 100]])


def chosen(boxes: list[list[float]], scores: list[float], classes: list[int], **settings: object) -> Tensor:
    found = Candidates(torch.tensor([boxes]), torch.tensor([scores]), torch.tensor([classes]))
    kept = select(found, SIZE, PostprocessConfig(**settings))  # type: ignore[arg-type]
    return kept.scores[0, : kept.counts[0]]


def test_nothing_above_the_threshold_gives_padding_only() -> None:
    found = Candidates(torch.zeros(2, 5, 4), torch.zeros(2, 5), torch.zeros(2, 5, dtype=torch.long))
    kept = select(found, SIZE.expand(2, 2), PostprocessConfig(max_detections=3))
    assert kept.counts.tolist() == [0, 0]
    assert kept.boxes.shape == (2, 3, 4) and not kept.scores.any() and (kept.classes == -1).all()


def test_nms_is_by_class() -> None:
    """Two equal boxes of one class leave the better; of two classes both stay."""
    same = [[0.0, 0, 10, 10]] * 2
    assert chosen(same, [0.5, 0.75], [1, 1]).tolist() == [0.75]
    assert chosen(same, [0.5, 0.75], [0, 1]).tolist() == [0.75, 0.5]


def test_the_threshold_is_open_and_may_be_per_class() -> None:
    boxes = [[0.0, 0, 10, 10], [20, 20, 30, 30]]
    assert chosen(boxes, [0.25, 0.5], [0, 0], score_threshold=0.25).tolist() == [0.5]
    assert chosen(boxes, [0.5, 0.5], [0, 1], class_thresholds=(0.75, 0.25)).tolist() == [0.5]


def test_the_best_are_kept_in_order() -> None:
    boxes = [[10.0 * i, 0, 10.0 * i + 5, 5] for i in range(4)]
    assert chosen(boxes, [0.25, 1.0, 0.5, 0.75], [0] * 4, max_detections=2).tolist() == [1.0, 0.75]


def test_boxes_are_clipped_before_nms() -> None:
    """Both are 0..100 once clipped, so only one stays."""
    assert chosen([[-50.0, 0, 150, 100], [0, -90, 100, 190]], [0.5, 0.25], [0, 0]).tolist() == [0.5]


def test_candidates_name_anchor_and_class() -> None:
    """Best logit: anchor 1, class 2 on the first level; anchor 0, class 0 on the second, moved right by one width."""
    first, second = torch.full((1, 2, 3), -9.0), torch.full((1, 1, 3), -9.0)
    first[0, 1, 2], second[0, 0, 0] = 2.0, 1.0
    deltas = [torch.zeros(1, 2, 4), torch.tensor([[[1.0, 0, 0, 0]]])]
    anchors = [torch.tensor([[0.0, 0, 8, 8], [8, 0, 16, 8]]), torch.tensor([[0.0, 0, 16, 16]])]
    found = candidates(HeadOutputs([first, second], deltas), anchors, per_level=1)
    assert found.boxes[0].tolist() == [[8, 0, 16, 8], [16, 0, 32, 16]]
    assert found.classes[0].tolist() == [2, 0]
    torch.testing.assert_close(found.scores[0], torch.sigmoid(torch.tensor([2.0, 1.0])))


def test_temperature_divides_logits() -> None:
    outputs = HeadOutputs([torch.tensor([[[2.0]]])], [torch.zeros(1, 1, 4)])
    found = candidates(outputs, [torch.tensor([[0.0, 0, 8, 8]])], per_level=1, temperature=4.0)
    torch.testing.assert_close(found.scores[0, 0], torch.sigmoid(torch.tensor(0.5)))
