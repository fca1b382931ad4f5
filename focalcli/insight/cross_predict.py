"""Predictions of photos by models that did not see them: each part of the data by a model trained on the others."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
import torch

from focalcli.dataset.types import Dataset
from focalcli.detection.retinanet import RetinaNet
from focalcli.errors import DataError
from focalcli.evaluation.columns import Predictions, join
from focalcli.evaluation.predict import predict
from focalcli.images.sizes import MAX_PIXELS
from focalcli.inference.torch_runtime import TorchRuntime
from focalcli.insight.parts import folds, without
from focalcli.ranks.world import this_world
from focalcli.train_config import TrainConfig
from focalcli.training.loop import begin, train
from focalcli.training.prepare import Plan, resolve_model
from focalcli.training.run_folder import RunFolder


def cross_predictions(
    dataset: Dataset, config: TrainConfig, *, count: int, report: Callable[[str], None]
) -> Predictions:
    """Give detections of every photo from `count` trainings; same seed, same answer.

    Raises:
        DataError: there are fewer photos than models. And what training does.
    """
    if len(dataset.images) < count:
        fact = f"{count} folds need as many photos, and it holds {len(dataset.images)}"
        raise DataError(dataset.root, fact, "name a model that has not seen them with --model")
    parts = []
    for number, held_out in enumerate(folds(dataset, count, seed=config.seed)):
        learned = dataset.take_images(without(dataset, held_out))
        report(f"fold {number + 1} of {count}: training on {len(learned.images)} photos")
        model = trained(learned, config)
        found = given_predictions(model, dataset.take_images(held_out))
        parts.append(_in_whole(found, held_out))
    return join(parts)


def trained(dataset: Dataset, config: TrainConfig) -> RetinaNet:
    """Train a model on a data set without keeping anything on disk."""
    torch.manual_seed(config.seed)
    plan = Plan(config, dataset.root, dataset, None, resolve_model(config, dataset), ())
    training = begin(plan, this_world(config.device))
    with TemporaryDirectory(prefix="focalcli-insight-") as folder:
        train(training, RunFolder(Path(folder)), (), lambda: False, room=training.memory(config.photos).needed)
    return training.result.eval()


def given_predictions(model: RetinaNet, dataset: Dataset) -> Predictions:
    """Give a model's detections of every photo, from score .05 up. Raises as `evaluation.predict.predict`."""
    settings = msgspec.structs.replace(model.config.postprocess, score_threshold=0.05, class_thresholds=None)
    return predict(TorchRuntime(model).using(settings), dataset, max_pixels=MAX_PIXELS).predictions


def _in_whole(found: Predictions, positions: np.ndarray) -> Predictions:
    return Predictions(found.xywh, positions[found.image], found.category, found.score)
