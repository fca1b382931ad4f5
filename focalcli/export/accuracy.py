"""AP of torch and of a file on the same photos, how sure their difference is, and whether they find the same."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from focalcli.config import ModelConfig
from focalcli.dataset.fingerprint import fingerprint
from focalcli.dataset.types import Dataset
from focalcli.detection.retinanet import RetinaNet
from focalcli.errors import DataError
from focalcli.evaluation.coco import evaluate, matches_of
from focalcli.evaluation.columns import Predictions, truth_of
from focalcli.evaluation.compare import compare
from focalcli.evaluation.predict import predict
from focalcli.export.agreement import Agreement, Limits, agreement, together
from focalcli.export.certificate import Accuracy, own_thresholds
from focalcli.export.rows import Rows
from focalcli.images.fit import Fit
from focalcli.images.sizes import MAX_PIXELS
from focalcli.inference.detections import RawDetections
from focalcli.inference.onnx_runtime import OnnxRuntime
from focalcli.inference.torch_runtime import TorchRuntime


def check_measurable(dataset: Dataset, option: str) -> None:
    """Raise DataError when a data set has no object that AP could be measured on."""
    if truth_of(dataset).region.all():
        raise DataError(dataset.root or option, "no object is annotated", f"give {option} annotated photos")


class AtSize(TorchRuntime):
    """A model run by torch, in float32 on the CPU, on inputs as its file takes them: of one size, or of any."""

    def __init__(self, model: RetinaNet, size: tuple[int, int] | None) -> None:
        """Take the (height, width) of the file, None for any."""
        super().__init__(model, device="cpu", precision="fp32")
        self._size = size

    def run(self, images: npt.NDArray[np.uint8]) -> RawDetections:
        """Detect in fitted and padded images, padded further up to the size."""
        return super().run(Fit.of(self.config).enlarge(images, self._size) if self._size else images)


def torch_predictions(model: RetinaNet, dataset: Dataset, size: tuple[int, int] | None = None) -> Predictions:
    """Run a model with torch on all photos, as a file of a fixed (height, width) would be."""
    return predict(AtSize(model, size), dataset, max_pixels=MAX_PIXELS).predictions


def file_predictions(path: Path, dataset: Dataset) -> Predictions:
    """Run an exported file on the CPU on all photos."""
    return predict(OnnxRuntime(path, device="cpu"), dataset, max_pixels=MAX_PIXELS).predictions


def average_precision(dataset: Dataset, predictions: Predictions) -> float:
    """Give AP."""
    return evaluate(dataset, predictions).ap


def compare_accuracy(
    dataset: Dataset,
    torch: Predictions,
    file: Predictions,
    agreed: Agreement,
    *,
    max_drop: float,
    resamples: int,
) -> Accuracy:
    """Give AP of both, the difference file - torch, and its interval by paired bootstrap (seed 0)."""
    a, b = matches_of(dataset, torch), matches_of(dataset, file)
    found = compare(a, b, dataset.categories, resamples=resamples, seed=0).values["AP"]
    return Accuracy(
        images=len(dataset.images),
        data_fingerprint=fingerprint(dataset),
        torch_ap=round(found.a, 6),
        file_ap=round(found.b, 6),
        difference=round(found.difference, 6),
        low=round(found.interval.low, 6),
        high=round(found.interval.high, 6),
        max_drop=max_drop,
        agreement=agreed,
    )


def photo_agreement(
    dataset: Dataset, torch: Predictions, file: Predictions, config: ModelConfig, limits: Limits
) -> Agreement:
    """Compare the detections of every photo, in pixels of the network's input."""
    fit, post = Fit.of(config), config.postprocess
    sizes = [(image.height, image.width) for image in dataset.images]
    sides = [_by_photo(found, sizes, fit) for found in (torch, file)]
    thresholds = own_thresholds(config)
    return together(
        agreement(expected, actual, limits, thresholds=thresholds, most=post.max_detections)
        for expected, actual in zip(*sides, strict=True)
    )


def _by_photo(found: Predictions, sizes: list[tuple[int, int]], fit: Fit) -> list[Rows]:
    """Take the columns of a data set apart; they are in the order of the photos."""
    low = found.xywh[:, :2]
    boxes = np.concatenate([low, low + found.xywh[:, 2:]], axis=1)
    ends = np.searchsorted(found.image, np.arange(len(sizes) + 1))
    return [
        Rows(fit.forward_boxes(boxes[a:b], size), found.score[a:b], found.category[a:b])
        for a, b, size in zip(ends[:-1], ends[1:], sizes, strict=True)
    ]
