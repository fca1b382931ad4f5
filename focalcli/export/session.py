"""Runs any output kind of an exported file on bytes, with the score threshold where it is wanted. Without torch."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import numpy_helper

from focalcli.config import ModelConfig
from focalcli.export.options import THRESHOLD, ExportOptions
from focalcli.export.rows import Array, Rows, rows_of
from focalcli.images.decode import Pixels
from focalcli.images.fit import Fit
from focalcli.inference.onnx_runtime import session_options


class FileSession:
    """An exported model in memory. EfficientNMS_TRT runs only in TensorRT and is cut off: its inputs are looked at."""

    def __init__(self, model: onnx.ModelProto, config: ModelConfig, options: ExportOptions) -> None:
        self.config, self.options = config, options
        self.model = _without_plugin(model) if options.output == "trt" else model
        self._sessions: dict[float | None, onnxruntime.InferenceSession] = {}

    def run(self, images: npt.NDArray[np.uint8], threshold: float | None = None) -> list[Rows]:
        """Give the rows of each image of a batch (N, 3, H, W), fitted already unless the file does that."""
        if threshold not in self._sessions:
            self._sessions[threshold] = open_session(_moved(self.model, threshold))
        session = self._sessions[threshold]
        names = [output.name for output in session.get_outputs()]
        outputs: list[Array] = session.run(names, {"images": self._as_input(images)})
        return rows_of(dict(zip(names, outputs, strict=True)), self.options.output)

    def run_photos(self, photos: Sequence[Pixels], threshold: float | None = None) -> list[Rows]:
        """Give the rows of each photo (H, W, 3) of any size, boxes in its own pixels."""
        if self.options.resize_inside:
            return [self.run(photo.transpose(2, 0, 1)[None], threshold)[0] for photo in photos]
        fit = Fit.of(self.config)
        found = self.run(on_canvas(fit, photos, self.options.size), threshold)
        return [in_photo(fit, rows, photo) for rows, photo in zip(found, photos, strict=True)]

    def photo_input(self, photo: Pixels) -> npt.NDArray[Any]:
        """Give what the file's input is for a photo (H, W, 3), as a batch of one."""
        return self._as_input(on_canvas(Fit.of(self.config), [photo], self.options.size))

    def _as_input(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        if self.options.layout == "nhwc":
            images = images.transpose(0, 2, 3, 1)
        if self.options.input == "float":
            return np.ascontiguousarray(images, np.float32) / np.float32(255)
        return np.ascontiguousarray(images)


def on_canvas(fit: Fit, photos: Sequence[Pixels], size: tuple[int, int] | None) -> npt.NDArray[np.uint8]:
    """Give photos as one batch, fitted and padded; up to `size` where the file has a fixed one."""
    batch = fit.pad([fit.apply(photo) for photo in photos])
    return fit.enlarge(batch, size) if size else batch


def in_photo(fit: Fit, found: Rows, photo: Pixels) -> Rows:
    """Give rows with their boxes in the pixels of a photo that was fitted."""
    boxes = fit.undo(found.boxes, (photo.shape[0], photo.shape[1]))
    return Rows(boxes.astype(np.float64), found.scores, found.labels)


def _moved(model: onnx.ModelProto, threshold: float | None) -> bytes:
    """Give the file's bytes with its score threshold replaced, for all classes."""
    if threshold is None:
        return bytes(model.SerializeToString())
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    [constant] = [item for item in changed.graph.initializer if item.name == THRESHOLD]
    values = numpy_helper.to_array(constant)
    constant.CopyFrom(numpy_helper.from_array(np.full_like(values, threshold), THRESHOLD))
    return bytes(changed.SerializeToString())


def _without_plugin(model: onnx.ModelProto) -> onnx.ModelProto:
    cut = onnx.ModelProto()
    cut.CopyFrom(model)
    plugin = cut.graph.node.pop()
    del cut.graph.output[:]
    for name, kind in zip(plugin.input, ("boxes", "scores"), strict=True):
        cut.graph.node.append(onnx.helper.make_node("Identity", [name], [kind]))
        cut.graph.output.append(onnx.helper.make_tensor_value_info(kind, onnx.TensorProto.FLOAT, None))
    return cut


def open_session(content: bytes) -> onnxruntime.InferenceSession:
    """Open a model that is in memory, on all cores of this process."""
    return onnxruntime.InferenceSession(content, session_options(), providers=["CPUExecutionProvider"])
