"""Big TIFF files read window by window: only the tiles or strips that a window touches are decoded.

Each of them is wrapped as a small TIFF file of its own, so that Pillow and libtiff decode it as they do whole files.
"""

from collections import OrderedDict
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2, TiffImageFile

from focalcli.errors import DataError
from focalcli.images.decode import DAMAGE, ORIENTATION, Pixels, allow_pixels, check_pixels, decode_image, open_regular

WIDTH, HEIGHT, COMPRESSION, PLANAR = 256, 257, 259, 284
STRIP_OFFSETS, ROWS_PER_STRIP, STRIP_COUNTS = 273, 278, 279
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS = 322, 323, 324, 325

# What says how samples are stored; the same for the whole file and for a part of it.
_SAMPLE_TAGS = (258, COMPRESSION, 262, 266, 277, PLANAR, 317, 320, 338, 339, 347, 530, 531, 532)

# Decoded parts that are kept, in bytes: enough for a band of tiles across a photo of 20,000 pixels.
_ROWS = 64
_CACHE = 256 * 1024**2


class TiffWindows:
    """A TIFF photo (H, W, 3) whose windows are decoded when they are asked for, as `photo[y1:y2, x1:x2]`."""

    def __init__(self, path: Path, directory: Any) -> None:
        self._path, self._directory = path, directory
        self.shape = (int(directory[HEIGHT]), int(directory[WIDTH]), 3)
        self._tiled = TILE_OFFSETS in directory
        self._part_height = int(directory[TILE_HEIGHT] if self._tiled else directory[ROWS_PER_STRIP])
        self._part_width = int(directory[TILE_WIDTH]) if self._tiled else self.shape[1]
        self._offsets = directory[TILE_OFFSETS if self._tiled else STRIP_OFFSETS]
        self._counts = directory[TILE_COUNTS if self._tiled else STRIP_COUNTS]
        if len(self._offsets) == 1:
            self._cut_strip()
        self._across = -(-self.shape[1] // self._part_width)
        self._kept: OrderedDict[int, Pixels] = OrderedDict()

    def __getitem__(self, key: tuple[slice, slice]) -> Pixels:
        """Decode a window.

        Raises:
            DataError: a part of it is damaged.
        """
        (y1, y2, _), (x1, x2, _) = (part.indices(side) for part, side in zip(key, self.shape, strict=False))
        window = np.empty((y2 - y1, x2 - x1, 3), np.uint8)
        height, width = self._part_height, self._part_width
        for row in range(y1 // height, -(-y2 // height)):
            for column in range(x1 // width, -(-x2 // width)):
                top, left = row * height, column * width
                part = self._part(row * self._across + column)[: self.shape[0] - top, : self.shape[1] - left]
                inner = part[max(y1 - top, 0) : y2 - top, max(x1 - left, 0) : x2 - left]
                y, x = max(top - y1, 0), max(left - x1, 0)
                window[y : y + inner.shape[0], x : x + inner.shape[1]] = inner
        return window

    def _cut_strip(self) -> None:
        """Cut one strip of plain samples, as many programs write, into many."""
        height = self.shape[0]
        row = self._counts[0] // height
        self._part_height = _ROWS
        starts = range(0, height, _ROWS)
        self._offsets = [self._offsets[0] + start * row for start in starts]
        self._counts = [min(_ROWS, height - start) * row for start in starts]

    def _part(self, index: int) -> Pixels:
        """Decode a tile or strip, or take it from those decoded last."""
        if index in self._kept:
            self._kept.move_to_end(index)
            return self._kept[index]
        with open_regular(self._path) as file:
            file.seek(self._offsets[index])
            content = file.read(self._counts[index])
        if len(content) != self._counts[index]:
            raise DataError(self._path, f"is cut off in part {index}", "replace or remove it")
        part = decode_image(self._as_file(index, content), f"{self._path}: part {index}")
        self._kept[index] = part
        while len(self._kept) * part.nbytes > _CACHE and len(self._kept) > 1:
            self._kept.popitem(last=False)
        return part

    def _as_file(self, index: int, content: bytes) -> bytes:
        """Wrap the bytes of a part in a TIFF header of its own."""
        last_strip = not self._tiled and index == len(self._offsets) - 1
        rows = self.shape[0] - index * self._part_height if last_strip else self._part_height
        own = ImageFileDirectory_v2(prefix=self._directory.prefix)
        for tag in _SAMPLE_TAGS:
            if tag in self._directory:
                own.tagtype[tag] = self._directory.tagtype[tag]
                own[tag] = self._directory[tag]
        numbers = {WIDTH: self._part_width, HEIGHT: rows, ROWS_PER_STRIP: rows, STRIP_COUNTS: len(content)}
        for tag, value in {**numbers, STRIP_OFFSETS: 0}.items():
            own.tagtype[tag] = 4  # LONG
            own[tag] = value
        file = BytesIO()
        own.save(file)  # which adds its own length to the offset
        return file.getvalue() + content


def open_windows(path: Path, *, max_pixels: int) -> TiffWindows | None:
    """Open a TIFF photo for reading by windows; None where the file is another, or one that has to be read whole.

    Raises:
        InputNotFound: there is no such file.
        DataError: not a regular file, or more than `max_pixels`.
    """
    allow_pixels(max_pixels)
    with open_regular(path) as file:
        try:
            with Image.open(file, formats=["TIFF"]) as image:
                check_pixels(image.size, str(path), max_pixels)
                assert isinstance(image, TiffImageFile)
                directory = image.tag_v2
                return TiffWindows(path, directory) if _is_readable(directory) else None
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise DataError(path, f"is over the limit of {max_pixels} pixels", "raise --max-pixels") from error
        except DAMAGE:
            return None  # reading it whole will say what is wrong


def _is_readable(directory: Any) -> bool:
    """Tell whether parts hold all channels, lie upright, and are several or can be cut into several."""
    offsets: Any = directory.get(TILE_OFFSETS) or directory.get(STRIP_OFFSETS) or ()
    counts: Any = directory.get(TILE_COUNTS) or directory.get(STRIP_COUNTS) or ()
    whole = TILE_OFFSETS in directory or ROWS_PER_STRIP in directory
    plain = directory.get(COMPRESSION) == 1 and bool(counts) and counts[0] % int(directory[HEIGHT]) == 0
    upright = directory.get(PLANAR, 1) == 1 and directory.get(ORIENTATION, 1) == 1
    return upright and whole and len(offsets) == len(counts) and (len(offsets) > 1 or plain)
