"""Which gamma and alpha suit a data set: the same last layer trained anew for each, on features computed once.

Backbone, pyramid and towers stay as the model has them, so a setting costs seconds; what differs between settings is
the loss alone. The budget is the same for all: same start, same photos in the same order, same number of steps.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from focalcli.config import LossConfig, ModelConfig
from focalcli.dataset.types import Dataset
from focalcli.detection.heads import by_anchor, prior_bias
from focalcli.detection.losses import classification_loss
from focalcli.detection.postprocess import detect
from focalcli.detection.retinanet import HeadOutputs, RetinaNet
from focalcli.errors import DataError
from focalcli.evaluation.bootstrap import Interval
from focalcli.evaluation.coco import Evaluator, matches_of
from focalcli.evaluation.metrics import summarize
from focalcli.evaluation.reasons import intervals
from focalcli.images.fit import Fit
from focalcli.inference.detections import Detections
from focalcli.insight.observe import observe

# Gamma with its alphas: the pairs about the paper's Table 1b; FL* and OHEM as its appendix and Table 1d have them.
SETTINGS: tuple[LossConfig, ...] = (
    *(LossConfig(gamma=0.0, alpha=alpha) for alpha in (0.5, 0.75, 0.9)),
    LossConfig(gamma=0.5, alpha=0.5),
    *(LossConfig(gamma=1.0, alpha=alpha) for alpha in (0.25, 0.5)),
    *(LossConfig(gamma=2.0, alpha=alpha) for alpha in (0.25, 0.5, 0.75)),
    LossConfig(gamma=5.0, alpha=0.25),
    LossConfig(kind="focal-star", gamma=2.0, beta=1.0, alpha=0.25),
    LossConfig(kind="ohem"),
)
_PHOTOS = 160  # at most, to train on; features are kept in memory
_STEPS, _BATCH, _RATE = 160, 4, 3e-3
_RESAMPLES = 100


class Features(NamedTuple):
    """What the last layer sees of one photo, and all that its loss and its detections need."""

    position: int
    tower: list[Tensor]
    deltas: list[Tensor]
    targets: Tensor
    anchors: list[Tensor]
    input_size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Trial:
    """One setting and what it reached on the evaluation photos: AP with its 95 % interval, and AP50."""

    loss: LossConfig
    ap: float
    interval: Interval
    ap50: float

    def as_dict(self) -> dict[str, Any]:
        """Give plain values."""
        return {**named(self.loss), "AP": round(self.ap, 4), "AP_95%": [round(v, 4) for v in self.interval],
                "AP50": round(self.ap50, 4)}  # fmt: skip


def tune(
    model: RetinaNet,
    train: Dataset,
    test: Dataset,
    *,
    seed: int,
    settings: Sequence[LossConfig] = SETTINGS,
    report: Callable[[Trial], None] = lambda trial: None,
) -> list[Trial]:
    """Try every setting; give the trials, best AP first. The model is not changed.

    Raises:
        DataError: there is no photo to train on, or no object to evaluate on.
    """
    if not len(train.boxes) or not len(test.boxes):
        raise DataError(train.root, "tuning needs objects to train on and objects to evaluate on", "add a val split")
    step = max(-(-len(train.images) // _PHOTOS), 1)
    seen = list(features(model, train.take_images(np.arange(0, len(train.images), step))))
    held_out = list(features(model, test))
    trials = []
    for loss in settings:
        layer = fit_layer(model.config, loss, seen, seed)
        trials.append(measure(model.config, loss, layer, test, held_out, seed))
        report(trials[-1])
    return sorted(trials, key=lambda trial: -trial.ap)


def features(model: RetinaNet, dataset: Dataset) -> Iterator[Features]:
    """Compute what stays the same for all settings, photo by photo. Raises as `observe`."""
    head = model.head["classification_head"]
    for photo in observe(model, dataset):
        with torch.no_grad():
            tower = [head.get_submodule("conv")(level.clone()).detach() for level in photo.levels]
        deltas, anchors = [d.clone() for d in photo.outputs.deltas], photo.anchors
        yield Features(photo.position, tower, deltas, photo.targets.classes.clone(), anchors, photo.input_size)


def fit_layer(config: ModelConfig, loss: LossConfig, photos: Sequence[Features], seed: int) -> nn.Conv2d:
    """Train a last layer with one loss, from the prior, for the fixed number of steps."""
    torch.manual_seed(seed)
    layer = nn.Conv2d(config.head_channels, config.num_classes * config.anchors.per_cell, 3, padding=1)
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.constant_(layer.bias, prior_bias(loss.prior))  # type: ignore[arg-type]
    layer.to(photos[0].tower[0].device)
    optimizer = torch.optim.Adam(layer.parameters(), lr=_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _STEPS)
    order = np.random.default_rng(seed)
    for _ in range(_STEPS):
        chosen = [photos[i] for i in order.choice(len(photos), min(_BATCH, len(photos)), replace=False)]
        positives = max(sum(int((photo.targets >= 0).sum()) for photo in chosen), 1)
        optimizer.zero_grad()
        for photo in chosen:
            anchors = torch.cat(photo.anchors)
            sum_of = classification_loss(_logits(layer, photo, config), photo.targets, loss, anchors=anchors)
            (sum_of / positives).backward()
        optimizer.step()
        schedule.step()
    return layer


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
        outputs = HeadOutputs(_logits(layer, photo, config), photo.deltas)
        found = detect(outputs, photo.anchors, photo.input_size, config.postprocess)
        count = int(found.counts[0])
        boxes, scores, classes = (part[0, :count].cpu().numpy() for part in found[:3])
        mapped = to_data[classes]
        rows = mapped >= 0
        evaluator.add(photo.position, Detections(fit.undo(boxes[rows], size), scores[rows], mapped[rows]))
    matches = matches_of(dataset, evaluator.predictions())
    values = summarize(matches, dataset.categories).values
    return Trial(loss, values["AP"], intervals(matches, resamples=_RESAMPLES, seed=seed)["AP"], values["AP50"])


def named(loss: LossConfig) -> dict[str, Any]:
    """Give the constants that matter to a loss."""
    if loss.kind == "ohem":
        return {"loss": loss.kind}
    constants = {"loss": loss.kind, "gamma": loss.gamma, "alpha": loss.alpha}
    return {**constants, "beta": loss.beta} if loss.kind == "focal-star" else constants


def command_line(loss: LossConfig, data: str) -> str:
    """Give the command that trains with a setting."""
    constants = {("--" + name): value for name, value in named(loss).items()}
    return " ".join(["focalcli train", data, *(f"{flag} {str(value).lower()}" for flag, value in constants.items())])


def _logits(layer: nn.Conv2d, photo: Features, config: ModelConfig) -> list[Tensor]:
    return [by_anchor(layer(level), config.num_classes) for level in photo.tower]
