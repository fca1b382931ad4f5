"""Sizes of photos from their headers alone, turned as EXIF says. Decodes no pixels."""

import struct
import warnings
from pathlib import Path

from focalcli.errors import DataError, InputNotFound, IoError
from focalcli.files import NotRegular, open_regular

MAX_PIXELS = 178_956_970
"""Pillow's limit against decompression bombs: 0.5 GB of RGB."""

_MAGIC = (b"\xff\xd8", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"\0\0\0\x0cjP")
"""What imagesize is asked about. Not SVG, which it parses with an XML parser that trusts its input; not PNG and WebP,
whose EXIF turn it does not see."""

SUFFIXES = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".bmp",
        ".tif",
        ".tiff",
        ".webp",
        ".gif",
        ".ppm",
        ".pgm",
        ".jp2",
        ".avif",
    }
)


def is_photo_name(name: str) -> bool:
    """Tell whether a file name ends as photos do, in any case.

    >>> is_photo_name("a.b.JPG"), is_photo_name("a.txt"), is_photo_name("jpg")
    (True, False, False)
    """
    stem, dot, suffix = name.rpartition(".")
    return bool(stem and dot) and f".{suffix.lower()}" in SUFFIXES


def upright_size(path: Path, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Give (width, height) of a photo in pixels after its EXIF turn, from its header.

    Raises:
        InputNotFound: there is no such file.
        DataError: not a photo, not a regular file, or more than `max_pixels`.
    """
    import imagesize  # brings urllib and http along, which a program that decodes photos does not need

    try:
        with open_regular(path) as file:
            known = file.read(16).startswith(_MAGIC)
            file.seek(0)
            width, height = imagesize.get(file) if known else (0, 0)
    except NotRegular as error:
        raise DataError(path, f"is {error.kind}, not a photo", "remove it from the data set") from error
    except FileNotFoundError as error:
        raise InputNotFound(path, "no such photo", "say where the photos are with --images") from error
    except OSError as error:
        raise IoError(path, f"cannot be read ({error.strerror or error})", "check its permissions") from error
    except (ValueError, IndexError, OverflowError, struct.error):
        width, height = 0, 0
    if width <= 0 or height <= 0:
        width, height = _pillow_size(path)
    if width * height > max_pixels:
        raise DataError(
            path, f"{width} x {height} pixels are over --max-pixels {max_pixels}", "check where it comes from"
        )
    return int(width), int(height)


def _pillow_size(path: Path) -> tuple[int, int]:
    """Ask Pillow, which knows more kinds of files than imagesize."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                # Without EXIF data in the header, `getexif` would decode a whole PNG to look behind its pixels.
                turned = "exif" in image.info and image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
                width, height = image.size
    except Image.DecompressionBombError as error:
        raise DataError(path, "has more pixels than can be trusted", "check where it comes from") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(path, "cannot be read as a photo", "replace or remove it") from error
    return (height, width) if turned else (width, height)
