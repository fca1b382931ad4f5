"""Small grey versions of photos, to see which of them show the same picture. What is alike is decided elsewhere."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from focalcli.errors import FocalError
from focalcli.images.decode import DAMAGE, FORMATS, allow_pixels, check_pixels, open_regular, upright_rgb
from focalcli.images.sizes import MAX_PIXELS

SIDE = 16
"""Cells a side: a shift of one pixel in a hundred moves little, and 100,000 photos are 26 MB."""


def small_grey(path: Path, *, max_pixels: int = MAX_PIXELS) -> npt.NDArray[np.uint8] | None:
    """Give the upright photo as (16, 16) mean grey values; None where it cannot be decoded.

    A JPEG is decoded at an eighth of its sides, which is all that is needed and takes a third of the time.
    """
    allow_pixels(max_pixels)
    try:
        with open_regular(path) as file, Image.open(file, formats=FORMATS) as image:
            check_pixels(image.size, str(path), max_pixels)
            image.draft("L", (2 * SIDE, 2 * SIDE))
            grey = Image.fromarray(upright_rgb(image, str(path))).convert("L")
            return np.array(grey.resize((SIDE, SIDE), Image.Resampling.BOX))
    except (FocalError, MemoryError, *DAMAGE):
        return None
