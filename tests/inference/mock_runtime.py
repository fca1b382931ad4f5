"""A small runtime: it finds the bright pixels of each image, so every test knows what must be found."""

import numpy as np

from focalcli.config import ClassInfo, FitConfig, ModelConfig, PostprocessConfig
from focalcli.inference.detections import RawDetections

CONFIG = ModelConfig(
    classes=(ClassInfo("red", 1), ClassInfo("green", 2), ClassInfo("blue", 7)),
    fit=FitConfig(min_size=64, max_size=96, divisor=32),
)


class MockRuntime:
    """Finds one object a channel: the box around its values of 200 and more; the score is the largest value / 255."""

    batch_pixels = 4 * 64 * 64

    def __init__(self, config: ModelConfig = CONFIG) -> None:
        self.config, self.shapes = config, []

    def using(self, postprocess: PostprocessConfig) -> "MockRuntime":
        """It has no NMS and no threshold, so that there is nothing to change."""
        return self

    def run(self, images: np.ndarray) -> RawDetections:
        self.shapes.append(images.shape)
        n = len(images)
        found = RawDetections(np.zeros((n, 3, 4), np.float32), np.zeros((n, 3), np.float32),
                              np.full((n, 3), -1), np.zeros(n, np.int64))  # fmt: skip
        for i, image in enumerate(images):
            peaks = [(-int(image[c].max()), c) for c in range(3) if (image[c] >= 200).any()]
            for k, (negative, c) in enumerate(sorted(peaks)):
                y, x = np.nonzero(image[c] >= 200)
                found.boxes[i, k] = x.min(), y.min(), x.max() + 1, y.max() + 1
                found.scores[i, k], found.classes[i, k], found.counts[i] = -negative / 255, c, k + 1
        return found
