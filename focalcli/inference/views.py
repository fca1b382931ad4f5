"""What the network is shown of a photo: all of it once, or tiles, mirror images and other scales of it.

A view knows the way back: its boxes return to the photo exactly. How the boxes of several views become one answer is
`merge.py`'s part.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from focalcli.images.decode import Pixels
from focalcli.images.fit import Fit


@dataclass(frozen=True, slots=True)
class View:
    """Fitted pixels, and where they came from: a crop at `origin` (x, y) of `crop_size` (height, width)."""

    pixels: Pixels
    fit: Fit
    crop_size: tuple[int, int]
    origin: tuple[int, int] = (0, 0)
    mirrored: bool = False

    @property
    def padded_shape(self) -> tuple[int, int]:
        """Give the (height, width) of its network input."""
        return self.fit.padded_shape(self.crop_size)

    def restore(self, boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Move boxes (n, 4) from the network frame into the photo, clipped to the crop."""
        if self.mirrored:
            width = self.pixels.shape[1]
            boxes = np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)
        x, y = self.origin
        return self.fit.undo(boxes, self.crop_size) + np.array([x, y, x, y], np.float32)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A photo ready for the network: its (height, width) and its views, which may be made only as they are taken."""

    image_size: tuple[int, int]
    views: Iterable[View]


def whole(image: Pixels, fit: Fit) -> Prepared:
    """Show the photo once, all of it."""
    size = (image.shape[0], image.shape[1])
    return Prepared(size, (View(fit.apply(image), fit, size),))
