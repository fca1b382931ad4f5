"""What photo files show against their annotations: other sizes, other frames, damage."""

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
    """Report W106, W107, W109 and W118 of the photos that are there."""
    for image in dataset.images:
        if image.path is not None:
            _check_photo(image, look(image.path), log)


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
