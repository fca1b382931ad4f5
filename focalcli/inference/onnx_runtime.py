"""Runs an exported ONNX file with ONNX Runtime. Never imports torch: it starts in a fraction of a second.

The file is input from outside: it may hold anything and is trusted in nothing.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from focalcli.config import ModelConfig, PostprocessConfig, decode_config
from focalcli.errors import ConfigError, DataError, InputNotFound, Unavailable, UsageError
from focalcli.images.fit import Fit
from focalcli.inference.detections import CPU_BATCH_PIXELS, RawDetections
from focalcli.inference.eight_bit_sums import sums_overflow
from focalcli.ranks.cores import threads

Run = Callable[[npt.NDArray[Any]], list[npt.NDArray[Any]]]

CONFIG_KEY, OPTIONS_KEY = "focalcli.config", "focalcli.export"
OUTPUTS = ("num_dets", "boxes", "scores", "labels")
_KINDS = dict.fromkeys(("boxes", "scores"), ("tensor(float)", "tensor(float16)"))
_KINDS |= dict.fromkeys(("num_dets", "labels"), ("tensor(int32)", "tensor(int64)"))
PROVIDERS = {"cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"}

# onnxruntime's exceptions have no common base of their own.
FAILURES: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    *(kind for kind in vars(ort_errors).values() if isinstance(kind, type) and issubclass(kind, Exception)),
)

OVERFLOW = (
    "weights of 8 bits on a processor whose sums of 8-bit products overflow: it will find less than it was proved to; "
    "export it with --weight-bits 7"
)

# How onnxruntime says that it may not look for weights in another file.
_OUTSIDE = ("model_path must not be empty", "external data")

_CHECKPOINT = "name the checkpoint it was exported from with --model"
_REMEDY = "name a file written by `focalcli export --onnx`"


class _Form(msgspec.Struct):
    """What matters here of the options that a file was exported with."""

    precision: str = "fp32"
    weight_bits: int = 8


class OnnxRuntime:
    """A session of an exported model: the same answer as torch gives, from the file alone."""

    def __init__(self, path: Path, *, device: str = "auto", precision: str = "auto") -> None:
        """Open the file on `device` (auto, cpu, cuda, openvino); only OpenVINO has a choice of `precision`.

        Raises:
            InputNotFound: there is no such file.
            DataError: it is not an ONNX model, not one of ours, or keeps weights outside of itself.
            Unavailable: ONNX Runtime has no such device here, or OpenVINO is not installed.
        """
        self._place = str(path)
        openvino = device == "openvino"
        self._session = _open_session(path, PROVIDERS["cpu"] if openvino else _provider(device), checked_only=openvino)
        self.config: ModelConfig = _stored_config(self._session, self._place)
        self.doubt = None if openvino else _doubt(self._session, self._place)
        [entry] = self._session.get_inputs()
        self._input, self._shape = entry.name, entry.shape
        self._float = entry.type != "tensor(uint8)"
        self._channels_last = entry.shape[3] == 3
        self._run: Run = self._compiled(path, precision) if openvino else self._with_onnxruntime

    def using(self, postprocess: PostprocessConfig) -> "OnnxRuntime":
        """Give this model: thresholds and numbers below its own only leave out more, and the caller does that.

        Raises:
            UsageError: something is asked for that the file has already left out.
        """
        own = self.config.postprocess
        if postprocess.nms_iou != own.nms_iou:
            raise UsageError(
                self._place,
                f"has its own NMS inside, at IoU {own.nms_iou}: --iou, --nms and --agnostic do not reach it",
                _CHECKPOINT,
            )
        if postprocess.max_detections > own.max_detections:
            raise UsageError(
                self._place, f"gives {own.max_detections} detections at most, and --max-dets asks for more", _CHECKPOINT
            )
        if any(
            wanted < given
            for wanted, given in zip(limits(postprocess, self.config), limits(own, self.config), strict=True)
        ):
            raise UsageError(
                self._place, "has left out the scores below its own threshold, which --threshold asks for", _CHECKPOINT
            )
        return self

    @property
    def batch_pixels(self) -> int:
        """Give how many pixels of input to take at once."""
        return CPU_BATCH_PIXELS if self._session.get_providers()[0] == PROVIDERS["cpu"] else 1 << 23

    def run(self, images: npt.NDArray[np.uint8]) -> RawDetections:
        """Detect in RGB images (N, 3, H, W) uint8, already fitted and padded; boxes are clipped to (H, W)."""
        images = self._on_canvas(images)
        batch: Any = images.transpose(0, 2, 3, 1) if self._channels_last else images
        batch = batch.astype(np.float32) / np.float32(255) if self._float else np.ascontiguousarray(batch)
        try:
            counts, boxes, scores, labels = self._run(batch)
        except FAILURES as error:
            raise DataError(self._place, f"cannot be run ({_first_line(error)})", "export it again") from error
        raw = RawDetections(boxes, scores, labels.astype(np.int64), counts.astype(np.int64))
        return raw.check(self._place, len(images), self.config.num_classes)

    def _with_onnxruntime(self, batch: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        outputs: list[npt.NDArray[Any]] = self._session.run(OUTPUTS, {self._input: batch})
        return outputs

    def _compiled(self, path: Path, precision: str) -> Run:
        from focalcli.inference.openvino_run import compiled

        try:
            return compiled(path.read_bytes(), OUTPUTS, precision=precision, threads=threads())
        except RuntimeError as error:
            raise DataError(path, f"OpenVINO cannot run it ({_first_line(error)})", "use --device cpu") from error

    def _on_canvas(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Pad at right and bottom, as Fit does, up to the height and width of a file that has fixed ones."""
        height, width = self._shape[1:3] if self._channels_last else self._shape[2:4]
        if not isinstance(height, int) or not isinstance(width, int) or images.shape[2:] == (height, width):
            return images
        if images.shape[2] > height or images.shape[3] > width:
            fact = (
                f"takes inputs of {width} x {height} pixels, and this photo needs {images.shape[3]} x {images.shape[2]}"
            )
            raise DataError(self._place, fact, "export it without --size, or for a square")
        return Fit.of(self.config).enlarge(images, (height, width))


