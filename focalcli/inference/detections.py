"""What was found in one image, and the protocol of everything that can find it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from focalcli.config import ModelConfig


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


class Runtime(Protocol):
    """Runs the network and its post-processing on batches; torch and ONNX Runtime give the same answer."""

    @property
    def config(self) -> ModelConfig:
        """Give the model's configuration: classes, Fit, thresholds."""

    def run(self, images: npt.NDArray[np.uint8]) -> RawDetections:
        """Detect in RGB images (N, 3, H, W) uint8, already fitted and padded; boxes are clipped to (H, W)."""
