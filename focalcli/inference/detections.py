"""What was found in one image, and the protocol of everything that can find it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from focalcli.config import ModelConfig, PostprocessConfig
from focalcli.errors import DataError

CPU_BATCH_PIXELS = 1_000_000
"""Four photos of the default preset: on a CPU more of them only move activations out of its caches."""


@dataclass(frozen=True, slots=True)
class Detections:
    """Boxes (n, 4) float32 xyxy pixels of the upright original image, scores (n,) descending, classes (n,) indices."""

    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        """Check shapes, finiteness and order once, here."""
        n = len(self.scores)
        assert self.boxes.shape == (n, 4), f"boxes must be ({n}, 4), not {self.boxes.shape}"
        assert self.scores.shape == (n,) and self.classes.shape == (n,), (self.scores.shape, self.classes.shape)
        assert np.isfinite(self.boxes).all() and np.isfinite(self.scores).all(), "detections must be finite"
        assert (np.diff(self.scores) <= 0).all(), "scores must not rise"

    def __len__(self) -> int:
        """Give n."""
        return len(self.scores)


@dataclass(frozen=True, slots=True)
class RawDetections:
    """A batch as a runtime gives it, padded: boxes (N, K, 4) in the network frame, scores and classes (N, K).

    Row i is valid up to counts[i] of counts (N,); scores descend. Padding has score 0 and class -1.
    """

    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]

    def check(self, place: str, num_images: int, num_classes: int) -> "RawDetections":
        """Give these detections back if they are what the class says: a model file may hold anything.

        Raises:
            DataError: naming `place`, the model.
        """
        rows, slots = self.scores.shape if self.scores.ndim == 2 else (-1, 0)
        valid = np.arange(slots) < self.counts[:, None] if self.counts.shape == (rows,) else np.zeros(0, bool)
        shapes_fit = (
            rows == num_images
            and self.boxes.shape == (rows, slots, 4)
            and self.classes.shape == valid.shape == (rows, slots)
            and ((self.counts >= 0) & (self.counts <= slots)).all()
        )
        if not shapes_fit:
            raise DataError(place, "its outputs do not have the shapes of detections", "export it again")
        if not (np.isfinite(self.boxes).all() and np.isfinite(self.scores).all()):
            raise DataError(place, "its answer holds values that are not finite", "train or export it again")
        if ((self.classes < 0) | (self.classes >= num_classes))[valid].any():
            raise DataError(place, f"it names classes outside its own {num_classes}", "export it again")
        if (np.diff(self.scores, axis=1) > 0)[valid[:, 1:]].any():
            raise DataError(place, "its scores do not descend", "export it again")
        return self


class Runtime(Protocol):
    """Runs the network and its post-processing on batches; torch and ONNX Runtime give the same answer."""

    @property
    def config(self) -> ModelConfig:
        """Give the model's configuration: classes, Fit, thresholds."""

    @property
    def batch_pixels(self) -> int:
        """Give how many pixels of input to take at once where the user names no number of photos."""

    def run(self, images: npt.NDArray[np.uint8]) -> RawDetections:
        """Detect in RGB images (N, 3, H, W) uint8, already fitted and padded; boxes are clipped to (H, W)."""

    def using(self, postprocess: PostprocessConfig) -> "Runtime":
        """Give the same model with another post-processing.

        Raises:
            UsageError: the file has its own inside, which cannot be changed so.
        """
