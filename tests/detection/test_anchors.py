"""Anchors against hand-worked boxes; the pyramid against its laws. torchvision's convention: tests/oracle."""

from itertools import pairwise

import pytest
import torch

from focalcli.config import AnchorConfig
from focalcli.detection.anchors import STRIDES, cell_anchors, grid_anchors, level_sizes, pyramid_anchors


def test_cell_anchors_by_hand() -> None:
    """Size 32: ratio 1 is 32 x 32; ratio 4 is 16 wide and 64 high; the area stays 1024."""
    anchors = cell_anchors(32, AnchorConfig(scales=(1.0,), ratios=(1.0, 4.0)))
    torch.testing.assert_close(anchors, torch.tensor([[-16.0, -16, 16, 16], [-8, -32, 8, 32]]))


def test_grid_anchors_go_row_by_row_from_half_a_stride() -> None:
    centres = grid_anchors(torch.tensor([[-1.0, -1, 1, 1]]), (2, 3), (8, 8), 0.5)[:, :2] + 1
    expected = [[4, 4], [12, 4], [20, 4], [4, 12], [12, 12], [20, 12]]
    torch.testing.assert_close(centres, torch.tensor(expected, dtype=torch.float32))


def test_the_pyramid_has_nine_anchors_a_cell_on_five_levels() -> None:
    """320 x 448: 40 x 56, 20 x 28, 10 x 14, 5 x 7, 3 x 4 cells."""
    levels = pyramid_anchors(AnchorConfig(), (320, 448))
    assert [len(level) for level in levels] == [9 * n for n in (2240, 560, 140, 35, 12)]


@pytest.mark.parametrize("image_size", [(32, 32), (96, 608), (800, 1344)], ids=str)
def test_levels_are_what_strided_convolutions_leave(image_size: tuple[int, int]) -> None:
    sizes = level_sizes(image_size)
    assert sizes[0] == (image_size[0] // 8, image_size[1] // 8)
    for (h, w), (next_h, next_w) in pairwise(sizes):
        assert (next_h, next_w) == ((h + 1) // 2, (w + 1) // 2)


def test_centred_anchors_are_symmetric_in_the_image() -> None:
    """Mirroring an image that is a multiple of every stride mirrors its anchors onto themselves."""
    for level, stride in zip(pyramid_anchors(AnchorConfig(ratios=(1.0,)), (256, 256)), STRIDES, strict=True):
        x = (level[:, 0] + level[:, 2]) / 2
        torch.testing.assert_close(x.sort().values, (256 - x).sort().values)
        assert x.min() == stride / 2
