"""The condition of a photo file: whether it is whole, what its header says, and what is unusual about its pixels."""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from focalcli.errors import FocalError
from focalcli.images.decode import DAMAGE, FORMATS, ORIENTATION, open_regular, read_image
from focalcli.images.sizes import MAX_PIXELS

TAIL = 1 << 16
SIDEWAYS = (5, 6, 7, 8)


@dataclass(frozen=True, slots=True)
class Condition:
    """(width, height) as stored and upright, (0, 0) unknown; what is wrong and what is unusual, empty if nothing."""

    stored: tuple[int, int] = (0, 0)
    upright: tuple[int, int] = (0, 0)
    problem: str = ""
    unusual: str = ""


def condition(path: Path, *, deep: bool = False, max_pixels: int = MAX_PIXELS) -> Condition:
    """Look at the header and the end of a photo file; with `deep` decode all of it."""
    try:
        with open_regular(path) as file:
            found = _from_header(file)
        if deep and not found.problem:
            read_image(path, max_pixels=max_pixels)
    except FocalError as error:
        return Condition(problem=error.fact)
    return found


def _from_header(file: BinaryIO) -> Condition:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file, formats=FORMATS) as image:
                # Without EXIF data in the header, `getexif` would decode a whole PNG to look behind its pixels.
                turned = "exif" in image.info and image.getexif().get(ORIENTATION, 1) in SIDEWAYS
                stored, kind, unusual = image.size, image.format or "", _unusual(image)
                problem = "" if _whole(file, kind) else "ends before its last byte"
    except DAMAGE:
        return Condition(problem="is damaged or no photo in a known format")
    return Condition(stored, (stored[1], stored[0]) if turned else stored, problem, unusual)


def _unusual(image: Image.Image) -> str:
    if getattr(image, "is_animated", False) and image.format != "MPO":
        return "is an animation, only its first frame is used"
    if image.mode == "CMYK":
        return "has CMYK colours"
    return "has more than 8 bits a sample" if image.mode in ("I", "F") or image.mode.startswith("I;16") else ""


def _whole(file: BinaryIO, kind: str) -> bool:
    """Tell whether a file has the end its format asks for: JPEG's EOI after the last scan, PNG's IEND, RIFF's length.

    Other formats have no end to look for.
    """
    size = file.seek(0, os.SEEK_END)
    if kind == "WEBP":
        file.seek(4)
        return int.from_bytes(file.read(4), "little") + 8 <= size
    if kind not in ("JPEG", "MPO", "PNG"):
        return True
    file.seek(max(0, size - TAIL))
    tail = file.read(TAIL)
    if kind == "PNG":
        return b"IEND" in tail
    return b"\xff\xd9" in tail[max(tail.rfind(b"\xff\xda"), 0) :]
