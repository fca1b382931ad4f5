"""Runs a checkpoint with torch, on a GPU or on the CPU."""

import copy
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from msgspec.structs import replace

from focalcli.checkpoint import load_model
from focalcli.config import ModelConfig, PostprocessConfig
from focalcli.detection.devices import keep_memory, pick_device, pick_precision
from focalcli.detection.fixed import fix
from focalcli.detection.postprocess import detect
from focalcli.detection.retinanet import RetinaNet
from focalcli.inference.detections import CPU_BATCH_PIXELS, RawDetections

# Of activations, for each pixel of input: r101 in 16 bits, its largest three feature maps and the head's at P3.
_GPU_BYTES_A_PIXEL = 1 << 10


class TorchRuntime:
    """A network on its device, in the precision the device is good at."""

    def __init__(self, model: RetinaNet, *, device: str = "auto", precision: str = "auto", place: str = "model"):
        """Move the network to `device` (auto, cpu, cuda, cuda:1, mps); `place` names it in errors."""
        self.config: ModelConfig = model.config
        self._place = place
        self._device = pick_device(device)
        self._dtype = pick_precision(precision, self._device)
        self._model = model.to(self._device).eval()

    @classmethod
    def open(cls, path: Path, *, device: str = "auto", precision: str = "auto") -> "TorchRuntime":
        """Load a checkpoint. Raises as `focalcli.checkpoint.load_model` and `pick_device` do.

        The network is nobody else's, so that it can be made for answering only: with kept memory a fifth less
        processor time a photo (lite0 in bfloat16, one core: 80 -> 64 ms).
        """
        runtime = cls(load_model(path), device=device, precision=precision, place=str(path))
        fix(runtime._model, runtime._dtype)
        if runtime._device.type == "cpu":
            keep_memory()
        return runtime

    def using(self, postprocess: PostprocessConfig) -> "TorchRuntime":
        """Give the same model with another post-processing; the weights are shared."""
        changed = copy.copy(self)
        changed.config = replace(self.config, postprocess=postprocess)
        return changed

    @property
    def batch_pixels(self) -> int:
        """Give how many pixels of input to take at once."""
        return CPU_BATCH_PIXELS if self._device.type == "cpu" else _gpu_batch_pixels(self._device)

    def run(self, images: npt.NDArray[np.uint8]) -> RawDetections:
        """Detect in RGB images (N, 3, H, W) uint8, already fitted and padded; boxes are clipped to (H, W)."""
        size = (images.shape[2], images.shape[3])
        with torch.inference_mode(), self._autocast():
            batch = torch.from_numpy(images).to(self._device, non_blocking=True)
            outputs = self._model(batch)
        with torch.inference_mode():
            found = detect(outputs, self._model.anchors(size, self._device), size, self.config.postprocess)
            boxes, scores, classes, counts = (part.cpu().numpy() for part in found)
        return RawDetections(boxes, scores, classes, counts).check(self._place, len(images), self.config.num_classes)

    def _autocast(self) -> torch.autocast:
        lower = self._dtype != torch.float32
        return torch.autocast(self._device.type, dtype=self._dtype if lower else None, enabled=lower)


def _gpu_batch_pixels(device: torch.device) -> int:
    """Give what half of the free memory holds; at least one large photo, at most what no GPU gains more from."""
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 4 << 30
    return min(max(free // 2 // _GPU_BYTES_A_PIXEL, 1 << 21), 1 << 25)
