"""Which gamma and alpha suit a data set: the same last layer trained anew for each, on features computed once.

Backbone, pyramid and towers stay as the model has them; what differs between settings is the loss alone. So it ranks
losses for a network that is there; a training from the start may move further apart what is close here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from focalcli.config import LossConfig, ModelConfig
from focalcli.dataset.types import Dataset
from focalcli.detection.postprocess import detect
from focalcli.detection.retinanet import HeadOutputs, RetinaNet
from focalcli.errors import DataError
from focalcli.evaluation.bootstrap import Interval, interval, resample
from focalcli.evaluation.coco import Evaluator, matches_of
from focalcli.evaluation.columns import Floats, truth_of
from focalcli.evaluation.metrics import scorer, summarize
from focalcli.images.fit import Fit
from focalcli.inference.detections import Detections
from focalcli.insight import side_by_side
from focalcli.insight.search import SETTINGS, named
from focalcli.insight.side_by_side import Features, features, fit_layers, logits_of
from focalcli.training.coverage import learnable

PHOTOS = 160  # at most, to train on; features are kept in memory
RESAMPLES = 100


@dataclass(frozen=True, slots=True)
class Trial:
    """One setting and what it reached on the evaluation photos: AP, AP50, and AP of every resample of the photos.

    All trials draw the same photos, so the difference of two trials' `resampled` says which is better.
    """

    loss: LossConfig
    ap: float
    ap50: float
    resampled: Floats = field(repr=False)

    @property
    def interval(self) -> Interval:
        """Give the 95 % interval of AP."""
        return interval(self.resampled)

    def behind(self, best: "Trial") -> Interval:
        """Give the 95 % interval of how far AP lies below another trial's."""
        return interval(best.resampled - self.resampled)

    def as_dict(self, best: "Trial | None" = None) -> dict[str, Any]:
        """Give plain values; with another trial, how far this one is behind it."""
        row = {**named(self.loss), "AP": round(self.ap, 4), "AP_95%": _rounded(self.interval)}
        behind = {} if best is None or best is self else {"behind_95%": _rounded(self.behind(best))}
        return {**row, "AP50": round(self.ap50, 4), **behind}


def tune(
    model: RetinaNet,
    train: Dataset,
    test: Dataset,
    *,
    seed: int,
    settings: Sequence[LossConfig] = SETTINGS,
    steps: int = side_by_side.STEPS,
) -> list[Trial]:
    """Try every setting; give the trials, best AP first. The model is not changed.

    Raises:
        DataError: there is no photo to train on, or no object to evaluate on.
    """
    if not len(learnable(train)) or truth_of(test).region.all():  # crowds are neither learned nor found
        raise DataError(train.root, "tuning needs objects to train on and objects to evaluate on", "add a val split")
    seen = list(features(model, train.take_images(_spread(len(train.images)))))
    layers = fit_layers(model.config, settings, seen, seed=seed, steps=steps)
    held_out = list(features(model, test))
    trials = [
        measure(model.config, loss, layer, test, held_out, seed) for loss, layer in zip(settings, layers, strict=True)
    ]
    return sorted(trials, key=lambda trial: -trial.ap)


@torch.no_grad()
def measure(
    config: ModelConfig, loss: LossConfig, layer: nn.Conv2d, dataset: Dataset, photos: Sequence[Features], seed: int
) -> Trial:
    """Detect with a trained layer and the model's boxes; give what it reached."""
    fit, evaluator = Fit.of(config), Evaluator(dataset)
    data_class = {category.name: i for i, category in enumerate(dataset.categories)}
    to_data = np.array([data_class.get(info.name, -1) for info in config.classes])
    for photo in photos:
        image = dataset.images[photo.position]
        size = (image.height, image.width)
        outputs = HeadOutputs(logits_of(layer, photo, config.num_classes), photo.deltas)
        found = detect(outputs, photo.anchors, photo.input_size, config.postprocess)
        count = int(found.counts[0])
        boxes, scores, classes = (part[0, :count].cpu().numpy() for part in found[:3])
        mapped = to_data[classes]
        rows = mapped >= 0
        evaluator.add(photo.position, Detections(fit.undo(boxes[rows], size), scores[rows], mapped[rows]))
    matches = matches_of(dataset, evaluator.predictions())
    values = summarize(matches, dataset.categories).values
    drawn = resample(scorer(matches), matches.truth.num_images, resamples=RESAMPLES, seed=seed)
    return Trial(loss, values["AP"], values["AP50"], drawn.all["AP"])


def budget(train: Dataset, test: Dataset, *, steps: int) -> dict[str, Any]:
    """Say what every setting is given: the same for all."""
    return {
        "trained": "last layer of the class head, from its prior, on frozen features",
        "photos": min(len(train.images), PHOTOS),
        "of": len(train.images),
        "steps": steps,
        "batch": side_by_side.BATCH,
        "measured_on": len(test.images),
        "resamples": RESAMPLES,
    }


def _spread(count: int) -> np.ndarray:
    """Give the positions of at most `PHOTOS` of `count` photos, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, PHOTOS)).round().astype(np.int64))


def _rounded(bounds: Interval) -> list[float]:
    return [round(value, 4) for value in bounds]
