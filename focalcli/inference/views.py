"""What the network is shown of a photo: all of it once, or tiles, mirror images and other scales of it.

A view knows the way back: its boxes return to the photo exactly. How the boxes of several views become one answer is
`merge.py`'s part.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from focalcli.images.decode import Pixels
from focalcli.images.fit import Fit
from focalcli.images.picture import Picture
from focalcli.images.tiles import tiles
from focalcli.inference.options import USUAL_OVERLAP, ViewConfig

# Of the model's own input size, for --tta scales.
SCALES = (0.8, 1.0, 1.25)

# A photo of more views makes them only as they are needed.
_EAGER_VIEWS = 16


WHOLE = ViewConfig()


class Photo(Protocol):
    """Pixels (H, W, 3), in memory or read from a file as slices of it are taken."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Give (H, W, 3)."""

    def __getitem__(self, key: tuple[slice, slice], /) -> Pixels:
        """Give the pixels of a window."""


@dataclass(frozen=True, slots=True)
class View:
    """Fitted pixels, and where they came from: a crop at `origin` (x, y) of `crop_size` out of `image_size`."""

    pixels: Pixels
    fit: Fit
    crop_size: tuple[int, int]
    image_size: tuple[int, int]
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

    def cut(self, boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
        """Tell which sides (n, 4) of boxes in the photo lie on an edge of the crop behind which the photo goes on."""
        (x, y), (height, width) = self.origin, self.crop_size
        edges = np.array([x, y, x + width, y + height])
        inner = edges != [0, 0, self.image_size[1], self.image_size[0]]
        # Boxes of cut objects end near the edge, not exactly on it.
        near = 2 + 0.01 * np.array([width, height, width, height])
        cut: npt.NDArray[np.bool_] = (np.abs(boxes - edges) <= near) & inner
        return cut


@dataclass(frozen=True, slots=True)
class Prepared:
    """A photo ready for the network: its (height, width) and its views, which may be made only as they are taken."""

    image_size: tuple[int, int]
    views: Iterable[View]


def prepare(photo: Photo, fit: Fit, config: ViewConfig) -> Prepared:
    """Make the views of a photo; `config` is one that `of_model` resolved."""
    size = (photo.shape[0], photo.shape[1])
    crops = tiles(size, config.side or max(size), overlap=USUAL_OVERLAP if config.overlap is None else config.overlap)
    views = _views(photo, size, crops, fit, config)
    return Prepared(size, views if len(crops) > _EAGER_VIEWS else tuple(views))


def _views(
    photo: Photo, size: tuple[int, int], crops: list[tuple[int, int, int, int]], fit: Fit, config: ViewConfig
) -> Iterator[View]:
    fits = [fit.scaled(scale) for scale in SCALES] if "scales" in config.tta else [fit]
    for y, x, height, width in crops:
        apply = _resizer(photo, (slice(y, y + height), slice(x, x + width)))
        for each in fits:
            view = View(apply(each), each, (height, width), size, (x, y))
            yield view
            if "flip" in config.tta:
                yield replace(view, pixels=view.pixels[:, ::-1], mirrored=True)


def _resizer(photo: Photo, window: tuple[slice, slice]) -> Callable[[Fit], Pixels]:
    """Give what fits a window of a photo, decoded once."""
    if isinstance(photo, Picture):
        picture = photo.crop(window)
        return lambda fit: fit.apply_to_picture(picture)
    pixels = photo[window]
    return lambda fit: fit.apply(pixels)
