"""Box arithmetic: areas, overlaps, clipping, coding against anchors. Boxes are xyxy pixels, (..., 4)."""

import math

import torch
from torch import Tensor

# Keeps exp() finite: a box is at most 1000/16 times its anchor (Detectron2, torchvision).
SIZE_CLAMP = math.log(1000.0 / 16)


def box_area(boxes: Tensor) -> Tensor:
    """Give (...) areas in square pixels of (..., 4) boxes."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def box_iou(first: Tensor, second: Tensor) -> Tensor:
    """Give the overlaps (..., M, R) of `first` (..., M, 4) with every box of `second` (R, 4); 0 where an area is 0."""
    x1, y1, x2, y2 = first[..., None, :].unbind(-1)
    u1, v1, u2, v2 = second.T.contiguous()  # a CPU compares neighbours in memory many at a time
    width = (torch.minimum(x2, u2) - torch.maximum(x1, u1)).clamp_(min=0)
    height = (torch.minimum(y2, v2) - torch.maximum(y1, v1)).clamp_(min=0)
    overlap = width.mul_(height)
    union = (box_area(first)[..., None] + box_area(second)).sub_(overlap)
    return overlap.div_(union.clamp_(min=1e-9))


def clip_boxes(boxes: Tensor, image_size: Tensor) -> Tensor:
    """Move the corners of (..., 4) boxes into images of `image_size` (..., 2), height and width."""
    height, width = image_size.to(boxes.dtype).unbind(-1)
    limit = torch.stack([width, height, width, height], dim=-1)
    return torch.minimum(boxes.clamp(min=0), limit)


def encode(boxes: Tensor, anchors: Tensor) -> Tensor:
    """Give deltas (..., 4) that move anchors onto boxes: centre shift over anchor size, log size ratio.

    Girshick et al. 2014, arXiv 1311.2524, appendix C, without weights. Inverse of `decode` while sizes stay below the
    clamp. Sizes must be positive.
    """
    anchor_size = anchors[..., 2:] - anchors[..., :2]
    box_size = boxes[..., 2:] - boxes[..., :2]
    shift = (boxes[..., :2] + boxes[..., 2:] - anchors[..., :2] - anchors[..., 2:]) / (2 * anchor_size)
    return torch.cat([shift, torch.log(box_size / anchor_size)], dim=-1)


def decode(deltas: Tensor, anchors: Tensor) -> Tensor:
    """Give the boxes (..., 4) that deltas (..., 4) make of anchors (..., 4). Inverse of `encode`."""
    anchor_size = anchors[..., 2:] - anchors[..., :2]
    centre = (anchors[..., :2] + anchors[..., 2:]) / 2 + deltas[..., :2] * anchor_size
    half = torch.exp(deltas[..., 2:].clamp(max=SIZE_CLAMP)) * anchor_size / 2
    return torch.cat([centre - half, centre + half], dim=-1)
