"""How a photo becomes network input, and how boxes come back. Training, evaluation, detection and export share it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from focalcli.config import ModelConfig
from focalcli.images.decode import Pixels

Floating = TypeVar("Floating", np.float32, np.float64)


@dataclass(frozen=True, slots=True)
class Fit:
    """Shorter side to `min_size`, longer at most `max_size`, padded at right and bottom to `divisor` with `fill`."""

    min_size: int
    max_size: int
    divisor: int
    fill: tuple[int, int, int]

    @classmethod
    def of(cls, config: ModelConfig) -> "Fit":
        """Give a model's Fit; padding has the model's mean colour, so that it is about 0 once normalised."""
        red, green, blue = (round(mean * 255) for mean in config.mean)
        return cls(config.fit.min_size, config.fit.max_size, config.fit.divisor, (red, green, blue))

    def scaled(self, scale: float) -> "Fit":
        """Give a Fit to this many times the size."""
        return replace(self, min_size=round(self.min_size * scale), max_size=round(self.max_size * scale))

    def shape(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """Give the (height, width) that a photo of `image_size` is resized to: rounded, at least 1."""
        short, long = min(image_size), max(image_size)
        scale = min(self.min_size / short, self.max_size / long)
        height, width = (max(1, int(side * scale + 0.5)) for side in image_size)
        return height, width

    def padded_shape(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """Give the (height, width) of the network input that a photo of `image_size` fills alone."""
        return self.rounded_up(self.shape(image_size))

    def rounded_up(self, size: tuple[int, int]) -> tuple[int, int]:
        """Give the smallest multiples of `divisor` that hold (height, width)."""
        return self._round_up(size[0]), self._round_up(size[1])

    def apply(self, image: Pixels) -> Pixels:
        """Resize a photo to its `shape`, bilinear, antialiased where it shrinks."""
        size = (image.shape[0], image.shape[1])
        return image if self.shape(size) == size else self.apply_to_picture(Image.fromarray(image))

    def apply_to_picture(self, image: Image.Image) -> Pixels:
        """Resize an RGB photo that Pillow holds, to the same pixels as `apply`."""
        height, width = self.shape((image.height, image.width))
        return np.array(image.resize((width, height), Image.Resampling.BILINEAR))

    def forward_boxes(self, boxes: npt.NDArray[Floating], image_size: tuple[int, int]) -> npt.NDArray[Floating]:
        """Move boxes (n, 4) from the photo into the network frame. Inverse of `undo`, but for its clipping."""
        return boxes * self._ratios(image_size).astype(boxes.dtype)

    def undo(self, boxes: npt.NDArray[np.floating], image_size: tuple[int, int]) -> npt.NDArray[np.float32]:
        """Move boxes (n, 4) from the network frame back into the photo and clip them to it."""
        height, width = image_size
        back = boxes.astype(np.float64) / self._ratios(image_size)
        return np.clip(back, 0, (width, height, width, height)).astype(np.float32)

    def pad(self, images: Sequence[Pixels]) -> npt.NDArray[np.uint8]:
        """Give a batch (N, 3, H, W) of fitted photos, H and W the smallest multiples of `divisor` that hold all.

        Its memory is (N, H, W, 3): torch takes it as channels_last without a copy. No photos give (0, 3, 0, 0).
        """
        height = self._round_up(max((image.shape[0] for image in images), default=0))
        width = self._round_up(max((image.shape[1] for image in images), default=0))
        batch = np.empty((len(images), height, width, 3), np.uint8)
        for canvas, image in zip(batch, images, strict=True):
            rows, columns = image.shape[:2]
            canvas[:rows, :columns] = image
            canvas[:rows, columns:] = self.fill
            canvas[rows:] = self.fill
        return batch.transpose(0, 3, 1, 2)

    def enlarge(self, batch: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """Pad a batch (N, 3, H, W) further, up to (height, width); its memory as that of `pad`."""
        height, width = batch.shape[2:]
        if (height, width) == size:
            return batch
        canvas = np.empty((len(batch), *size, 3), np.uint8)
        canvas[:] = self.fill
        canvas[:, :height, :width] = batch.transpose(0, 2, 3, 1)
        return canvas.transpose(0, 3, 1, 2)

    def _ratios(self, image_size: tuple[int, int]) -> npt.NDArray[np.float64]:
        """Give network pixels per photo pixel as (x, y, x, y); rounding makes x and y differ a little."""
        (height, width), (rows, columns) = image_size, self.shape(image_size)
        return np.array([columns / width, rows / height] * 2)

    def _round_up(self, side: int) -> int:
        return -(-side // self.divisor) * self.divisor
