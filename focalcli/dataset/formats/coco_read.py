"""Reading COCO JSON: files to splits, ids to positions; `coco_boxes` reads the annotations."""

from pathlib import Path
from typing import Any

import msgspec

from focalcli.dataset.builder import DatasetBuilder
from focalcli.dataset.findings import EXAMPLES
from focalcli.dataset.format import ReadOptions
from focalcli.dataset.formats.coco_boxes import add_boxes, is_used
from focalcli.dataset.formats.coco_files import annotation_files, photo_folders
from focalcli.dataset.names import safe_relative
from focalcli.dataset.source import Source
from focalcli.dataset.types import SOURCE
from focalcli.errors import DataError

EXTRAS = ("license", "coco_url", "flickr_url", "date_captured", SOURCE)


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


class _File(msgspec.Struct):
    images: list[_Image]
    categories: list[_Category]
    annotations: msgspec.Raw = msgspec.Raw(b"[]")
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
    annotated = None if others else [(path, parsed[name].annotations) for name, path in wanted.items()]
    positions = _add_categories(builder, listed, annotated)
    for name, path in wanted.items():
        file = parsed.pop(name)
        images = _add_images(source, builder, path, file.images, name or None)
        add_boxes(builder, path, file.annotations, images, positions)
        if file.info or file.licenses:
            builder.extras.setdefault("coco", {"info": file.info, "licenses": file.licenses})


def _add_categories(
    builder: DatasetBuilder,
    listed: list[tuple[Path, list[_Category]]],
    annotated: list[tuple[Path, msgspec.Raw]] | None,
) -> dict[int, int]:
    """Add the classes of all files in the order of their ids; give id to position.

    `annotated`: each file with its annotations, None where not all are known.
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
        empty_root = number == 0 and annotated is not None and _is_root(category, above)
        if empty_root and not any(is_used(builder, file, rows, 0) for file, rows in annotated or ()):
            place = f"{builder.source.name(path)}: category 0"
            builder.finding("W119", place, f"{category.name!r} is a root without objects, as Roboflow adds; left out")
            continue
        positions[number] = builder.category(category.name or str(number), number, category.supercategory or "")
    return positions


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
    notes: dict[tuple[object, ...], dict[str, object] | None] = {}
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
            key, path=photo, width=width, height=height, split=split, source_id=image.id, extra=_extra(image, notes)
        )
    if missing:
        examples = [f"{place}: {key}" for key in missing[: EXAMPLES + 1]]
        builder.finding("W108", examples[0], "the photo is not there", count=len(missing), others=examples[1:])
    return positions


def _extra(image: _Image, shared: dict[tuple[object, ...], dict[str, object] | None]) -> dict[str, object] | None:
    """Give what COCO notes of a photo beside its name and size; photos with the same notes share them."""
    values = (image.license, image.coco_url, image.flickr_url, image.date_captured, image.merged_from)
    if values not in shared:
        notes: dict[str, object] = {key: value for key, value in zip(EXTRAS, values, strict=True) if value is not None}
        shared[values] = notes or None
    return shared[values]
