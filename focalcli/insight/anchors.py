"""What the anchors make of a data set: how well they cover its objects, and what other settings would give."""

from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
import torch

from focalcli.config import AnchorConfig, ModelConfig
from focalcli.dataset.types import Dataset
from focalcli.detection.coverage import Coverage, anchor_coverage
from focalcli.errors import DataError
from focalcli.images.fit import Fit
from focalcli.training.coverage import coverage, learnable, network_boxes

# COCO's limits, square pixels of the photo.
SIZES = (("small", 0.0, 32.0**2), ("medium", 32.0**2, 96.0**2), ("large", 96.0**2, float("inf")))
LEVELS = ("P3", "P4", "P5", "P6", "P7")
UNREACHED = 0.4  # what an anchor overlaps by less is background to it (Lin et al. 2017, section 4)
_FIT_SAMPLE = 4000  # objects that a candidate setting is tried on
_WHAT_IF_SAMPLE = 20_000  # objects that the other settings are measured on
_BASES = [8 * 2 ** (step / 4) for step in range(17)]  # smallest anchor, 8 to 128 pixels
_SPREADS = (1.25, 1.5, 2.0, 2.5, 3.0, 4.0)  # outer ratio over middle ratio


@dataclass(frozen=True, slots=True)
class AnchorStudy:
    """Coverage of n objects: `found` as of `detection.coverage`, `rows` their rows in the data set's boxes."""

    dataset: Dataset
    model: ModelConfig
    rows: np.ndarray
    found: Coverage

    def summary(self, chosen: np.ndarray | slice = slice(None)) -> dict[str, Any]:
        """Give the numbers of some objects: share covered, forced and lost, mean best overlap, positives each."""
        best, positives = self.found.best_iou.numpy()[chosen], self.found.positives.numpy()[chosen]
        threshold = self.model.loss.object_iou
        share = {
            "covered": best >= threshold,
            "forced": (best < threshold) & (best > 0),
            "lost": best <= 0,
        }
        counts = {name: int(mask.sum()) for name, mask in share.items()}
        mean = {"mean_best_iou": _mean(best), "positives": _mean(positives)}
        return {"objects": len(best), **counts, "covered_share": _mean(best >= threshold), **mean}

    def as_dict(self) -> dict[str, Any]:
        """Give everything as plain values: all, then by class, size and level, then what other settings would give."""
        boxes = self.dataset.boxes.take(self.rows)
        level = self.found.level.numpy()
        per_image = float(self.found.positives.sum()) / max(len(self.dataset.images), 1)
        names = [category.name for category in self.dataset.categories]
        order = np.argsort(boxes.category, kind="stable")
        by_class = np.split(order, np.searchsorted(boxes.category[order], np.arange(1, len(names))))
        return {
            "image_size": [self.model.fit.min_size, self.model.fit.max_size],
            "anchors": msgspec.to_builtins(self.model.anchors),
            "images": len(self.dataset.images),
            "positives_per_image": round(per_image, 2),
            "all": _rounded(self.summary()),
            "classes": {name: _rounded(self.summary(rows)) for name, rows in zip(names, by_class, strict=True)},
            "sizes": {
                name: _rounded(self.summary((boxes.area >= low) & (boxes.area < high))) for name, low, high in SIZES
            },
            "levels": {name: _rounded(self.summary(level == i)) for i, name in enumerate(LEVELS)},
        }


def study(dataset: Dataset, model: ModelConfig) -> AnchorStudy:
    """Measure the anchors of a model on the objects of a data set.

    Raises:
        DataError: the data set has no class or no object.
    """
    rows = learnable(dataset)
    if not dataset.categories or not len(rows):
        what = "object" if dataset.categories else "class"
        raise DataError(dataset.root, f"holds no {what}", "anchors are measured on annotated objects")
    found = coverage(dataset, Fit.of(model), model.anchors, object_iou=model.loss.object_iou)
    return AnchorStudy(dataset, model, rows, found)


