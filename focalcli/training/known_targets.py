"""Targets of views that come again, kept in memory: which anchors are no background, and for which object.

With features from the disk, finding the targets anew took 33 to 63 ms of a step of about 700 (8 photos of 448 x 448
with up to 18 objects, two cores).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from focalcli.config import LossConfig
from focalcli.detection.targets import BACKGROUND, IGNORED, Objects, Targets, build_targets, describe
from focalcli.training.samples import Key

_BYTES = 256 << 20  # 70,000 views of 300 positives each; what does not fit is found anew
_OVERHEAD = 600  # bytes of a view's Python objects


class _Known(NamedTuple):
    """Of one view, in 32 bits: positive anchors (p,) and their objects (p,), ignored anchors (q,); and how many objects
    are forced upon anchors.
    """

    positives: Tensor
    objects: Tensor
    ignored: Tensor
    forced: int


@dataclass
class KnownTargets:
    """Gives the targets of batches, for one configuration of the loss."""

    config: LossConfig
    room: int = _BYTES
    _kept: dict[tuple[Key, tuple[int, int]], _Known] = field(default_factory=dict)

    def of(self, keys: Sequence[Key], objects: Objects, anchors: Tensor, input_size: tuple[int, int]) -> Targets:
        """Give the targets of views, padded to an input of this size with anchors (R, 4), as `build_targets` does.

        They are the same to the bit. Views of one key have the same objects always.
        """
        views = [self._kept.get((key, input_size)) for key in keys]
        missing = [i for i, view in enumerate(views) if view is None]
        if missing:
            found = build_targets(Objects(*(part[missing] for part in objects)), anchors, self.config)
            for row, i in enumerate(missing):
                views[i] = self._kept_if_it_fits((keys[i], input_size), _one(found, row))
        return _together([view for view in views if view is not None], objects, anchors)

    def _kept_if_it_fits(self, name: tuple[Key, tuple[int, int]], view: _Known) -> _Known:
        size = _OVERHEAD + sum(part.nbytes for part in view[:3])
        if size <= self.room:
            self.room -= size
            self._kept[name] = view
        return view


def _one(targets: Targets, i: int) -> _Known:
    """Give what is to be known of the i-th image of a batch."""
    num_anchors = targets.classes.shape[1]
    mine = targets.positives // num_anchors == i
    return _Known(
        positives=(targets.positives[mine] - i * num_anchors).int(),
        objects=targets.objects[mine].int(),
        ignored=(targets.classes[i] == IGNORED).nonzero()[:, 0].int(),
        forced=int(targets.forced[i]),
    )


def _together(views: Sequence[_Known], objects: Objects, anchors: Tensor) -> Targets:
    """Give the targets of a batch of known views."""
    num_anchors = len(anchors)
    classes = torch.full((len(views), num_anchors), BACKGROUND, dtype=torch.long)
    classes.view(-1)[_flat([view.ignored for view in views], num_anchors)] = IGNORED
    positives = _flat([view.positives for view in views], num_anchors)
    places = torch.cat([view.objects for view in views]).long()
    forced = torch.tensor([view.forced for view in views])
    return describe(classes, positives, places, objects, anchors, forced=forced)


def _flat(parts: Sequence[Tensor], num_anchors: int) -> Tensor:
    """Turn positions among the anchors of each image into positions among those of all."""
    return torch.cat([part.long() + i * num_anchors for i, part in enumerate(parts)])
