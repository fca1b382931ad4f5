"""What photo files show against their annotations: other sizes, other frames, damage, and copies across splits."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from focalcli.dataset.findings import FindingLog
from focalcli.dataset.types import Dataset, Image


class Condition(Protocol):
    """What is to be known of a photo file, as `images.condition` tells it; rooms of pixels are not imported here."""

    @property
    def stored(self) -> tuple[int, int]:
        """Give width and height before the EXIF turn, zeros where unknown."""

    @property
    def upright(self) -> tuple[int, int]:
        """Give width and height after the EXIF turn, zeros where unknown."""

    @property
    def problem(self) -> str:
        """Say what is wrong with the file, empty if nothing is."""

    @property
    def unusual(self) -> str:
        """Say what is unusual about the pixels, empty if nothing is."""


def check_photos(dataset: Dataset, look: Callable[[Path], Condition], log: FindingLog) -> None:
    """Report W106, W107, W109 and W118 of the photos that are there, and W115, copies of one photo in two splits."""
    for image in dataset.images:
        if image.path is not None:
            _check_photo(image, look(image.path), log)
    _copies(dataset, log)


def _check_photo(image: Image, found: Condition, log: FindingLog) -> None:
    declared = (image.width, image.height)
    if found.problem:
        log.add("W109", image.key, found.problem)
    if found.unusual:
        log.add("W118", image.key, found.unusual)
    if 0 in declared or 0 in found.upright or declared == found.upright:
        return
    place = f"{image.key}: {_words(found.upright)}, annotated {_words(declared)}"
    if declared == found.stored:
        log.add("W107", place, "the annotated size is that of the photo before its EXIF turn")
    else:
        log.add("W106", place, "the photo has another size than its annotations say")


def _words(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def _copies(dataset: Dataset, log: FindingLog) -> None:
    """Report photos whose bytes are also in another split; only files of equal length are read."""
    if len(dataset.splits) < 2:
        return
    by_length: dict[int, list[Image]] = defaultdict(list)
    for image in dataset.images:
        if image.path is not None and image.path.is_file() and os.access(image.path, os.R_OK):
            by_length[os.path.getsize(image.path)].append(image)
    for alike in by_length.values():
        if len({image.split for image in alike}) > 1:
            _same_bytes(alike, log)


def _same_bytes(alike: list[Image], log: FindingLog) -> None:
    first: dict[bytes, Image] = {}
    for image in alike:
        assert image.path is not None, "only photos that are there have a length"
        known = first.setdefault(_digest(image.path), image)
        if known.split != image.split and known.path != image.path:
            place = f"{image.key} in {image.split}, {known.key} in {known.split}"
            log.add("W115", place, "the same photo, byte for byte, is in two splits")


def _digest(path: Path) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
