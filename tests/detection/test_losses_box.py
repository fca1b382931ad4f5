"""Box losses by hand, by gradient, and against torchvision."""

import pytest
import torch

from focalcli.config import LossConfig
from focalcli.detection.box_losses import box_loss, predicted_quality
from focalcli.detection.boxes import decode, encode
from focalcli.detection.targets import build_targets, pad_objects

KINDS = ["l1", "smooth-l1", "giou", "diou", "ciou"]


def config(kind: str) -> LossConfig:
    return LossConfig(box=kind)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_no_objects_cost_nothing(kind: str) -> None:
    deltas = torch.zeros(0, 4, requires_grad=True)
    empty = torch.zeros(0, 4)
    loss = box_loss(deltas, empty, empty, empty, config(kind))
    loss.backward()
    assert loss == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_perfect_box_costs_nothing(kind: str) -> None:
    anchors = torch.tensor([[0.0, 0.0, 10.0, 20.0]])
    boxes = torch.tensor([[2.0, 1.0, 14.0, 19.0]])
    deltas = encode(boxes, anchors)
    assert box_loss(deltas, deltas, anchors, boxes, config(kind)).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("l1", 1.0 + 0.05),
        ("smooth-l1", (1.0 - 1 / 18) + 0.05**2 / 2 * 9),
        # moved by its own width: no overlap, hull 20 x 10, so 1 - (0 - 0 / 200); centres 10 apart, diagonal^2 500
        ("giou", 1.0),
        ("diou", 1.0 + 100 / 500),
        ("ciou", 1.0 + 100 / 500),
    ],
)
def test_by_hand(kind: str, expected: float) -> None:
    anchors = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
    shift = torch.tensor([[1.0, 0.05 if "l1" in kind else 0.0, 0.0, 0.0]])
    loss = box_loss(shift, torch.zeros(1, 4), anchors, anchors, config(kind))
    assert loss.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", ["l1", "smooth-l1", "giou", "diou"])
def test_gradcheck(kind: str) -> None:
    """CIoU is left out: its paper holds the weight of the aspect term constant, so its gradient is not the value's."""
    generator = torch.Generator().manual_seed(1)
    anchors = torch.tensor([[0, 0, 10, 20], [5, 5, 40, 30], [8, 1, 30, 60]], dtype=torch.float64)
    deltas = (torch.randn(3, 4, generator=generator, dtype=torch.float64) / 4).requires_grad_()
    boxes = decode(torch.randn(3, 4, generator=generator, dtype=torch.float64) / 4, anchors)
    target = encode(boxes, anchors)
    assert torch.autograd.gradcheck(lambda d: box_loss(d, target, anchors, boxes, config(kind)), (deltas,))


def test_quality_is_the_overlap_of_the_predicted_box() -> None:
    """Anchor = object = 10 x 10; moved by half its width the prediction overlaps 50 of 150."""
    anchors = torch.tensor([[0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 60.0, 60.0]])
    targets = build_targets(pad_objects([anchors[:1]], [torch.tensor([2])]), anchors, LossConfig())
    quality = predicted_quality(torch.tensor([[0.5, 0.0, 0.0, 0.0]]), targets)
    assert quality.tolist() == [[pytest.approx(1 / 3), 0.0]]
