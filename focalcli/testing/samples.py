"""Data sets of what a format says it carries, from a seed, for `check_format` to write and read back."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from focalcli.dataset.features import Feature
from focalcli.dataset.format import Format
from focalcli.dataset.types import Boxes, Category, Dataset, Flag, Image, no_boxes

NAMES = ("cat", "traffic light", "čaj", "猫", 'a "b", c', "<x> & 'y'", "no", "007", "-", "a;b", "x\u00a0y")


def photo(folder: Path) -> Path:
    """Write the smallest photo that has the size of all samples."""
    from PIL import Image as Photo

    path = folder / "photo.png"
    if not path.exists():
        Photo.new("L", SIZE).save(path)
    return path


SIZE = (320, 200)
"""Width and height of every photo in the samples."""


def empty(format: Format) -> Dataset:
    """Give a data set of nothing, with classes where the format has a list of them."""
    categories = (Category("cat", 1), Category("dog", 2)) if Feature.CLASS_LIST in format.INFO.carries else ()
    return Dataset(categories, (), no_boxes(), Path())


def sample(format: Format, images: int, *, boxes: int = 2, seed: int = 0, names: Sequence[str] = NAMES[:3]) -> Dataset:
    """Make a data set of what the format carries and nothing else, from a seed."""
    carries = format.INFO.carries
    random = np.random.default_rng(seed)
    photos = tuple(_image(carries, index, random) for index in range(images))
    counts = random.integers(0 if Feature.NEGATIVES in carries else 1, boxes + 1, images)
    if Feature.UNLABELLED in carries:
        photos = tuple(
            photo.but(labelled=bool(count) or index % 3 != 1)
            for index, (photo, count) in enumerate(zip(photos, counts, strict=True))
        )
    n = int(counts.sum())
    category = random.integers(0, len(names), n)
    categories = [Category(name, index + 1) for index, name in enumerate(names)]
    if Feature.CLASS_LIST not in carries:
        used = list(dict.fromkeys(category.tolist()))
        categories = [categories[index] for index in used]
        category = np.array([used.index(index) for index in category.tolist()], dtype=np.int64)
    xyxy = _corners(carries, n, random)
    columns = Boxes(
        xyxy,
        np.repeat(np.arange(images), counts),
        category.astype(np.int64),
        _flags(carries, n, random),
        (xyxy[:, 2:] - xyxy[:, :2]).prod(axis=1),
        np.arange(1, n + 1) if Feature.SOURCE_IDS in carries else np.full(n, -1),
        np.full(n, -1),
        np.zeros(n, dtype=np.int64),
    )
    return Dataset(tuple(categories), photos, columns, Path())


def _image(carries: frozenset[Feature], index: int, random: np.random.Generator) -> Image:
    split = ("train", "val")[index % 2] if Feature.SPLITS in carries else None
    folder = ("", "sub/", "ü b/")[int(random.integers(3))] if Feature.SUBFOLDERS in carries else ""
    return Image(f"{folder}{('a.b', 'é', '猫 1')[index % 3]}{index}.png", None, *SIZE, split=split)


def _corners(
    carries: frozenset[Feature], n: int, random: np.random.Generator
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Give boxes within the photo, some along its edges, of at least two pixels each way."""
    size = np.array(SIZE, dtype=np.float64)
    low = random.random((n, 2)) * (size - 2)
    high = low + 2 + random.random((n, 2)) * (size - low - 2)
    low = np.where(random.random((n, 2)) < 0.1, 0.0, low)
    high = np.where(random.random((n, 2)) < 0.1, size, high)
    corners = np.hstack([low, high])
    return corners.round(3) if Feature.SUBPIXEL in carries else np.hstack([np.floor(low), np.ceil(high)])


def _flags(
    carries: frozenset[Feature], n: int, random: np.random.Generator
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    flags = np.zeros(n, dtype=np.int64)
    of_feature = {
        Feature.CROWD: (Flag.CROWD,),
        Feature.DIFFICULT: (Flag.DIFFICULT,),
        Feature.TRUNCATED: (Flag.TRUNCATED, Flag.OCCLUDED),
    }
    for flag in [flag for feature, given in of_feature.items() if feature in carries for flag in given]:
        flags |= (random.random(n) < 0.2).astype(np.int64) * int(flag)
    crowd = (flags & int(Flag.CROWD)) != 0
    return np.where(crowd, flags & ~int(Flag.DIFFICULT), flags)  # Pascal VOC marks crowds as difficult objects
