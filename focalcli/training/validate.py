"""How good the network is now: detections of the validation split, measured as `focalcli evaluate` does."""

from collections.abc import Iterator

import numpy as np

from focalcli.dataset.types import Dataset
from focalcli.detection.retinanet import RetinaNet
from focalcli.evaluation.coco import Evaluator
from focalcli.evaluation.metrics import Metrics
from focalcli.evaluation.names import class_map
from focalcli.images.decode import Pixels, read_image
from focalcli.inference.detections import Detections
from focalcli.inference.detector import Detector
from focalcli.inference.torch_runtime import TorchRuntime


def validate(model: RetinaNet, dataset: Dataset, *, device: str, precision: str, batch: int) -> Metrics:
    """Measure a network on a data set; the network is left as it was."""
    was_training = model.training
    detector = Detector(TorchRuntime(model, device=device, precision=precision), batch=batch)
    classes = class_map([c.name for c in model.config.classes], dataset.categories, place="validation data")
    evaluator = Evaluator(dataset)
    for position, found in enumerate(detector.detect(_photos(dataset))):
        evaluator.add(position, _renamed(found, classes))
    model.train(was_training)
    return evaluator.summary()


def _photos(dataset: Dataset) -> Iterator[Pixels]:
    for image in dataset.images:
        assert image.path is not None, image.key
        yield read_image(image.path)


def _renamed(found: Detections, classes: np.ndarray) -> Detections:
    """Give detections with the data set's classes; those of classes it lacks are left out."""
    mapped = classes[found.classes]
    known = mapped >= 0
    return Detections(found.boxes[known], found.scores[known], mapped[known])
