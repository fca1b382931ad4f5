"""From a model and the photos of a data set to predictions."""

import numpy as np

from focalcli.dataset.types import Dataset, Image
from focalcli.errors import DataError, InputNotFound
from focalcli.evaluation.coco import Evaluator
from focalcli.evaluation.columns import join
from focalcli.evaluation.names import class_map, difference
from focalcli.evaluation.predictions_file import Loaded
from focalcli.images.fit import Fit
from focalcli.images.picture import Picture, read_picture
from focalcli.inference.dealing import Deal
from focalcli.inference.detections import Detections, Runtime
from focalcli.inference.detector import Detector
from focalcli.inference.options import ViewConfig


def predict(
    runtime: Runtime,
    dataset: Dataset,
    *,
    batch: int | None = None,
    max_pixels: int,
    views: ViewConfig | None = None,
    deal: Deal | None = None,
) -> Loaded:
    """Run a model on all photos of a data set; its classes become the data set's, by name. Every rank gets all.

    Photos of one shape are run together, in batches that do not depend on the number of ranks, and so are the answers.

    Raises:
        InputNotFound: a photo is not there.
        DataError: a photo cannot be decoded or has not the size that the annotations say; or no class is shared.
    """
    names = [info.name for info in runtime.config.classes]
    classes = class_map(names, dataset.categories, place="--model")
    evaluator = Evaluator(dataset)
    detector = Detector(runtime, batch=batch, views=views or ViewConfig())
    deal = deal or Deal()
    left_out = 0
    for together in deal.mine(_batches(dataset, Fit.of(runtime.config), detector)):
        photos = (_photo(dataset.images[position], max_pixels) for position in together)
        for position, found in zip(together, detector.detect(photos), strict=True):
            mapped = classes[found.classes]
            shared = mapped >= 0
            left_out += int((~shared).sum())
            evaluator.add(position, Detections(found.boxes[shared], found.scores[shared], mapped[shared]))
    parts = deal.gather((evaluator.predictions(), left_out))
    everything = join([predictions for predictions, _ in parts])
    left_out = sum(number for _, number in parts)
    missing = difference(names, dataset.categories)
    note = missing + (f"; left out {left_out} detections" if left_out else "")
    in_order = everything.take(np.argsort(everything.image, kind="stable"))
    return Loaded(in_order, (note,) if missing else ())


def _batches(dataset: Dataset, fit: Fit, detector: Detector) -> list[list[int]]:
    """Give the positions of all photos, those that the network sees in one shape together, as many as it takes."""
    by_shape: dict[tuple[int, int], list[int]] = {}
    for position, image in enumerate(dataset.images):
        by_shape.setdefault(fit.padded_shape((image.height, image.width)), []).append(position)
    sizes = {shape: detector.at_once(shape) for shape in by_shape}
    return [
        positions[i : i + sizes[shape]]
        for shape, positions in by_shape.items()
        for i in range(0, len(positions), sizes[shape])
    ]


def _photo(image: Image, max_pixels: int) -> Picture:
    """Decode a photo and hold its size against the annotations: boxes of another frame would measure nothing."""
    if image.path is None:
        raise InputNotFound(image.key, "the photo is not there", "say where the photos are with --images")
    photo = read_picture(image.path, max_pixels=max_pixels)
    height, width = photo.shape[:2]
    if (width, height) != (image.width, image.height):
        fact = f"is {width} x {height} pixels, but its annotations are of {image.width} x {image.height}"
        raise DataError(image.path, fact, "find the photo that was annotated")
    return photo
