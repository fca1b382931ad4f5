"""Box losses over the anchors that have an object: on the deltas, or on the overlap of the boxes they stand for."""

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import complete_box_iou_loss, distance_box_iou_loss, generalized_box_iou_loss

from focalcli.config import LossConfig
from focalcli.detection.boxes import box_area, decode
from focalcli.detection.targets import Targets

# 1 - GIoU (arXiv 1902.09630), 1 - IoU + distance (arXiv 1911.08287, eq. 7), and that plus aspect ratio (eq. 10).
_OVERLAP = {"giou": generalized_box_iou_loss, "diou": distance_box_iou_loss, "ciou": complete_box_iou_loss}


def box_loss(deltas: Tensor, target_deltas: Tensor, anchors: Tensor, boxes: Tensor, config: LossConfig) -> Tensor:
    """Give the sum of the box loss over P anchors with an object, a float32 scalar; 0 for none.

    deltas, target_deltas (P, 4) predicted and true; anchors, boxes (P, 4) xyxy pixels, the anchor and its object.
    `l1` and `smooth-l1` compare deltas, the others decoded boxes. `config.box_weight` is left to the caller.
    """
    if deltas.dtype != torch.float64:
        deltas = deltas.float()
    if config.box == "l1":
        return F.l1_loss(deltas, target_deltas.to(deltas.dtype), reduction="sum")
    if config.box == "smooth-l1":
        return F.smooth_l1_loss(deltas, target_deltas.to(deltas.dtype), reduction="sum", beta=config.box_beta)
    predicted = decode(deltas, anchors.to(deltas.dtype))
    loss: Tensor = _OVERLAP[config.box](predicted, boxes.to(deltas.dtype), reduction="sum")
    return loss


@torch.no_grad()
def predicted_quality(deltas: Tensor, targets: Targets) -> Tensor:
    """Give the overlap (N, R) of each object's predicted box with the object, from P deltas (P, 4); 0 elsewhere.

    The soft target of quality-focal and varifocal loss.
    """
    quality = torch.zeros(targets.classes.shape, dtype=torch.float32, device=deltas.device)
    predicted = decode(deltas.float(), targets.anchors)
    overlap = torch.minimum(predicted[:, 2:], targets.boxes[:, 2:]) - torch.maximum(
        predicted[:, :2], targets.boxes[:, :2]
    )
    shared = overlap.clamp(min=0).prod(dim=1)
    union = box_area(predicted) + box_area(targets.boxes) - shared
    quality.view(-1)[targets.positives] = shared / union.clamp(min=1e-9)
    return quality
