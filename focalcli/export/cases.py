"""The images that every export is tried on: made from numbers alone, so that any machine can make them again.

They cover batches of 1 and 3, two shapes, photos of unequal sizes in one batch, and, by moving the score threshold, no
object, a few, and more than fit.
"""

from typing import Annotated, Literal

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Meta

from focalcli.export.options import ExportOptions, Side
from focalcli.images.decode import Pixels

Seed = Annotated[int, Meta(ge=0, lt=2**32)]
Size = tuple[Side, Side]  # (height, width)
Aim = Literal["as it is", "none", "few", "more than fit"]


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Generated images, a size for each seed, and what the score threshold is moved for."""

    name: str
    seeds: Annotated[tuple[Seed, ...], Meta(min_length=1, max_length=8)]
    sizes: tuple[Size, ...]
    aim: Aim = "as it is"

    def __post_init__(self) -> None:
        """Check that every image has its size."""
        if len(self.sizes) != len(self.seeds):
            raise ValueError(f"{len(self.sizes)} sizes for {len(self.seeds)} images")

    def __str__(self) -> str:
        """Give the name and the sizes, as width x height.

        >>> str(Case("photos", (1, 2), ((10, 20), (30, 40))))
        'photos 20x10 40x30'
        """
        return " ".join([self.name, *dict.fromkeys(f"{width}x{height}" for height, width in self.sizes)])


def alike(name: str, seeds: tuple[int, ...], size: Size, aim: Aim = "as it is") -> Case:
    """Give a case whose images all have one size."""
    return Case(name, seeds, (size,) * len(seeds), aim)


# Photos for the whole way through Fit: neither square nor multiples of anything.
PHOTO_SIZES = ((240, 320), (333, 500), (531, 301))


def cases(options: ExportOptions) -> list[Case]:
    """Give the batches to try a file on; the threshold can be moved where the file has one."""
    first = options.size or ((150, 233) if options.resize_inside else (192, 256))
    second = options.size or ((301, 200) if options.resize_inside else (288, 160))
    plain = [
        alike("one image", (1,), first),
        alike("three images", (2, 3, 4), first),
        alike("another shape", (5, 6), second),
    ]
    if options.output not in ("detections", "flat7"):
        return plain
    return [
        *plain,
        alike("no object", (7,), first, "none"),
        alike("few objects", (8,), first, "few"),
        alike("more than fit", (9, 10), second, "more than fit"),
    ]


def photo_cases(options: ExportOptions) -> list[Case]:
    """Give the photos to try the whole way through Fit on: one by one, and all in one batch."""
    if options.output not in ("detections", "flat7") or options.resize_inside:
        return []
    sizes = tuple(size for size in PHOTO_SIZES if _fits(size, options.size))
    seeds = tuple(range(100, 100 + len(sizes)))
    single = [alike("photo", (seed,), size) for seed, size in zip(seeds, sizes, strict=True)]
    return [*single, Case("photos", seeds, sizes)] if len(sizes) > 1 else single


def _fits(photo: Size, canvas: Size | None) -> bool:
    """Say whether a photo has the orientation of a fixed rectangle; a square holds every one."""
    return canvas is None or canvas[0] == canvas[1] or (canvas[0] > canvas[1]) == (photo[0] > photo[1])


def images(case: Case) -> list[Pixels]:
    """Give the images of a case."""
    return [generated(seed, size) for seed, size in zip(case.seeds, case.sizes, strict=True)]


def batch(case: Case) -> npt.NDArray[np.uint8]:
    """Give the images of a case, all of one size, as a batch (N, 3, H, W)."""
    return np.ascontiguousarray(np.stack(images(case)).transpose(0, 3, 1, 2))


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
