"""Which anchor is trained on which object: three states by overlap, and a best anchor for every object."""

from enum import IntEnum
from typing import NamedTuple

import torch
from torch import Tensor

from focalcli.detection.boxes import box_iou

# Anchors are compared with objects in blocks of this many pairs, so that the overlaps stay in the processor's cache.
_BLOCK = 1 << 18


class State(IntEnum):
    """What an anchor is to the loss."""

    OBJECT = 1
    BACKGROUND = 0
    IGNORE = -1


class Match(NamedTuple):
    """Anchors against objects: object_index (N, R) of the best object, state (N, R) of `State`, forced (N, M) bool.

    object_index means something only where the state is OBJECT. `forced` marks the objects whose best
    anchors overlap less than `object_iou` and were given to them all the same.
    """

    object_index: Tensor
    state: Tensor
    forced: Tensor


def match(boxes: Tensor, present: Tensor, anchors: Tensor, *, object_iou: float, background_iou: float) -> Match:
    """Match anchors (R, 4) to the objects (N, M, 4) of N images; `present` (N, M) is False for padding.

    1. An anchor belongs to the object it overlaps most. 2. It is OBJECT from `object_iou`, BACKGROUND below
    `background_iou`, IGNORE between (Lin et al. 2017, section 4: .5 and .4). 3. The anchors that overlap an object
    best, all of them where several are equal, are OBJECT too, for the object that the anchor overlaps most
    (torchvision and Detectron2: `allow_low_quality_matches`). An object that touches no anchor gets none.
    """
    num_images, num_objects = present.shape
    if num_objects == 0:
        index = torch.zeros(num_images, len(anchors), dtype=torch.long, device=anchors.device)
        return Match(index, torch.full_like(index, State.BACKGROUND), present)
    boxes = torch.where(present[..., None], boxes, 0)  # an empty box overlaps nothing
    blocks = anchors.split(max(_BLOCK // (num_images * num_objects), 1))
    overlap, index, best = _best_overlaps(boxes, blocks)
    state = (overlap >= object_iou).long() - ((overlap >= background_iou) & (overlap < object_iou)).long()
    forced = (best > 0) & (best < object_iou)
    # The best anchors of all other objects are OBJECT already. On a GPU asking would cost more than looking.
    if boxes.is_cuda or forced.any():
        wanted = torch.where(forced, best, -1)[..., None]
        equal = torch.cat([(box_iou(boxes, block) == wanted).any(dim=1) for block in blocks], dim=1)
        state = torch.where(equal, State.OBJECT, state)
    return Match(index, state, forced)


def _best_overlaps(boxes: Tensor, blocks: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Give the best overlap and its object for anchors (N, R), and the best overlap of objects (N, M)."""
    overlaps, indices, bests = [], [], []
    for block in blocks:
        iou = box_iou(boxes, block)
        overlap, index = iou.max(dim=1)
        overlaps.append(overlap)
        indices.append(index)
        bests.append(iou.amax(dim=2))
    return torch.cat(overlaps, 1), torch.cat(indices, 1), torch.stack(bests).amax(dim=0)
