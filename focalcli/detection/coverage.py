"""How well anchors cover objects, in closed form: no anchor is laid out and no pair of boxes compared.

Overlap falls with the distance of the centres, so the best anchor of a shape is the one of the nearest cell; and the
share of cell positions that overlap enough has an area that can be written down.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import torch
from torch import Tensor

from focalcli.config import AnchorConfig
from focalcli.detection.anchors import STRIDES, cell_anchors

# Objects taken at a time, so that the work arrays stay in the processor's cache.
_BLOCK = 1 << 14


class Coverage(NamedTuple):
    """n objects against all anchors: best_iou (n,), the exact best overlap; level (n,), 0 for P3, of that anchor;

    positives (n,), the expected number of anchors that overlap at least the threshold, over all positions of the
    object on the grid, where it is alone and not at the border.
    """

    best_iou: Tensor
    level: Tensor
    positives: Tensor


def anchor_coverage(boxes: Tensor, image_sizes: Tensor, config: AnchorConfig, *, object_iou: float) -> Coverage:
    """Give the coverage of boxes (n, 4), xyxy in inputs of `image_sizes` (n, 2), height and width; float32.

    `best_iou` is what `matching.match` finds among `pyramid_anchors`; an object is forced onto its best anchor where
    that is below `object_iou`, and lost where it is 0.
    """
    blocks = zip(boxes.float().split(_BLOCK), image_sizes.float().split(_BLOCK), strict=True)
    # A block is too small for torch to share among threads, so the blocks are.
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        parts = list(pool.map(lambda block: _block(block[0], block[1], config, object_iou), blocks))
    if not parts:
        return Coverage(torch.zeros(0), torch.zeros(0, dtype=torch.long), torch.zeros(0))
    return Coverage(*(torch.cat(column) for column in zip(*parts, strict=True)))


def _block(boxes: Tensor, image_sizes: Tensor, config: AnchorConfig, object_iou: float) -> Coverage:
    # Rows are x and y throughout.
    low, high = boxes[:, :2].T, boxes[:, 2:].T
    size, centre = high - low, (low + high) / 2
    best = torch.full((len(boxes),), -1.0)
    level = torch.zeros(len(boxes), dtype=torch.long)
    positives = torch.zeros(len(boxes))
    for number, (base, stride) in enumerate(zip(config.sizes, STRIDES, strict=True)):
        grid = torch.ceil(image_sizes.T.flip(0) / stride)
        step, offset = torch.full_like(grid, stride), 0.5
        if config.convention == "torchvision":
            step, offset = torch.floor(image_sizes.T.flip(0) / grid), 0.0
        distance = centre - (torch.minimum((centre / step - offset).round().clamp_(min=0), grid - 1) + offset) * step
        distance = distance.abs_()
        for anchor in cell_anchors(base, config):
            shape = (anchor[2:] - anchor[:2])[:, None]
            smaller, reach = torch.minimum(size, shape), (size + shape) / 2
            total = size[0] * size[1] + shape[0] * shape[1]
            shared_x, shared_y = torch.minimum(smaller, reach - distance).clamp_(min=0)
            shared = shared_x.mul_(shared_y)
            overlap = shared / (total - shared)
            better = overlap > best
            best = torch.where(better, overlap, best)
            level.masked_fill_(better, number)
            positives += _area(smaller, reach, total * (object_iou / (1 + object_iou))) / (step[0] * step[1])
    return Coverage(best, level, positives)


def _area(smaller: Tensor, reach: Tensor, needed: Tensor) -> Tensor:
    """Give the area (n,) of the centre shifts at which two boxes still share `needed` square pixels.

    smaller, reach (2, n): the smaller of the two sides, and half their sum, in x and y. With shift a in x the boxes
    share u = min(smaller, reach - a) there, and the shift in y may be reach_y - needed / u: integrated over a.
    """
    (mx, my), (sx, sy) = smaller, reach
    most = mx * my
    possible = most > needed
    level = (sx - mx) * (sy - needed / mx)
    slope = sy * (mx - needed / my) - needed * torch.log(most / needed)
    return torch.where(possible, 4 * (level + slope), 0)
