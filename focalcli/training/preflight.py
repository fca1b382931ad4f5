"""What can be known before the first step: do anchors reach the objects, do the losses fit together, is there room."""

import shutil
from pathlib import Path

import msgspec
import numpy as np
import torch

from focalcli.config import AnchorConfig, ModelConfig
from focalcli.dataset.types import Dataset
from focalcli.errors import ConfigError, IoError
from focalcli.images.fit import Fit
from focalcli.losses import coupling_warning
from focalcli.training.coverage import coverage, learnable

# Shares of objects with an anchor that overlaps them by `object_iou`: below these a warning, an error.
WARN_BELOW, REFUSE_BELOW = 0.90, 0.60

_STATES = 6  # model, average, two moments and the previous state, and the model to use: all of one size


def doubts(model: ModelConfig, train: Dataset, *, force: bool) -> list[str]:
    """Say what of the losses and the anchors is likely to cost accuracy on this data; nothing where all is well.

    Raises:
        ConfigError: fewer than 60 % of the objects are reached by an anchor, and `force` is off.
    """
    found = []
    loss = model.loss
    gamma = {"focal": loss.gamma, "balanced-ce": 0.0}.get(loss.kind)
    if gamma is not None and (warning := coupling_warning(loss.alpha, gamma)):
        found.append(f"warning: {warning}")
    reached = _reached(train, model, model.anchors)
    share = float(reached.mean()) if len(reached) else 1.0
    if share >= WARN_BELOW:
        return found + _worst_class(train, reached, loss.object_iou)
    fact = f"anchors reach {share:.0%} of the objects (overlap of {loss.object_iou:g} or more)"
    remedy = _remedy(train, model, share)
    if share < REFUSE_BELOW and not force:
        raise ConfigError("anchors", fact, f"{remedy}, or train all the same with --force")
    return [*found, f"warning: {fact}; {remedy}"]


def _reached(train: Dataset, model: ModelConfig, anchors: AnchorConfig) -> np.ndarray:
    """Say of each object whether an anchor overlaps it enough at the training size."""
    found = coverage(train, Fit.of(model), anchors, object_iou=model.loss.object_iou)
    reached: np.ndarray = (found.best_iou >= model.loss.object_iou).numpy()
    return reached


def _worst_class(train: Dataset, reached: np.ndarray, object_iou: float) -> list[str]:
    """Name the class that anchors reach worst, where that is below the limit although all together are not."""
    classes = train.boxes.category[learnable(train)]
    shares = [(float(reached[classes == c].mean()), c) for c in np.unique(classes)]
    share, worst = min(shares, default=(1.0, 0))
    if share >= WARN_BELOW:
        return []
    name = train.categories[worst].name
    return [
        f"warning: anchors reach {share:.0%} of the class {name!r}; `focalcli insight anchors --fit` shows what helps"
    ]


def _remedy(train: Dataset, model: ModelConfig, share: float) -> str:
    """Give the flag that helps most, measured: smaller or larger anchors."""
    smallest = model.anchors.sizes[0]
    best, size = share, smallest
    for candidate in (smallest / 2, smallest / 4, smallest * 2):
        sizes = tuple(candidate * s / smallest for s in model.anchors.sizes)
        got = float(_reached(train, model, msgspec.structs.replace(model.anchors, sizes=sizes)).mean())
        if got > best + 0.02:
            best, size = got, candidate
    if size == smallest:
        return f"a larger --min-size than {model.fit.min_size} may help, see `focalcli insight anchors`"
    return f"--anchor-size {size:g} would reach {best:.0%}"


def check_room(folder: Path, model: torch.nn.Module) -> None:
    """Refuse to start where the disk cannot hold what the training will save.

    Raises:
        IoError: too little space; how much is needed is said.
    """
    needed = _STATES * sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise IoError(
            folder, f"{free >> 20} MiB are free, {needed >> 20} MiB are needed", "free some, or choose another -o"
        )
