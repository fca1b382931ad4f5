"""COCO's annotations to columns, one block of the file at a time: Python objects never stand for all of them."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from focalcli.dataset.builder import DatasetBuilder, corners
from focalcli.dataset.json_blocks import array_blocks
from focalcli.dataset.types import Flag, Ints

FLAG_NAMES = {
    "occluded": Flag.OCCLUDED,
    "truncated": Flag.TRUNCATED,
    "difficult": Flag.DIFFICULT,
    "group": Flag.GROUP,
    "depiction": Flag.DEPICTION,
    "inside": Flag.INSIDE,
}
"""Flags COCO has no key for travel as attributes, as CVAT and Datumaro write them."""

_NULL = msgspec.Raw(b"null")


class _Annotation(msgspec.Struct, gc=False):
    image_id: int | str
    category_id: int
    id: int | str | None = None
    bbox: tuple[float, float, float, float] | None = None
    area: float | None = None
    iscrowd: int | bool = 0
    ignore: int | bool = 0
    segmentation: msgspec.Raw = msgspec.Raw()
    score: float | None = None
    attributes: dict[str, Any] | None = None


class _Whole(msgspec.Struct):
    annotations: list[_Annotation] = []


def add_boxes(
    builder: DatasetBuilder,
    path: Path,
    annotations: msgspec.Raw,
    images: dict[int | str, int],
    categories: dict[int, int],
) -> None:
    """Add the annotations of one file; `images` and `categories` give the positions of their ids.

    Raises:
        DataError: they have not the shape of annotations.
    """
    done = 0
    for block in _blocks(builder, path, annotations):
        _add_block(builder, path, block, done, images, categories)
        done += len(block)


def is_used(builder: DatasetBuilder, path: Path, annotations: msgspec.Raw, category: int) -> bool:
    """Tell whether an annotation of the file has a category. Raises as `add_boxes`."""
    return any(a.category_id == category for block in _blocks(builder, path, annotations) for a in block)


def _blocks(builder: DatasetBuilder, path: Path, annotations: msgspec.Raw) -> Iterator[list[_Annotation]]:
    done = 0
    try:
        for block in array_blocks(annotations, _Annotation):
            yield block
            done += len(block)
    except msgspec.DecodeError:  # read as a whole, so that an error names its place in the file
        yield builder.source.json(path, _Whole).annotations[done:]


def _add_block(
    builder: DatasetBuilder,
    path: Path,
    block: list[_Annotation],
    before: int,
    images: dict[int | str, int],
    categories: dict[int, int],
) -> None:
    """Add some annotations, with `before` of the file's before them, as columns."""
    lines: Sequence[int] = range(before + 1, before + len(block) + 1)
    image = [images.get(a.image_id, -1) for a in block]
    category = [categories.get(a.category_id, -1) for a in block]
    corner = [a.bbox for a in block]
    if -1 in image or -1 in category or None in corner:
        kept = _kept(builder, builder.source.name(path), block, before, images, categories)
        block, lines = [block[i] for i in kept], [before + i + 1 for i in kept]
        image, category, corner = [image[i] for i in kept], [category[i] for i in kept], [corner[i] for i in kept]
    numbers = np.fromiter(chain.from_iterable(filter(None, corner)), dtype=np.float64, count=4 * len(block))
    builder.boxes(
        image,
        category,
        corners(numbers.reshape(-1, 4)),
        file=builder.file(path),
        line=lines,
        flags=_flags(block),
        area=np.array([a.area for a in block], dtype=np.float64),
        source_id=[a.id if type(a.id) is int else -1 for a in block],
        score=[a.score for a in block],
        segmentation=_segmentations(block),
        attributes=_attributes(block),
    )


def _kept(
    builder: DatasetBuilder,
    place: str,
    block: list[_Annotation],
    start: int,
    images: dict[int | str, int],
    categories: dict[int, int],
) -> list[int]:
    """Give the positions of the annotations with an image, a class and four numbers; report the others."""
    kept = []
    for i, a in enumerate(block):
        where = f"{place}: annotation {'number ' + str(start + i + 1) if a.id is None else 'id ' + str(a.id)}"
        if a.image_id not in images:
            builder.finding("E002", where, f"its image {a.image_id!r} is not in the file")
        elif a.category_id not in categories:
            builder.finding("E003", where, f"category {a.category_id} is not in the file's categories")
        elif a.bbox is None:
            builder.finding("E001", where, "has no bbox")
        else:
            kept.append(i)
    return kept


def _flags(annotations: list[_Annotation]) -> Ints:
    crowd = np.array([a.iscrowd for a in annotations], dtype=np.bool_)
    ignore = np.array([a.ignore for a in annotations], dtype=np.bool_)
    flags: Ints = crowd * np.int64(Flag.CROWD) | ignore * np.int64(Flag.IGNORE)
    attributes = [a.attributes for a in annotations]
    for row, given in enumerate(attributes if any(attributes) else ()):
        if given:
            flags[row] |= sum(flag for name, flag in FLAG_NAMES.items() if given.get(name) in (True, 1, "true", "1"))
    return flags


def _segmentations(annotations: Sequence[_Annotation]) -> list[bytes | None] | None:
    """Give the segmentations as JSON, each a copy so that the file itself can be let go; None where there is none."""
    if not any(map(len, [a.segmentation for a in annotations])):
        return None
    return [bytes(a.segmentation) if len(a.segmentation) > 2 and a.segmentation != _NULL else None for a in annotations]


def _attributes(annotations: list[_Annotation]) -> list[dict[str, Any] | None] | None:
    """Give the attributes that are no flags; None where there are none."""
    given = [a.attributes for a in annotations]
    if not any(given):
        return None
    return [own and ({k: v for k, v in own.items() if k not in FLAG_NAMES} or None) for own in given]
