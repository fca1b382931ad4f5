"""How good the network is now: detections of the validation split, measured as `focalcli evaluate` does."""

from collections.abc import Iterator

import numpy as np

from focalcli.dataset.types import Dataset
from focalcli.detection.retinanet import RetinaNet
from focalcli.evaluation.coco import Evaluator, evaluate
from focalcli.evaluation.columns import join
from focalcli.evaluation.metrics import Metrics
from focalcli.evaluation.names import class_map
from focalcli.images.decode import Pixels, read_image
from focalcli.inference.detections import Detections
from focalcli.inference.detector import Detector
from focalcli.inference.torch_runtime import TorchRuntime
from focalcli.training.world import World


def validate(model: RetinaNet, dataset: Dataset, world: World, *, precision: str, batch: int) -> Metrics:
    """Measure a network on a data set, its photos dealt to the ranks; the network is left as it was.

    Every rank gets the same numbers. Photos are dealt without padding, so that none counts twice.
    """
    was_training = model.training
    detector = Detector(TorchRuntime(model, device=str(world.device), precision=precision), batch=batch)
    classes = class_map([c.name for c in model.config.classes], dataset.categories, place="validation data")
    evaluator = Evaluator(dataset)
    mine = range(world.rank, len(dataset.images), world.size)
    for position, found in zip(mine, detector.detect(_photos(dataset, mine)), strict=True):
        evaluator.add(position, _renamed(found, classes))
    model.train(was_training)
    everything = join(world.gather(evaluator.predictions()))
    return evaluate(dataset, everything.take(np.argsort(everything.image, kind="stable")))


def _photos(dataset: Dataset, positions: range) -> Iterator[Pixels]:
    for position in positions:
        path = dataset.images[position].path
        assert path is not None, dataset.images[position].key
        yield read_image(path)


def _renamed(found: Detections, classes: np.ndarray) -> Detections:
    """Give detections with the data set's classes; those of classes it lacks are left out."""
    mapped = classes[found.classes]
    known = mapped >= 0
    return Detections(found.boxes[known], found.scores[known], mapped[known])
