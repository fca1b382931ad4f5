"""Gathers detections image by image, as compact columns, and measures them at the end."""

import numpy as np

from focalcli.dataset.types import Dataset
from focalcli.evaluation.columns import Predictions, truth_of
from focalcli.evaluation.matches import Matches, match
from focalcli.evaluation.metrics import Metrics, summarize
from focalcli.evaluation.settings import COCO, Settings
from focalcli.inference.detections import Detections


class Evaluator:
    """Streams detections of a data set into numbers; 56 bytes a detection are all it holds.

    Classes of the detections are positions in `dataset.categories`; `names.class_map` translates a model's.
    """

    def __init__(self, dataset: Dataset, settings: Settings = COCO) -> None:
        """Prepare to measure on `dataset`; it is not changed."""
        self.dataset = dataset
        self.settings = settings
        self._columns = np.empty((1024, 7))
        self._size = 0

    def add(self, image_index: int, detections: Detections) -> None:
        """Take the detections of the image at this position of `dataset.images`."""
        assert 0 <= image_index < len(self.dataset.images), (image_index, len(self.dataset.images))
        end = self._size + len(detections)
        if end > len(self._columns):
            self._columns = np.resize(self._columns, (2 * end, 7))
        rows = self._columns[self._size : end]
        boxes = detections.boxes.astype(np.float64)
        rows[:, :2], rows[:, 2:4] = boxes[:, :2], boxes[:, 2:] - boxes[:, :2]
        rows[:, 4], rows[:, 5], rows[:, 6] = image_index, detections.classes, detections.scores
        self._size = end

    def predictions(self) -> Predictions:
        """Give what was added so far; columns of several ranks are put together with `columns.join`."""
        rows = self._columns[: self._size]
        return Predictions(
            rows[:, :4].copy(), rows[:, 4].astype(np.int64), rows[:, 5].astype(np.int64), rows[:, 6].copy()
        )

    def summary(self) -> Metrics:
        """Measure what was added so far."""
        return evaluate(self.dataset, self.predictions(), self.settings)


def evaluate(dataset: Dataset, predictions: Predictions, settings: Settings = COCO) -> Metrics:
    """Measure predictions on a data set."""
    return summarize(matches_of(dataset, predictions, settings), dataset.categories)


def matches_of(dataset: Dataset, predictions: Predictions, settings: Settings = COCO) -> Matches:
    """Match predictions with the objects of a data set: what all measures, curves and reasons start from."""
    return match(truth_of(dataset), predictions, settings)
