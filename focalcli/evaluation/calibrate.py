"""From annotated photos to the score thresholds, and where wanted the temperature, that a model carries with it."""

from dataclasses import replace as with_columns
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from focalcli.checkpoint import load_checkpoint
from focalcli.config import ModelConfig
from focalcli.dataset.types import Dataset
from focalcli.detection.retinanet import build_retinanet
from focalcli.evaluation.coco import matches_of
from focalcli.evaluation.columns import Predictions
from focalcli.evaluation.reliability import reliability_of
from focalcli.evaluation.settings import COCO
from focalcli.evaluation.thresholds import ClassThreshold, Target, choose_all, scaled, temperature
from focalcli.inference.detections import Runtime

# Recall targets may lie below the score at which a model stops by default.
LOWEST_SCORE = 0.01


class Calibration(NamedTuple):
    """The configuration with its thresholds, how each class of the data set came out, and ECE before and after."""

    config: ModelConfig
    classes: tuple[ClassThreshold, ...]
    ece_before: float
    ece_after: float


def uncalibrated(path: Path, *, device: str) -> Runtime:
    """Open a checkpoint without its class thresholds and temperature. Raises as `load_checkpoint`."""
    from focalcli.inference.torch_runtime import TorchRuntime

    config, state = load_checkpoint(path)
    lowest = min(config.postprocess.score_threshold, LOWEST_SCORE)
    plain = _changed(config, score_threshold=lowest, class_thresholds=None, temperature=1.0)
    model = build_retinanet(plain)
    model.load_state_dict(state)
    return TorchRuntime(model.eval(), device=device, place=str(path))


def calibrate(
    config: ModelConfig, dataset: Dataset, predictions: Predictions, target: Target, *, fit_temperature: bool, seed: int
) -> Calibration:
    """Choose a threshold for each class of the model that the data set has; the others keep the model's.

    `predictions` are those of the uncalibrated model.
    """
    before = matches_of(dataset, predictions, COCO)
    heat = temperature(before) if fit_temperature else 1.0
    after = matches_of(dataset, with_columns(predictions, score=scaled(predictions.score, heat)), COCO)
    chosen = choose_all(after, target, seed=seed)
    by_name = {category.name: row for category, row in zip(dataset.categories, chosen, strict=True)}
    thresholds = tuple(_threshold(config, index, by_name.get(info.name)) for index, info in enumerate(config.classes))
    return Calibration(
        _changed(config, class_thresholds=thresholds, temperature=heat),
        chosen,
        reliability_of(before).ece,
        reliability_of(after).ece,
    )


def _threshold(config: ModelConfig, index: int, row: ClassThreshold | None) -> float:
    """Give a class's new threshold; the one it has where nothing could be chosen."""
    if row is not None and row.chosen.threshold == row.chosen.threshold:
        return row.chosen.threshold
    old = config.postprocess.class_thresholds
    return config.postprocess.score_threshold if old is None else old[index]


def _changed(config: ModelConfig, **changes: Any) -> ModelConfig:
    return msgspec.structs.replace(config, postprocess=msgspec.structs.replace(config.postprocess, **changes))