def _provider(device: str) -> str:
    available = onnxruntime.get_available_providers()
    if device == "auto":
        return PROVIDERS["cuda"] if PROVIDERS["cuda"] in available else PROVIDERS["cpu"]
    name = PROVIDERS.get(device.partition(":")[0], "")
    if name not in available:
        raise Unavailable(f"--device {device}", "ONNX Runtime does not have it here", "use --device cpu")
    return name


def _open_session(path: Path, provider: str, *, checked_only: bool) -> onnxruntime.InferenceSession:
    """Open the file; `checked_only` when something else will run it."""
    options = session_options()
    if checked_only:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=[provider])
    except FileNotFoundError as error:
        raise InputNotFound(path, "no such model file", _REMEDY) from error
    except OSError as error:
        raise DataError(path, f"cannot be read ({(error.strerror or str(error)).lower()})", _REMEDY) from error
    except FAILURES as error:
        if any(words in str(error).lower() for words in _OUTSIDE):
            raise DataError(path, "keeps its weights in another file, which is refused", _REMEDY) from error
        raise DataError(path, f"not an ONNX model, or damaged ({_first_line(error)})", _REMEDY) from error


def session_options() -> onnxruntime.SessionOptions:
    """Give what every session is opened with: its share of the cores, no talk, and no look at other files."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong becomes one line of ours
    options.intra_op_num_threads = threads()
    # Its threads would go on asking for work after a batch (42 ms here), on cores that decode the photos of the next.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    # Otherwise a plan of memory is kept for each size of batch and shape of photo, and the blocks that it was made for.
    options.enable_mem_pattern = False
    # A model may name files to read weights from. Opened from bytes it is bound to this folder, which holds nothing.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
    return options


def _stored_config(session: onnxruntime.InferenceSession, place: str) -> ModelConfig:
    stored = session.get_modelmeta().custom_metadata_map.get(CONFIG_KEY)
    if stored is None:
        raise DataError(place, "an ONNX model, but not one of focalcli's", _REMEDY)
    inputs, outputs = session.get_inputs(), {output.name for output in session.get_outputs()}
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or not outputs.issuperset(OUTPUTS):
        raise DataError(place, "was exported without its post-processing", "export it with --output detections")
    kinds = {output.name: output.type for output in session.get_outputs()}
    if wrong := [name for name in OUTPUTS if kinds[name] not in _KINDS[name]]:
        raise DataError(place, f"its output {wrong[0]} is a {kinds[wrong[0]]}", "export it again")
    try:
        return decode_config(stored, place)
    except ConfigError as error:
        raise DataError(place, error.fact, _REMEDY) from error


def _doubt(session: onnxruntime.InferenceSession, place: str) -> str | None:
    """Say why the file may answer less well here than where it was proved; None where it will not."""
    stored = session.get_modelmeta().custom_metadata_map.get(OPTIONS_KEY, "{}")
    try:
        form = msgspec.json.decode(stored, type=_Form)
    except msgspec.MsgspecError:
        return None
    if form.precision != "int8" or form.weight_bits < 8 or session.get_providers()[0] != PROVIDERS["cpu"]:
        return None
    return f"{place}: {OVERFLOW}" if sums_overflow() else None


def limits(postprocess: PostprocessConfig, config: ModelConfig) -> tuple[float, ...]:
    """Give the score threshold of each class."""
    return postprocess.class_thresholds or (postprocess.score_threshold,) * config.num_classes


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0].strip()[:200]
