"""Online hard example mining: which anchors of each image the loss is computed on. A baseline for focal loss.

Shrivastava et al. 2016, arXiv 1604.03540; for one-stage detectors as Lin et al. 2017, arXiv 1708.02002, section 5.1.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import nms

from focalcli.config import LossConfig
from focalcli.detection.targets import BACKGROUND, IGNORED

# Suppression looks at this many times the examples wanted, the hardest first.
_CANDIDATES = 16


@torch.no_grad()
def hard_examples(logits: Sequence[Tensor], targets: Tensor, anchors: Tensor | None, config: LossConfig) -> Tensor:
    """Give `targets` (N, R) with all but the hardest anchors of each image set to `IGNORED`.

    1. An anchor's hardness is its cross-entropy over all classes. 2. Of anchors (R, 4) that overlap more than
    `config.ohem_nms` only the hardest stays (skipped where either is None). 3. The `config.ohem_examples` hardest
    stay; balanced, a quarter of them at most have an object, and three times as many have not.
    """
    losses = _cross_entropy(logits, targets)
    chosen = torch.full_like(targets, IGNORED)
    for image, (hardness, own) in enumerate(zip(losses, targets, strict=True)):
        rows = hardness.argsort(descending=True, stable=True)[: int((own != IGNORED).sum())]
        if anchors is not None and config.ohem_nms is not None:
            rows = rows[: _CANDIDATES * config.ohem_examples]
            rows = rows[nms(anchors[rows], hardness[rows], config.ohem_nms)]
        rows = _balanced(rows, own, config.ohem_examples) if config.ohem_balanced else rows[: config.ohem_examples]
        chosen[image, rows] = own[rows]
    return chosen


def _balanced(rows: Tensor, own: Tensor, examples: int) -> Tensor:
    """Give the hardest rows with one object to three of background; at least one background."""
    objects, background = rows[own[rows] >= 0], rows[own[rows] == BACKGROUND]
    objects = objects[: max(examples // 4, 1)]
    return torch.cat([objects, background[: max(3 * len(objects), 1)]])


def _cross_entropy(logits: Sequence[Tensor], targets: Tensor) -> Tensor:
    """Give the cross-entropy (N, R) of every anchor, summed over classes; -1 where ignored."""
    sizes = [level.shape[1] for level in logits]
    parts = []
    for level, own in zip(logits, targets.split(sizes, dim=1), strict=True):
        x = level.float()
        at_own = x.gather(2, own.clamp(min=0)[..., None])[..., 0]
        loss = -F.logsigmoid(-x).sum(dim=2) - torch.where(own >= 0, at_own, 0)
        parts.append(torch.where(own == IGNORED, -1, loss))
    return torch.cat(parts, dim=1)