def unreached(dataset: Dataset, model: ModelConfig, *, below: float = UNREACHED) -> np.ndarray:
    """Give the rows of the objects whose best anchor overlaps them by less; photos of unknown size are left out."""
    sized = np.array([image.width > 0 and image.height > 0 for image in dataset.images], dtype=np.bool_)
    known = dataset.take_images(np.flatnonzero(sized))
    rows = np.flatnonzero(sized[dataset.boxes.image])[learnable(known)]
    best = coverage(known, Fit.of(model), model.anchors, object_iou=model.loss.object_iou).best_iou.numpy()
    return np.asarray(rows[best < below])


def what_if(dataset: Dataset, model: ModelConfig) -> dict[str, dict[str, Any]]:
    """Give the summary for other settings: larger inputs, more scales or ratios, fitted anchors.

    Of a large data set every k-th object is measured, about 20,000; `objects` says how many.
    """
    rows = learnable(dataset)
    rows = rows[:: max(len(rows) // _WHAT_IF_SAMPLE, 1)]
    dataset = replace(dataset, boxes=dataset.boxes.take(rows))
    changes = {
        "now": model,
        "input x 1.5": _resized(model, 1.5),
        "input x 2": _resized(model, 2.0),
        "4 scales": _with(model, scales=tuple(2 ** (i / 4) for i in range(4))),
        "5 ratios": _with(model, ratios=(1 / 3, 1 / 2, 1.0, 2.0, 3.0)),
        "fitted": _with(model, **msgspec.structs.asdict(fitted(dataset, model))),
    }
    return {name: _rounded(study(dataset, changed).summary()) for name, changed in changes.items()}


def fitted(dataset: Dataset, model: ModelConfig) -> AnchorConfig:
    """Give anchors that suit the data set: the smallest size and three ratios, sizes doubling level by level.

    Every size of a grid with the present ratios, then every pair of middle ratio and spread with the best size. The
    share of objects covered plus the mean best overlap decides; no random numbers.
    """
    rows = learnable(dataset)
    rows = rows[:: max(len(rows) // _FIT_SAMPLE, 1)]
    boxes, inputs = (torch.from_numpy(array) for array in network_boxes(dataset, Fit.of(model), rows))
    middle = float(((boxes[:, 3] - boxes[:, 1]) / (boxes[:, 2] - boxes[:, 0])).median())

    def quality(config: AnchorConfig) -> float:
        best = anchor_coverage(boxes, inputs, config, object_iou=model.loss.object_iou).best_iou
        return float((best >= model.loss.object_iou).float().mean() + best.mean())

    candidates = [_with(model, sizes=_doubling(base)).anchors for base in _BASES]
    best = max([model.anchors, *candidates], key=quality)
    ratios = [(m / spread, m, m * spread) for m in sorted({1.0, round(middle, 2)}) for spread in _SPREADS]
    return max([best, *(msgspec.structs.replace(best, ratios=r) for r in ratios)], key=quality)


def resized_to(model: ModelConfig, min_size: int) -> ModelConfig:
    """Give the model with another shorter side of its input, and the longer limit in proportion."""
    return _resized(model, min_size / model.fit.min_size)


def as_settings(anchors: AnchorConfig) -> str:
    """Give the lines of `focalcli.toml` that train with these anchors."""
    ratios = ", ".join(f"{ratio:.4g}" for ratio in anchors.ratios)
    return f"[train]\nanchor_size = {anchors.sizes[0]:.4g}\nanchor_ratios = [{ratios}]\n"


def _doubling(base: float) -> tuple[float, ...]:
    return tuple(base * 2.0**level for level in range(5))


def _resized(model: ModelConfig, factor: float) -> ModelConfig:
    fit = model.fit
    larger = {"min_size": round(fit.min_size * factor), "max_size": round(fit.max_size * factor)}
    return msgspec.structs.replace(model, fit=msgspec.structs.replace(fit, **larger))


def _with(model: ModelConfig, **changes: Any) -> ModelConfig:
    return msgspec.structs.replace(model, anchors=msgspec.structs.replace(model.anchors, **changes))


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _rounded(summary: dict[str, Any]) -> dict[str, Any]:
    return {name: round(v, 4) if isinstance(v, float) else v for name, v in summary.items() if v == v}
