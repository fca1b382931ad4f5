"""The images that every export is tried on: made from numbers alone, so that any machine can make them again.

They cover batches of 1 and 3, two shapes, and, by moving the score threshold, no object, a few, and more than fit.
"""

from typing import Annotated, Literal

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Meta

from focalcli.export.options import ExportOptions, Side
from focalcli.images.decode import Pixels

Seed = Annotated[int, Meta(ge=0, lt=2**32)]
Aim = Literal["as it is", "none", "few", "more than fit"]


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A batch of generated images of one shape, and what the score threshold is moved for."""

    name: str
    seeds: Annotated[tuple[Seed, ...], Meta(min_length=1, max_length=8)]
    size: tuple[Side, Side]
    aim: Aim = "as it is"


# Photos for the whole way through Fit: neither square nor multiples of anything.
PHOTO_SIZES = ((240, 320), (333, 500), (531, 301))


def cases(options: ExportOptions) -> list[Case]:
    """Give the batches to try a file on; the threshold can be moved where the file has one."""
    first = options.size or ((150, 233) if options.resize_inside else (192, 256))
    second = options.size or ((301, 200) if options.resize_inside else (288, 160))
    plain = [
        Case("one image", (1,), first),
        Case("three images", (2, 3, 4), first),
        Case("another shape", (5, 6), second),
    ]
    if options.output not in ("detections", "flat7"):
        return plain
    return [
        *plain,
        Case("no object", (7,), first, "none"),
        Case("few objects", (8,), first, "few"),
        Case("more than fit", (9, 10), second, "more than fit"),
    ]


def batch(case: Case) -> npt.NDArray[np.uint8]:
    """Give the images of a case (N, 3, H, W)."""
    images = [generated(seed, case.size) for seed in case.seeds]
    return np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2))


def generated(seed: int, size: tuple[int, int]) -> Pixels:
    """Give an image (H, W, 3) with soft shapes and a little noise, by whole-number arithmetic alone.

    PCG64's raw words are the one stream numpy promises never to change.
    """
    height, width = size
    words = np.random.PCG64(seed).random_raw(9 * 9 * 3 + height * width)
    coarse = (words[: 9 * 9 * 3] % 256).astype(np.int64).reshape(9, 9, 3)
    noise = (words[9 * 9 * 3 :] % 16).astype(np.int64).reshape(height, width, 1)
    smooth = _stretch(_stretch(coarse, height).transpose(1, 0, 2), width).transpose(1, 0, 2)
    image: Pixels = np.clip(smooth + noise - 8, 0, 255).astype(np.uint8)
    return image


def _stretch(rows: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.int64]:
    """Interpolate rows (n, ...) linearly to (length, ...), in 256ths."""
    place = np.arange(length) * (len(rows) - 1) * 256 // max(1, length - 1)
    below = np.minimum(place // 256, len(rows) - 2)
    part = (place - below * 256).reshape(-1, 1, 1)
    stretched: npt.NDArray[np.int64] = (rows[below] * (256 - part) + rows[below + 1] * part) // 256
    return stretched


def threshold_for(case: Case, scores: npt.NDArray[np.floating]) -> float | None:
    """Give the score threshold that makes a case what it aims at, None to leave it; `scores` are of all candidates.

    A few: between the two neighbours among the best 12 that lie furthest apart, so that rounding cannot decide.
    """
    match case.aim:
        case "none":
            return 1.0
        case "more than fit":
            return 0.0
        case "few":
            best = np.sort(scores.reshape(-1).astype(np.float64))[::-1][:12]
            gap = int(np.argmax(best[:-1] - best[1:]))
            return float(np.float32((best[gap] + best[gap + 1]) / 2))
        case _:
            return None
