"""The one decoder: any photo file to upright RGB bytes, or one clear error. It never hangs and never invents pixels.

What is not plain 8-bit RGB is defined so: alpha is dropped and the stored colours stay; a palette is looked up; of
16-bit samples the high byte counts; an animation gives its first frame; colour profiles are not applied. 32-bit and
float samples have no defined range and are refused.
"""

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from focalcli import files
from focalcli.errors import DataError, InputNotFound
from focalcli.images.sizes import MAX_PIXELS

Pixels = npt.NDArray[np.uint8]
"""A photo: (H, W, 3) RGB, upright."""

# Only formats that hold photos: Pillow's others may run programs (EPS) or nest images past every size check (ICO).
FORMATS = [
    plugin.format
    for plugin in (
        JpegImagePlugin.JpegImageFile,
        PngImagePlugin.PngImageFile,
        TiffImagePlugin.TiffImageFile,
        WebPImagePlugin.WebPImageFile,
        BmpImagePlugin.BmpImageFile,
        GifImagePlugin.GifImageFile,
        PpmImagePlugin.PpmImageFile,
        Jpeg2KImagePlugin.Jpeg2KImageFile,
        AvifImagePlugin.AvifImageFile,
    )
]

ORIENTATION = 0x0112

# EXIF orientation to the turn that makes the photo upright (TIFF 6.0, section 8).
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# What Pillow's plugins raise on damaged files, beside OSError.
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    OverflowError,
    RuntimeError,
    AssertionError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


def read_image(path: Path, *, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Decode a photo file to the last byte.

    Raises:
        InputNotFound: there is no such file.
        DataError: not a regular file, not readable, not a photo, cut off or damaged, or more than `max_pixels`.
    """
    return _pixels(read_upright(path, max_pixels=max_pixels), str(path))


def read_upright(path: Path, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode a photo file to the last byte, to an RGB image as EXIF turns it. Raises as `read_image` does."""
    with open_regular(path) as file:
        return _decode(file, str(path), max_pixels)


def decode_image(content: bytes, place: str, *, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Decode a photo that is in memory; `place` names it in errors. Raises DataError as `read_image` does."""
    return _pixels(_decode(BytesIO(content), place, max_pixels), place)


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading without ever waiting for it: pipes, folders and devices are refused.

    Raises:
        InputNotFound: there is no such file.
        DataError: it is not a regular file or may not be read.
    """
    try:
        return files.open_regular(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputNotFound(path, "no such photo", "check the path") from error
    except files.NotRegular as error:
        raise DataError(path, f"is {error.kind}, not a photo", "name a regular file") from error
    except (OSError, ValueError) as error:
        fact = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DataError(path, f"cannot be opened ({fact.lower()})", "check the file and its permissions") from error


def _decode(file: BinaryIO, place: str, max_pixels: int) -> Image.Image:
    allow_pixels(max_pixels)
    try:
        with Image.open(file, formats=FORMATS) as image:
            check_pixels(image.size, place, max_pixels)
            image.load()
            return _upright(image, place)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(place, f"is over the limit of {max_pixels} pixels", "raise --max-pixels") from error
    except MemoryError as error:
        raise _too_large(place) from error
    except DAMAGE as error:
        raise DataError(place, f"cannot be decoded ({_reason(error)})", "replace or remove it") from error


def allow_pixels(max_pixels: int) -> None:
    """Raise Pillow's own limit, a variable of the whole process, to ours where ours is higher; never lower it."""
    if Image.MAX_IMAGE_PIXELS is not None and max_pixels > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = max_pixels


def check_pixels(size: tuple[int, int], place: str, max_pixels: int) -> None:
    """Refuse a photo of (width, height) over the limit.

    Raises:
        DataError: more than `max_pixels`.
    """
    width, height = size
    if width * height > max_pixels:
        raise DataError(place, f"{width} x {height} pixels are over the limit of {max_pixels}", "raise --max-pixels")


def _reason(error: BaseException) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not a photo in a known format"
    return " ".join(str(error).split()) or type(error).__name__


def upright_rgb(image: Image.Image, place: str) -> Pixels:
    """Give an opened photo as EXIF turns it; `place` names it in errors."""
    return _pixels(_upright(image, place), place)


def _upright(image: Image.Image, place: str) -> Image.Image:
    turn = TURNS.get(_orientation(image))
    rgb = _rgb(image, place)
    return rgb if turn is None else rgb.transpose(turn)


def _pixels(image: Image.Image, place: str) -> Pixels:
    try:
        return np.array(image, dtype=np.uint8)
    except MemoryError as error:
        raise _too_large(place) from error


def _too_large(place: str) -> DataError:
    return DataError(place, "does not fit in memory", "lower --max-pixels or use a smaller photo")


def _orientation(image: Image.Image) -> int:
    """Give the EXIF orientation; damaged EXIF data says nothing about the pixels and counts as upright."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except DAMAGE:
        return 1


def _rgb(image: Image.Image, place: str) -> Image.Image:
    if image.mode == "F":
        raise DataError(place, "has float samples, whose range is not defined", "convert it to 8 or 16 bits")
    if image.mode == "I" or image.mode.startswith("I;16"):
        return Image.fromarray(_high_byte(np.asarray(image), place)).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _high_byte(samples: npt.NDArray[np.integer], place: str) -> npt.NDArray[np.uint8]:
    """Give the upper 8 of 16 bits, as Pillow does for 16-bit colour."""
    if samples.size and (samples.min() < 0 or samples.max() > 0xFFFF):
        raise DataError(place, "has 32-bit samples, whose range is not defined", "convert it to 8 or 16 bits")
    return (samples >> 8).astype(np.uint8)
