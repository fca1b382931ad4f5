"""Reading COCO JSON: files to splits, ids to positions, annotations to columns."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from focalcli.dataset.builder import DatasetBuilder, corners
from focalcli.dataset.findings import EXAMPLES
from focalcli.dataset.format import ReadOptions
from focalcli.dataset.formats.coco_files import annotation_files, photo_folders
from focalcli.dataset.names import safe_relative
from focalcli.dataset.source import Source
from focalcli.dataset.types import SOURCE, Flag, Ints
from focalcli.errors import DataError

FLAG_NAMES = {
    "occluded": Flag.OCCLUDED,
    "truncated": Flag.TRUNCATED,
    "difficult": Flag.DIFFICULT,
    "group": Flag.GROUP,
    "depiction": Flag.DEPICTION,
    "inside": Flag.INSIDE,
}
"""Flags COCO has no key for travel as attributes, as CVAT and Datumaro write them."""

BLOCK = 50_000
"""Annotations handled at a time, so that Python objects never stand for all of them at once."""

EXTRAS = ("license", "coco_url", "flickr_url", "date_captured", SOURCE)
_NO_EXTRAS = (None,) * len(EXTRAS)
_NULL = msgspec.Raw(b"null")


class _Category(msgspec.Struct, gc=False):
    id: int
    name: str = ""
    supercategory: str | None = None


class _Image(msgspec.Struct, gc=False):
    id: int | str
    file_name: str
    width: float | None = None
    height: float | None = None
    license: int | str | None = None
    coco_url: str | None = None
    flickr_url: str | None = None
    date_captured: str | None = None
    merged_from: str | None = None


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


class _File(msgspec.Struct):
    images: list[_Image]
    categories: list[_Category]
    annotations: list[_Annotation] = []
    info: dict[str, Any] | None = None
    licenses: list[Any] | None = None


class _Classes(msgspec.Struct):
    categories: list[_Category]


def read(source: Source, options: ReadOptions, builder: DatasetBuilder) -> None:
    """Read one file, or every split of a folder; classes are those of all files, by id."""
    files = annotation_files(source)
    chosen = builder.choose_splits([name for name in files if name])
    wanted = {name: path for name, path in files.items() if not name or name in chosen}
    if options.split is not None:
        wanted.pop("", None)
    parsed = {name: source.json(path, _File) for name, path in wanted.items()}
    others = [path for name, path in files.items() if name not in wanted]
    listed = [(path, parsed[name].categories) for name, path in wanted.items()]
    listed += [(path, source.json(path, _Classes).categories) for path in others]
    annotated = None if others else [file.annotations for file in parsed.values()]
    positions = _add_categories(builder, listed, annotated)
    for name, path in wanted.items():
        file = parsed.pop(name)
        images = _add_images(source, builder, path, file.images, name or None)
        _add_boxes(builder, path, file.annotations, images, positions)
        if file.info or file.licenses:
            builder.extras.setdefault("coco", {"info": file.info, "licenses": file.licenses})


def _add_categories(
    builder: DatasetBuilder,
    listed: list[tuple[Path, list[_Category]]],
    annotated: list[list[_Annotation]] | None,
) -> dict[int, int]:
    """Add the classes of all files in the order of their ids; give id to position.

    `annotated`: all annotations there are, None where not all are known.
    """
    known: dict[int, tuple[_Category, Path]] = {}
    for path, categories in listed:
        for category in categories:
            first, where = known.setdefault(category.id, (category, path))
            if first.name != category.name:
                fact = f"category {category.id} is {category.name!r} here and {first.name!r} in {where.name}"
                raise DataError(builder.source.name(path), fact, "give every class one id")
    above = {c.supercategory for c, _ in known.values()}
    positions: dict[int, int] = {}
    for number in sorted(known):
        category, path = known[number]
        if number == 0 and annotated is not None and _is_root(category, above) and not _is_used(0, annotated):
            place = f"{builder.source.name(path)}: category 0"
            builder.finding("W119", place, f"{category.name!r} is a root without objects, as Roboflow adds; left out")
            continue
        positions[number] = builder.category(category.name or str(number), number, category.supercategory or "")
    return positions


def _is_used(number: int, annotated: list[list[_Annotation]]) -> bool:
    return any(a.category_id == number for annotations in annotated for a in annotations)


def _is_root(category: _Category, above: set[str | None]) -> bool:
    """Tell Roboflow's synthetic root: the others name it as their supercategory, it has none itself."""
    return category.name in above and category.supercategory in ("none", "", None)


def _add_images(
    source: Source, builder: DatasetBuilder, path: Path, images: list[_Image], split: str | None
) -> dict[int | str, int]:
    """Add the images of one file; give id to position."""
    place = source.name(path)
    find = source.finder(photo_folders(source, path))
    positions: dict[int | str, int] = {}
    missing: list[str] = []
    for image in images:
        if image.id in positions:
            builder.finding("E004", f"{place}: image id {image.id}", "two images have this id")
            continue
        try:
            key = safe_relative(image.file_name)
        except ValueError as error:
            builder.finding("E005", f"{place}: image id {image.id}", f"the file name {image.file_name!r} {error}")
            continue
        photo = find(key)
        if photo is None:
            missing.append(key)
        width, height = int(image.width or 0), int(image.height or 0)
        positions[image.id] = builder.image(
            key, path=photo, width=width, height=height, split=split, source_id=image.id, extra=_extra(image)
        )
    if missing:
        examples = [f"{place}: {key}" for key in missing[: EXAMPLES + 1]]
        builder.finding("W108", examples[0], "the photo is not there", count=len(missing), others=examples[1:])
    return positions


def _extra(image: _Image) -> dict[str, object] | None:
    """Give what COCO notes of a photo beside its name and size."""
    values = (image.license, image.coco_url, image.flickr_url, image.date_captured, image.merged_from)
    if values == _NO_EXTRAS:
        return None
    return {name: value for name, value in zip(EXTRAS, values, strict=True) if value is not None}


def _add_boxes(
    builder: DatasetBuilder,
    path: Path,
    annotations: list[_Annotation],
    images: dict[int | str, int],
    categories: dict[int, int],
) -> None:
    """Add the annotations of one file as columns, some tens of thousands at a time."""
    for start in range(0, len(annotations), BLOCK):
        block = annotations[start : start + BLOCK]
        lines: Sequence[int] = range(start + 1, start + len(block) + 1)
        image = [images.get(a.image_id, -1) for a in block]
        category = [categories.get(a.category_id, -1) for a in block]
        corner = [a.bbox for a in block]
        if -1 in image or -1 in category or None in corner:
            kept = _kept(builder, builder.source.name(path), block, start, images, categories)
            block, lines = [block[i] for i in kept], [start + i + 1 for i in kept]
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
