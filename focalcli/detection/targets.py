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

    positives (P,) positions in the flattened (N * R); objects (P,) places among those of the image; boxes (P, 4) and
    anchors (P, 4) xyxy; deltas (P, 4).
    forced (N,), the number of objects that only their best anchor below the threshold stands for.
    """

    classes: Tensor
    positives: Tensor
    objects: Tensor
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
    places = matched.object_index.flatten()[positives]
    return describe(classes, positives, places, objects, anchors, forced=matched.forced.sum(dim=1))


@torch.no_grad()
def describe(
    classes: Tensor, positives: Tensor, places: Tensor, objects: Objects, anchors: Tensor, *, forced: Tensor
) -> Targets:
    """Give the targets of anchors (R, 4) when it is known which are positive, and for which of their image's objects.

    classes (N, R), where only positives are still wrong, are made right in place.
    """
    image = positives // len(anchors)
    classes.view(-1)[positives] = objects.classes[image, places]
    boxes = objects.boxes[image, places]
    anchors = anchors[positives - image * len(anchors)]
    return Targets(classes, positives, places, boxes, anchors, encode(boxes, anchors), forced)


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
