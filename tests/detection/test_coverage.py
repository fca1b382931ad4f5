"""Coverage in closed form is what laying out all anchors gives."""

import pytest
import torch

from focalcli.config import AnchorConfig
from focalcli.detection.anchors import pyramid_anchors
from focalcli.detection.boxes import box_iou
from focalcli.detection.coverage import anchor_coverage

SIZE = (160, 224)


def test_no_objects() -> None:
    coverage = anchor_coverage(torch.zeros(0, 4), torch.zeros(0, 2), AnchorConfig(), object_iou=0.5)
    assert [len(column) for column in coverage] == [0, 0, 0]


@pytest.mark.parametrize("convention", ["centered", "torchvision"])
def test_best_overlap_is_exact_and_positives_are_right_on_average(convention: str) -> None:
    config = AnchorConfig(sizes=(16.0, 32.0, 64.0, 128.0, 256.0), convention=convention)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    centre = torch.rand(1500, 2, generator=generator) * torch.tensor([SIZE[1], SIZE[0]])
    side = torch.exp(torch.rand(1500, 2, generator=generator) * 3 + 1.5)
    boxes = torch.cat([centre - side / 2, centre + side / 2], dim=1)
    coverage = anchor_coverage(boxes, torch.tensor([SIZE]).expand(1500, 2), config, object_iou=0.5)
    levels = pyramid_anchors(config, SIZE)
    overlap = box_iou(boxes, torch.cat(levels))
    torch.testing.assert_close(coverage.best_iou, overlap.max(dim=1).values, rtol=0, atol=1e-5)
    expected_level = torch.repeat_interleave(torch.arange(5), torch.tensor([len(x) for x in levels]))
    agree = coverage.level == expected_level[overlap.argmax(dim=1)]
    assert agree.float().mean() > 0.99  # ties between levels may fall either way
    inside = (boxes[:, :2] > 0).all(1) & (boxes[:, 2:] < torch.tensor([SIZE[1], SIZE[0]])).all(1)
    counted = (overlap >= 0.5).sum(dim=1).float()
    assert float(coverage.positives[inside].mean()) == pytest.approx(float(counted[inside].mean()), rel=0.03)


def test_expected_positives_by_hand() -> None:
    """A square anchor on its own shape at threshold t: area 4 (s^2 (1 - c) + c s^2 ln c) with c = 2t / (1 + t)."""
    config = AnchorConfig(sizes=(32.0, 1e4, 1e4, 1e4, 1e4), scales=(1.0,), ratios=(1.0,))
    box = torch.tensor([[20.0, 20.0, 52.0, 52.0]])
    coverage = anchor_coverage(box, torch.tensor([[128, 128]]), config, object_iou=0.5)
    c = torch.tensor(2 / 3)
    area = 4 * 32**2 * ((1 - c) + c * torch.log(c))
    assert coverage.positives.item() == pytest.approx(float(area) / 64, rel=1e-5)
