"""From a model and the photos of a data set to predictions."""

from collections.abc import Iterator

from focalcli.dataset.types import Dataset, Image
from focalcli.errors import DataError, InputNotFound
from focalcli.evaluation.coco import Evaluator
from focalcli.evaluation.names import class_map, difference
from focalcli.evaluation.predictions_file import Loaded
from focalcli.images.decode import Pixels, read_image
from focalcli.inference.detections import Detections, Runtime
from focalcli.inference.detector import Detector
from focalcli.inference.options import ViewConfig


def predict(
    runtime: Runtime, dataset: Dataset, *, batch: int | None = None, max_pixels: int, views: ViewConfig | None = None
) -> Loaded:
    """Run a model on all photos of a data set; its classes become the data set's, by name.

    Raises:
        InputNotFound: a photo is not there.
        DataError: a photo cannot be decoded or has not the size that the annotations say; or no class is shared.
    """
    names = [info.name for info in runtime.config.classes]
    classes = class_map(names, dataset.categories, place="--model")
    evaluator = Evaluator(dataset)
    detector = Detector(runtime, batch=batch, views=views or ViewConfig())
    left_out = 0
    for index, found in enumerate(detector.detect(_photos(dataset, max_pixels))):
        mapped = classes[found.classes]
        shared = mapped >= 0
        left_out += int((~shared).sum())
        evaluator.add(index, Detections(found.boxes[shared], found.scores[shared], mapped[shared]))
    missing = difference(names, dataset.categories)
    note = missing + (f"; left out {left_out} detections" if left_out else "")
    return Loaded(evaluator.predictions(), (note,) if missing else ())


def _photos(dataset: Dataset, max_pixels: int) -> Iterator[Pixels]:
    for image in dataset.images:
        yield _photo(image, max_pixels)


def _photo(image: Image, max_pixels: int) -> Pixels:
    """Decode a photo and hold its size against the annotations: boxes of another frame would measure nothing."""
    if image.path is None:
        raise InputNotFound(image.key, "the photo is not there", "say where the photos are with --images")
    pixels = read_image(image.path, max_pixels=max_pixels)
    height, width = pixels.shape[:2]
    if (width, height) != (image.width, image.height):
        fact = f"is {width} x {height} pixels, but its annotations are of {image.width} x {image.height}"
        raise DataError(image.path, fact, "find the photo that was annotated")
    return pixels
