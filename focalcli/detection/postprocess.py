"""From logits and deltas to detections, in two halves that meet at a fixed shape.

`candidates` has static shapes and is exported to ONNX as it is; `select` keeps what passes threshold and NMS.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.ops import batched_nms

from focalcli.config import PostprocessConfig
from focalcli.detection.boxes import clip_boxes, decode
from focalcli.detection.retinanet import HeadOutputs


class Candidates(NamedTuple):
    """The best anchor-class pairs of every level, before NMS: boxes (N, K, 4), scores (N, K), classes (N, K)."""

    boxes: Tensor
    scores: Tensor
    classes: Tensor


class Found(NamedTuple):
    """Padded detections, scores descending: boxes (N, D, 4), scores (N, D), classes (N, D), counts (N,).

    Padding has box and score 0 and class -1.
    """

    boxes: Tensor
    scores: Tensor
    classes: Tensor
    counts: Tensor


def candidates(outputs: HeadOutputs, anchors: list[Tensor], *, per_level: int, temperature: float = 1.0) -> Candidates:
    """Give the `per_level` best anchor-class pairs of each level, decoded, unclipped; scores are sigmoid(logit / T)."""
    boxes, logits, classes = [], [], []
    for level_logits, level_deltas, level_anchors in zip(outputs.logits, outputs.deltas, anchors, strict=True):
        num_classes = level_logits.shape[-1]
        flat = level_logits.float().flatten(1)
        best, place = flat.topk(min(per_level, flat.shape[1]), dim=1)
        anchor = torch.div(place, num_classes, rounding_mode="floor")
        deltas = level_deltas.float().gather(1, anchor[..., None].expand(-1, -1, 4))
        boxes.append(decode(deltas, level_anchors[anchor]))
        logits.append(best)
        classes.append(place - anchor * num_classes)
    scores = torch.sigmoid(torch.cat(logits, 1) / temperature)
    return Candidates(torch.cat(boxes, 1), scores, torch.cat(classes, 1))


def select(found: Candidates, image_sizes: Tensor, config: PostprocessConfig) -> Found:
    """Keep what passes the threshold, clip it to `image_sizes` (N, 2), and remove doubles of the same class."""
    num_images, limit = len(found.scores), config.max_detections
    boxes = found.boxes.new_zeros(num_images, limit, 4)
    scores = found.scores.new_zeros(num_images, limit)
    classes = found.classes.new_full((num_images, limit), -1)
    counts = found.classes.new_zeros(num_images)
    clipped = clip_boxes(found.boxes, image_sizes[:, None, :])
    passing = found.scores > thresholds_of(found.classes, config)
    for i in range(num_images):
        rows = passing[i].nonzero()[:, 0]
        kept = batched_nms(clipped[i, rows], found.scores[i, rows], found.classes[i, rows], config.nms_iou)[:limit]
        rows = rows[kept]
        counts[i] = len(rows)
        boxes[i, : len(rows)] = clipped[i, rows]
        scores[i, : len(rows)] = found.scores[i, rows]
        classes[i, : len(rows)] = found.classes[i, rows]
    return Found(boxes, scores, classes, counts)


def thresholds_of(classes: Tensor, config: PostprocessConfig) -> Tensor | float:
    """Give the score threshold of each candidate: one for all, or its class's own."""
    if config.class_thresholds is None:
        return config.score_threshold
    return torch.tensor(config.class_thresholds, device=classes.device)[classes]


def detect(
    outputs: HeadOutputs, anchors: list[Tensor], image_size: tuple[int, int], config: PostprocessConfig
) -> Found:
    """Run both halves for a batch whose images all fill the network input `image_size`."""
    found = candidates(outputs, anchors, per_level=config.candidates, temperature=config.temperature)
    sizes = torch.tensor([image_size], device=found.boxes.device).expand(len(found.boxes), 2)
    return select(found, sizes, config)
