"""The same numbers from pycocotools itself: `--engine pycocotools`, and what the tests hold ours to."""

import io
from contextlib import redirect_stdout
from typing import Any

import numpy as np

from focalcli.dataset.types import Dataset
from focalcli.evaluation.columns import Ints, Predictions, Truth, truth_of
from focalcli.evaluation.metrics import Metrics, Table, collect
from focalcli.evaluation.settings import Settings


def evaluate_with_pycocotools(dataset: Dataset, predictions: Predictions, settings: Settings) -> Metrics:
    """Measure with pycocotools' COCOeval; what it prints is dropped."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth = truth_of(dataset)
    with redirect_stdout(io.StringIO()):
        objects = COCO()
        objects.dataset = _as_coco(truth)
        objects.createIndex()
        found = objects.loadRes(_as_results(truth, predictions)) if len(predictions) else _nothing(COCO, objects)
        run = COCOeval(objects, found, "bbox")
        run.params.iouThrs = np.array(settings.iou)
        run.params.maxDets = list(settings.max_dets)
        run.params.areaRng = [list(limits) for limits in settings.areas.values()]
        run.params.areaRngLbl = list(settings.areas)
        run.evaluate()
        run.accumulate()
    table = _table(run.eval["precision"], run.eval["recall"], settings)
    objects_of_class = np.bincount(truth.category[~truth.region], minlength=truth.num_categories)
    return collect(table, objects_of_class, dataset.categories, truth.num_images)


def _as_coco(truth: Truth) -> dict[str, Any]:
    """Give the objects as pycocotools reads them; ids are positions, images in their order, all from 1."""
    columns = zip(
        truth.xywh.tolist(),
        (truth.image_order[truth.image] + 1).tolist(),
        truth.category.tolist(),
        truth.area.tolist(),
        truth.region.tolist(),
        strict=True,
    )
    return {
        "images": [{"id": index + 1} for index in range(truth.num_images)],
        "categories": [{"id": index + 1, "name": str(index)} for index in range(truth.num_categories)],
        "annotations": [
            {"id": index + 1, "bbox": box, "image_id": image, "category_id": category + 1, "area": area,
             "iscrowd": int(region)}
            for index, (box, image, category, area, region) in enumerate(columns)
        ],
    }  # fmt: skip


def _as_results(truth: Truth, predictions: Predictions) -> list[dict[str, Any]]:
    images: Ints = truth.image_order[predictions.image] + 1
    columns = zip(
        predictions.xywh.tolist(),
        images.tolist(),
        predictions.category.tolist(),
        predictions.score.tolist(),
        strict=True,
    )
    return [{"image_id": image, "category_id": category + 1, "bbox": box, "score": score}
            for box, image, category, score in columns]  # fmt: skip


def _nothing(kind: Any, objects: Any) -> Any:
    """Give results without a detection: `loadRes` cannot take an empty list."""
    found = kind()
    found.dataset = {**objects.dataset, "annotations": []}
    found.createIndex()
    return found


def _table(precision: Any, recall: Any, settings: Settings) -> Table:
    """Turn (T, R, C, A, M) and (T, C, A, M) arrays, -1 for nothing, into numbers by class."""
    precision, recall = np.where(precision < 0, np.nan, precision), np.where(recall < 0, np.nan, recall)
    names = list(settings.areas)
    table: Table = {"AP": precision[:, :, :, 0, -1].mean(axis=(0, 1))}
    for name, threshold in {"AP50": 0.5, "AP75": 0.75}.items():
        if (level := settings.iou_index(threshold)) is not None:
            table[name] = precision[level, :, :, 0, -1].mean(axis=0)
    for area, name in enumerate(names[1:], 1):
        table[f"AP{name}"] = precision[:, :, :, area, -1].mean(axis=(0, 1))
    for index, limit in enumerate(settings.max_dets):
        table[f"AR{limit}"] = recall[:, :, 0, index].mean(axis=0)
    for area, name in enumerate(names[1:], 1):
        table[f"AR{name}"] = recall[:, :, area, -1].mean(axis=0)
    return table
