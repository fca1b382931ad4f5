"""The search for the best 8-bit form of a model: which calibration method, and which layers stay in float32."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx

from focalcli.dataset.types import Dataset
from focalcli.errors import GateFailed
from focalcli.evaluation.columns import Predictions
from focalcli.export.accuracy import average_precision, check_measurable, file_predictions
from focalcli.export.certificate import Quantization
from focalcli.export.quantize import (
    METHODS,
    Batch,
    Ranges,
    convolutions,
    disturbance,
    find_ranges,
    network_answers,
    prepared,
    quantized,
)
from focalcli.export.session import FileSession
from focalcli.images.decode import read_image

# Ranges settle with a few dozen photos, and more would only cost time.
PHOTOS = 64
_FEW = 2

Say = Callable[[str], None]


class Search:
    """Tries 8-bit forms of one float32 file on one data set; `scratch` is a path to write the forms to."""

    def __init__(self, session: FileSession, dataset: Dataset, scratch: Path, say: Say) -> None:
        """Take a spread of at most `PHOTOS` photos of the data set.

        Raises:
            DataError: the data set has no annotated object to measure AP on.
        """
        check_measurable(dataset, "--calibrate")
        places = np.unique(np.linspace(0, len(dataset.images) - 1, PHOTOS).round().astype(np.int64))
        self.dataset = dataset.take_images(places)
        self._session, self._scratch, self._say = session, scratch, say
        self._weight_bits = session.options.weight_bits
        self._prepared = prepared(session.model)

    def run(self, torch: Predictions, max_drop: float, target: Path) -> tuple[onnx.ModelProto, Quantization]:
        """Give the first form whose AP is at most `max_drop` below torch's, and how it was found.

        Raises:
            GateFailed: not even with half of the layers in float32.
        """
        wanted = average_precision(self.dataset, torch) - max_drop
        ranges = {method: find_ranges(self._prepared, self._batches, method) for method in METHODS}
        tried = {method: self._try(ranges[method], [], method) for method in METHODS}
        method = max(tried, key=lambda name: tried[name])
        kept: list[str] = []
        ap = tried[method]
        if ap < wanted:
            order = self._by_disturbance(ranges[method])
            while ap < wanted and 2 * len(kept) < len(order):
                kept = order[: max(1, 2 * len(kept))]
                ap = self._try(ranges[method], kept, f"{method}, {_layers(kept)} in float32")
        if ap < wanted:
            fact = f"in 8 bits its AP is {wanted + max_drop - ap:.4f} below torch's, with {_layers(kept)} in float32"
            raise GateFailed(target, fact, "nothing was written; raise --max-drop or use --fp16")
        found = Quantization(method, len(self.dataset.images), tried, kept)
        return self._quantized(ranges[method], kept), found

    def _quantized(self, ranges: Ranges, kept: list[str]) -> onnx.ModelProto:
        return quantized(self._prepared, ranges, kept, weight_bits=self._weight_bits)

    def _try(self, ranges: Ranges, kept: list[str], name: str) -> float:
        self._scratch.write_bytes(self._quantized(ranges, kept).SerializeToString())
        ap = round(average_precision(self.dataset, file_predictions(self._scratch, self.dataset)), 6)
        bits = "8 bits" if self._weight_bits == 8 else f"8 bits, weights {self._weight_bits}"
        self._say(f"{bits}, {name}: AP {ap:.4f} on {len(self.dataset.images)} photos")
        return ap

    def _by_disturbance(self, ranges: Ranges) -> list[str]:
        """Give the convolutions, by weight, from the one whose rounding moves the outputs most."""
        names = list(convolutions(self._prepared))
        few = [batch for batch, _ in zip(self._batches(), range(_FEW), strict=False)]
        before = network_answers(self._prepared, few)
        moved = {}
        for name in names:
            form = self._quantized(ranges, [other for other in names if other != name])
            moved[name] = disturbance(before, network_answers(form, few))
        return sorted(names, key=lambda name: -moved[name])

    def _batches(self) -> Iterator[Batch]:
        for image in self.dataset.images:
            assert image.path is not None, image.key
            yield self._session.photo_input(read_image(image.path))


def _layers(names: list[str]) -> str:
    return f"{len(names)} layer{'s' if len(names) != 1 else ''}"
