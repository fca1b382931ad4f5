"""AP of torch and of a file on the same photos, and how sure their difference is."""

from pathlib import Path

from focalcli.dataset.fingerprint import fingerprint
from focalcli.dataset.types import Dataset
from focalcli.detection.retinanet import RetinaNet
from focalcli.evaluation.coco import evaluate, matches_of
from focalcli.evaluation.columns import Predictions
from focalcli.evaluation.compare import compare
from focalcli.evaluation.predict import predict
from focalcli.export.certificate import Accuracy
from focalcli.images.sizes import MAX_PIXELS
from focalcli.inference.onnx_runtime import OnnxRuntime
from focalcli.inference.torch_runtime import TorchRuntime


def torch_predictions(model: RetinaNet, dataset: Dataset) -> Predictions:
    """Run a model with torch, in float32 on the CPU, on all photos."""
    runtime = TorchRuntime(model, device="cpu", precision="fp32")
    return predict(runtime, dataset, max_pixels=MAX_PIXELS).predictions


def file_predictions(path: Path, dataset: Dataset) -> Predictions:
    """Run an exported file on the CPU on all photos."""
    return predict(OnnxRuntime(path, device="cpu"), dataset, max_pixels=MAX_PIXELS).predictions


def average_precision(dataset: Dataset, predictions: Predictions) -> float:
    """Give AP."""
    return evaluate(dataset, predictions).ap


def compare_accuracy(
    dataset: Dataset, torch: Predictions, file: Predictions, *, max_drop: float, resamples: int
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
    )
