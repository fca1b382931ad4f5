import numpy as np
import pytest
import torch
from torchvision.ops import batched_nms

from focalcli.inference.merge import box_iou, hard_nms, join_at_seams, soft_nms, weighted_nms


def array(*rows: tuple) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


NONE = (array(), floats(), np.zeros(0, np.int64))


def test_no_boxes_stay_no_boxes() -> None:
    assert hard_nms(*NONE, 0.5).tolist() == []
    rows, means = weighted_nms(*NONE, 0.5)
    assert rows.tolist() == [] and means.shape == (0, 4)
    assert [part.tolist() for part in soft_nms(*NONE)] == [[], []]
    assert [len(part) for part in join_at_seams(NONE[0], NONE[1], NONE[2], np.zeros((0, 4), bool))] == [0, 0, 0]


def test_iou_of_hand() -> None:
    # 10 x 10 and 10 x 10 moved by 5: 50 shared of 150
    overlaps = box_iou(array((0, 0, 10, 10))[0], array((5, 0, 15, 10), (0, 0, 10, 10), (20, 20, 30, 30), (3, 3, 3, 3)))
    assert overlaps.tolist() == pytest.approx([1 / 3, 1, 0, 0])


def test_hard_nms_is_torchvisions() -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        corners = random.uniform(0, 60, (80, 2))
        boxes = np.concatenate([corners, corners + random.uniform(1, 40, (80, 2))], 1).astype(np.float32)
        scores, groups = random.random(80).astype(np.float32), random.integers(0, 3, 80)
        ours = hard_nms(boxes, scores, groups, 0.4)
        theirs = batched_nms(*(torch.from_numpy(part) for part in (boxes, scores, groups)), 0.4)
        assert ours.tolist() == theirs.tolist()


def test_weighted_boxes_are_means_by_score() -> None:
    boxes = array((0, 0, 10, 10), (2, 0, 12, 10), (50, 0, 60, 10))
    rows, means = weighted_nms(boxes, floats(0.6, 0.2, 0.3), np.zeros(3, np.int64), 0.5)
    assert rows.tolist() == [0, 2]
    # (0 * .6 + 2 * .2) / .8 = .5
    np.testing.assert_allclose(means, [[0.5, 0, 10.5, 10], [50, 0, 60, 10]], atol=1e-5)


def test_soft_nms_lowers_scores_by_overlap() -> None:
    boxes = array((0, 0, 10, 10), (5, 0, 15, 10), (0, 0, 10, 10))
    rows, scores = soft_nms(boxes, floats(0.9, 0.8, 0.7), np.array([0, 0, 1]))
    # IoU 1/3: 0.8 * exp(-(1/9) / 0.5) = 0.8 * 0.8007; the third is of another class
    assert rows.tolist() == [0, 2, 1]
    assert scores.tolist() == pytest.approx([0.9, 0.7, 0.8 * np.exp(-2 / 9)])


def join(boxes: np.ndarray, scores: np.ndarray, cut: list, groups: list | None = None) -> tuple[list, list]:
    classes = np.array(groups or [0] * len(boxes))
    joined, best, keep = join_at_seams(boxes, scores, classes, np.array(cut, bool))
    return joined[keep].tolist(), best[keep].tolist()


LEFT, RIGHT, WHOLE = [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]


def test_parts_that_continue_each_other_become_one() -> None:
    boxes, scores = join(array((10, 0, 64, 20), (48, 1, 90, 20)), floats(0.5, 0.9), [RIGHT, LEFT])
    assert boxes == [[10, 0, 90, 20]] and scores == pytest.approx([0.9])


def test_a_part_of_a_whole_box_goes() -> None:
    boxes, _ = join(array((40, 0, 64, 20), (40, 0, 80, 20)), floats(0.9, 0.5), [RIGHT, WHOLE])
    assert boxes == [[40, 0, 80, 20]]


def test_parts_of_other_classes_or_other_heights_stay() -> None:
    pair = array((10, 0, 64, 20), (48, 1, 90, 20))
    assert len(join(pair, floats(0.5, 0.9), [RIGHT, LEFT], [0, 1])[0]) == 2
    assert len(join(array((10, 0, 64, 20), (48, 15, 90, 60)), floats(0.5, 0.9), [RIGHT, LEFT])[0]) == 2


def test_boxes_that_no_tile_cut_are_left_alone() -> None:
    pair = array((0, 0, 10, 10), (1, 1, 9, 9))
    assert join(pair, floats(0.5, 0.9), [WHOLE, WHOLE])[0] == pair.tolist()


def test_the_order_of_boxes_decides_nothing() -> None:
    boxes = array((10, 0, 64, 20), (48, 1, 112, 20), (96, 0, 130, 20), (48, 1, 90, 20))
    scores, cut = floats(0.5, 0.9, 0.7, 0.6), np.array([RIGHT, [1, 0, 1, 0], LEFT, LEFT], bool)
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]):
        assert join(boxes[order], scores[order], cut[order].tolist())[0] == [[10, 0, 130, 20]]
