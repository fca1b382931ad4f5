"""Box arithmetic against numbers worked out by hand, and its laws."""

import math

import torch

from focalcli.detection.boxes import SIZE_CLAMP, box_area, box_iou, clip_boxes, decode, encode


def test_no_boxes_give_no_numbers() -> None:
    none = torch.zeros(0, 4)
    assert box_area(none).shape == (0,)
    assert box_iou(none, torch.ones(3, 4)).shape == (0, 3)
    assert encode(none, none).shape == decode(none, none).shape == (0, 4)


def test_iou_by_hand() -> None:
    """10 x 10 against itself: 1; shifted by half: 50 / 150; touching at an edge: 0; empty: 0."""
    first = torch.tensor([[0.0, 0, 10, 10]])
    second = torch.tensor([[0.0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [3, 3, 3, 3]])
    torch.testing.assert_close(box_iou(first, second), torch.tensor([[1.0, 1 / 3, 0.0, 0.0]]))


def test_iou_of_two_empty_boxes_is_0() -> None:
    assert box_iou(torch.zeros(1, 4), torch.zeros(1, 4)).item() == 0


def test_clip_keeps_corners_in_the_image() -> None:
    boxes = torch.tensor([[-5.0, -1, 50, 20], [3, 4, 5, 6]])
    expected = torch.tensor([[0.0, 0, 30, 20], [3, 4, 5, 6]])
    torch.testing.assert_close(clip_boxes(boxes, torch.tensor([25, 30])), expected)


def test_encode_by_hand() -> None:
    """Anchor 10 x 20 at centre (5, 10), box 20 x 20 at (10, 15): shift 5/10 and 5/20, sizes ln 2 and ln 1."""
    deltas = encode(torch.tensor([[0.0, 5, 20, 25]]), torch.tensor([[0.0, 0, 10, 20]]))
    torch.testing.assert_close(deltas, torch.tensor([[0.5, 0.25, math.log(2), 0.0]]))


def test_decode_inverts_encode() -> None:
    generator = torch.Generator().manual_seed(3)
    corner = torch.rand(2, 100, 2, generator=generator) * 100
    boxes, anchors = torch.cat([corner, corner + 1 + torch.rand(2, 100, 2, generator=generator) * 90], -1)
    torch.testing.assert_close(decode(encode(boxes, anchors), anchors), boxes, atol=1e-3, rtol=0)


def test_decode_never_overflows() -> None:
    box = decode(torch.tensor([[0.0, 0, 1000, 1000]]), torch.tensor([[0.0, 0, 16, 16]]))
    torch.testing.assert_close(box[0, 2] - box[0, 0], torch.tensor(16 * math.exp(SIZE_CLAMP)))
