"""What the network should have said: from objects to class targets and box targets, batched over images."""

from typing import NamedTuple

import torch
from torch import Tensor

from focalcli.config import LossConfig
from focalcli.detection.boxes import encode
from focalcli.detection.matching import State, match

BACKGROUND = -1
IGNORED = -2


class Objects(NamedTuple):
    """The objects of a batch, padded: boxes (N, M, 4) in the network frame, classes (N, M), present (N, M) bool."""

    boxes: Tensor
    classes: Tensor
    present: Tensor


class Targets(NamedTuple):
    """Targets of a batch. classes (N, R): class index, BACKGROUND or IGNORED. The rest describes the P positives:

    positives (P,) positions in the flattened (N * R); boxes (P, 4) and anchors (P, 4) xyxy; deltas (P, 4);
    forced (), the number of objects that only their best anchor below the threshold stands for.
    """

    classes: Tensor
    positives: Tensor
    boxes: Tensor
    anchors: Tensor
    deltas: Tensor
    forced: Tensor


@torch.no_grad()
def build_targets(objects: Objects, anchors: Tensor, config: LossConfig) -> Targets:
    """Match anchors (R, 4) with the objects of N images and say what each anchor should answer."""
    matched = match(
        objects.boxes,
        objects.present,
        anchors,
        object_iou=config.object_iou,
        background_iou=config.background_iou,
    )
    classes = torch.where(matched.state == State.IGNORE, IGNORED, BACKGROUND)
    positives = (matched.state == State.OBJECT).flatten().nonzero()[:, 0]
    num_anchors = len(anchors)
    image = positives // num_anchors
    index = matched.object_index.flatten()[positives]
    classes.view(-1)[positives] = objects.classes[image, index]
    boxes = objects.boxes[image, index]
    anchors = anchors[positives - image * num_anchors]
    return Targets(classes, positives, boxes, anchors, encode(boxes, anchors), matched.forced.sum())


def pad_objects(boxes: list[Tensor], classes: list[Tensor]) -> Objects:
    """Stack the objects of N images, (m_i, 4) boxes and (m_i,) classes, padding to the largest m."""
    num_objects = max((len(b) for b in boxes), default=0)
    padded = torch.zeros(len(boxes), num_objects, 4)
    labels = torch.zeros(len(boxes), num_objects, dtype=torch.long)
    present = torch.zeros(len(boxes), num_objects, dtype=torch.bool)
    for i, (image_boxes, image_classes) in enumerate(zip(boxes, classes, strict=True)):
        padded[i, : len(image_boxes)] = image_boxes
        labels[i, : len(image_boxes)] = image_classes
        present[i, : len(image_boxes)] = True
    return Objects(padded, labels, present)
