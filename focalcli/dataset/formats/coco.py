"""COCO JSON (instances): one file a split, boxes as x, y, width, height in pixels from the outer edge.

`area` is the segmentation's, ids are any integers, `file_name` is relative to a folder the file does not name.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from focalcli.dataset.builder import DatasetBuilder, checked_key, corners
from focalcli.dataset.features import Feature
from focalcli.dataset.format import Confidence, FormatInfo, Match, ReadOptions
from focalcli.dataset.layout import file_names, split_groups
from focalcli.dataset.names import split_name
from focalcli.dataset.peek import Outline, Peek
from focalcli.dataset.sink import Sink
from focalcli.dataset.source import Source
from focalcli.dataset.types import Boxes, Dataset, Flag, Image, Ints
from focalcli.errors import DataError

INFO = FormatInfo(
    name="coco",
    title="COCO",
    carries=frozenset(Feature) - {Feature.UNLABELLED},
    record="annotation",
    file_suffix=".json",
)

FLAG_NAMES = {
    "occluded": Flag.OCCLUDED,
    "truncated": Flag.TRUNCATED,
    "difficult": Flag.DIFFICULT,
    "group": Flag.GROUP,
    "depiction": Flag.DEPICTION,
    "inside": Flag.INSIDE,
}
"""Flags COCO has no key for travel as attributes, as CVAT and Datumaro write them."""

DECIMALS = 9
"""Of boxes written: a nano-pixel, so that x + w - x is w again."""

BLOCK = 50_000
"""Annotations encoded at a time, so that their objects never exist all at once."""

_SPLIT = re.compile(
    r"(?:^|[_.\-])((?:train|val|valid|validation|test|trainval|minival)(?:-dev)?(?:19|20)?\d*)(?=$|[_.\-])"
)
_EXTRAS = ("license", "coco_url", "flickr_url", "date_captured")
_NULL = msgspec.Raw(b"null")
_OTHER_TASKS = ("captions_", "person_keypoints_", "stuff_", "panoptic_", "image_info_")


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


def sniff(peek: Peek) -> Match | None:
    """Claim JSON objects with lists of images, annotations and categories, or folders that hold some."""
    names = [name for name in peek.ending(".json") if name.count("/") <= 1]
    found = [name for name in names[:50] if _is_coco(peek.json(name))]
    if not found:
        return None
    more = f" ({len(found)} such files)" if len(found) > 1 else ""
    keys = [key for key in peek.json(found[0]).keys if key in ("images", "annotations", "categories")]
    return Match(Confidence.CONTENT, f"{found[0]} has the keys {', '.join(keys)}{more}")


def _is_coco(top: Outline) -> bool:
    if top.kind != "object":
        return False
    image, annotation = set(top.inner.get("images", ())), set(top.inner.get("annotations", ()))
    if {"images", "annotations", "categories"} <= set(top.keys):
        return not (image or annotation) or "file_name" in image or "category_id" in annotation
    return {"id", "file_name"} <= image or {"image_id", "category_id"} <= annotation


def read(source: Source, options: ReadOptions, builder: DatasetBuilder) -> None:
    """Read one file, or every split of a folder; classes are those of all files, by id."""
    files = _files(source)
    chosen = builder.choose_splits([name for name in files if name])
    wanted = {name: path for name, path in files.items() if not name or name in chosen}
    if options.split is not None:
        wanted.pop("", None)
    parsed = {name: source.json(path, _File) for name, path in wanted.items()}
    others = [path for name, path in files.items() if name not in wanted]
    used = {a.category_id for file in parsed.values() for a in file.annotations}
    listed = [(path, parsed[name].categories) for name, path in wanted.items()]
    listed += [(path, source.json(path, _Classes).categories) for path in others]
    positions = _add_categories(builder, listed, used, complete=not others)
    for name, path in wanted.items():
        file = parsed.pop(name)
        images = _add_images(source, builder, path, file.images, name or None)
        _add_boxes(builder, path, file.annotations, images, positions)
        if file.info or file.licenses:
            builder.extras.setdefault("coco", {"info": file.info, "licenses": file.licenses})


def _files(source: Source) -> dict[str, Path]:
    """Give the annotation files by split, the empty name for one file without; years go where they tell nothing."""
    if not source.path.is_dir():
        return {split_name(_raw_split(source.path)): source.path}
    peek = Peek(source.path)
    paths = [source.folder / name for name in peek.ending(".json") if name.count("/") <= 1]
    paths = [path for path in paths if _is_coco(peek.json(path.relative_to(source.folder).as_posix()))]
    paths = [path for path in paths if not path.name.startswith(_OTHER_TASKS)] or paths
    if not paths:
        raise DataError(source.path, "holds no COCO file", "name the annotation file itself")
    if len(paths) == 1:
        return {split_name(_raw_split(paths[0])): paths[0]}
    raw = {path: _raw_split(path) or path.stem for path in paths}
    usual = {path: split_name(name) for path, name in raw.items()}
    names = usual if len(set(usual.values())) == len(paths) else raw
    if len(set(names.values())) < len(paths):
        clash = ", ".join(source.name(path) for path in paths)
        raise DataError(source.path, f"several files for one split ({clash})", "name the annotation file itself")
    order = {"train": 0, "val": 1, "test": 2}
    paths.sort(key=lambda path: (order.get(names[path], 3), names[path]))
    return {names[path]: path for path in paths}


def _raw_split(path: Path) -> str:
    """Give the split a file name or its folder names, as it is written there; nothing where none does."""
    if match := _SPLIT.search(path.name.removesuffix(".json")):
        return match.group(1)
    folder = path.absolute().parent.name
    return folder if split_name(folder) in ("train", "val", "test") else ""


def _add_categories(
    builder: DatasetBuilder, listed: list[tuple[Path, list[_Category]]], used: set[int], *, complete: bool
) -> dict[int, int]:
    """Add the classes of all files in the order of their ids; give id to position."""
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
        if number == 0 and number not in used and complete and _is_root(category, above):
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
    folders = _photo_folders(source, path)
    positions: dict[int | str, int] = {}
    for image in images:
        if image.id in positions:
            builder.finding("E004", f"{place}: image id {image.id}", "two images have this id")
            continue
        if (key := checked_key(builder, image.file_name, f"{place}: image id {image.id}")) is None:
            continue
        photo = source.find(key, folders)
        if photo is None:
            builder.finding("W108", f"{place}: {key}", "the photo is not there")
        width, height = int(image.width or 0), int(image.height or 0)
        positions[image.id] = builder.image(
            key, path=photo, width=width, height=height, split=split, source_id=image.id, extra=_extra(image)
        )
    return positions


def _extra(image: _Image) -> dict[str, object] | None:
    """Give what COCO notes of a photo beside its name and size."""
    if image.license is None and image.coco_url is None and image.flickr_url is None and image.date_captured is None:
        return None
    return {name: value for name in _EXTRAS if (value := getattr(image, name)) is not None}


def _photo_folders(source: Source, path: Path) -> list[Path]:
    """Give the folders where the photos of a file may be, likeliest first."""
    raw = _raw_split(path)
    splits = [raw, split_name(raw), *(["valid"] if split_name(raw) == "val" else [])] if raw else []
    here, above = path.parent, path.parent.parent
    bases = [*source.images, above / "images", here / "images", above, here, above / "data", here / "data"]
    own = [here] if _SPLIT.search(path.parent.name) else []
    return source.folders(*own, *(base / name for name in splits for base in bases), *bases)


def _add_boxes(
    builder: DatasetBuilder,
    path: Path,
    annotations: list[_Annotation],
    images: dict[int | str, int],
    categories: dict[int, int],
) -> None:
    """Add the annotations of one file as columns."""
    place = builder.source.name(path)
    kept, lines = _sound(builder, place, annotations, images, categories)
    n = len(kept)
    xywh = np.fromiter(chain.from_iterable(a.bbox or () for a in kept), dtype=np.float64, count=4 * n).reshape(n, 4)
    builder.boxes(
        [images[a.image_id] for a in kept],
        [categories[a.category_id] for a in kept],
        corners(xywh),
        file=builder.file(path),
        line=lines,
        flags=[_flags(a) for a in kept],
        area=np.array([np.nan if a.area is None else a.area for a in kept], dtype=np.float64),
        source_id=[a.id if type(a.id) is int else -1 for a in kept],
        score=[a.score for a in kept],
        segmentation=_segmentations(kept),
        attributes=[_attributes(a) for a in kept],
    )


def _sound(
    builder: DatasetBuilder,
    place: str,
    annotations: list[_Annotation],
    images: dict[int | str, int],
    categories: dict[int, int],
) -> tuple[list[_Annotation], Sequence[int]]:
    """Give the annotations with an image, a class and four numbers, and their 1-based positions; report the others."""
    wrong = [
        i
        for i, a in enumerate(annotations)
        if a.image_id not in images or a.category_id not in categories or a.bbox is None
    ]
    for i in wrong:
        a = annotations[i]
        where = f"{place}: annotation {'number ' + str(i + 1) if a.id is None else 'id ' + str(a.id)}"
        if a.image_id not in images:
            builder.finding("E002", where, f"its image {a.image_id!r} is not in the file")
        elif a.category_id not in categories:
            builder.finding("E003", where, f"category {a.category_id} is not in the file's categories")
        else:
            builder.finding("E001", where, "has no bbox")
    if not wrong:
        return annotations, range(1, len(annotations) + 1)
    skip = set(wrong)
    lines = [i + 1 for i in range(len(annotations)) if i not in skip]
    return [annotations[i - 1] for i in lines], lines


def _flags(a: _Annotation) -> int:
    flags = (Flag.CROWD.value if a.iscrowd else 0) | (Flag.IGNORE.value if a.ignore else 0)
    if a.attributes:
        for name, flag in FLAG_NAMES.items():
            if a.attributes.get(name) in (True, 1, "true", "1"):
                flags |= flag.value
    return flags


def _segmentations(annotations: Sequence[_Annotation]) -> list[bytes | None] | None:
    """Give the segmentations as JSON, each a copy so that the file itself can be let go; None where there is none."""
    if not any(len(a.segmentation) for a in annotations):
        return None
    return [bytes(a.segmentation) if len(a.segmentation) > 2 and a.segmentation != _NULL else None for a in annotations]


def _attributes(a: _Annotation) -> dict[str, Any] | None:
    if not a.attributes:
        return None
    return {name: value for name, value in a.attributes.items() if name not in FLAG_NAMES} or None


class _OutImage(msgspec.Struct, gc=False, omit_defaults=True):
    id: int
    file_name: str
    width: int
    height: int
    license: object = None
    coco_url: object = None
    flickr_url: object = None
    date_captured: object = None


class _OutAnnotation(msgspec.Struct, gc=False, omit_defaults=True):
    id: int
    image_id: int
    category_id: int
    bbox: list[float]
    area: float
    iscrowd: int
    segmentation: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    ignore: int = 0
    score: float | None = None
    attributes: dict[str, Any] | None = None


def write(dataset: Dataset, sink: Sink) -> None:
    """Write `annotations/instances_SPLIT.json` and `images/SPLIT/`, or `annotations.json` and `images/`."""
    groups = {"": np.arange(len(dataset.images))} if sink.single else split_groups(dataset)
    if sink.single:
        sink.loss("medium", "images lose their split", len(dataset.images) if dataset.splits else 0)
    names = file_names(dataset, sink, shared="" in groups)
    image_ids, box_ids, category_ids = _ids(dataset, sink)
    header = _header(dataset, category_ids)
    group_of = np.zeros(len(dataset.images), dtype=np.int64)
    for number, positions in enumerate(groups.values()):
        group_of[positions] = number
    for number, (split, positions) in enumerate(groups.items()):
        images = [_out_image(dataset.images[i], image_ids[i], names[i]) for i in positions]
        for i in positions:
            sink.image(dataset.images[i], f"images/{split}/{names[i]}" if split else f"images/{names[i]}")
        rows = np.flatnonzero(group_of[dataset.boxes.image] == number)
        parts = [header, b',"images":', msgspec.json.encode(images), b',"annotations":[']
        parts += _encoded(dataset, rows, np.array(image_ids, dtype=np.int64), box_ids, category_ids)
        sink.bytes(f"annotations/instances_{split}.json" if split else "annotations.json", b"".join([*parts, b"]}"]))


def _ids(dataset: Dataset, sink: Sink) -> tuple[list[int], Ints, Ints]:
    """Give image, annotation and category ids: the source's own where they are usable, else numbers from 1.

    pycocotools takes an annotation of id 0 for none, so such files are renumbered.
    """
    wanted = [image.source_id for image in dataset.images]
    images = [number for number in wanted if type(number) is int and number >= 0]
    if len(set(images)) < len(dataset.images):
        images = list(range(1, len(dataset.images) + 1))
        sink.loss("info", "images are renumbered", sum(number is not None for number in wanted))
    boxes = dataset.boxes.source_id
    if len(boxes) and (boxes.min() < 1 or len(np.unique(boxes)) < len(boxes)):
        sink.loss("info", "annotations are renumbered", int((boxes >= 0).sum()))
        boxes = np.arange(1, len(boxes) + 1)
    categories = np.array([category.source_id for category in dataset.categories], dtype=np.int64)
    if len(np.unique(categories)) < len(categories):
        sink.loss("info", "classes are renumbered", len(categories))
        categories = np.arange(1, len(categories) + 1)
    return images, boxes, categories


def _header(dataset: Dataset, category_ids: Ints) -> bytes:
    """Give the opening of the file: what the source said of itself, and the classes; without the closing brace."""
    noted = dataset.info.get("coco")
    told = {key: value for key, value in noted.items() if value} if isinstance(noted, dict) else {}
    categories = [
        {"id": number, "name": category.name, "supercategory": category.supercategory}
        for number, category in zip(category_ids.tolist(), dataset.categories, strict=True)
    ]
    return msgspec.json.encode({**told, "categories": categories})[:-1]


def _out_image(image: Image, number: int, name: str) -> _OutImage:
    extra = {key: value for key, value in (image.extra or {}).items() if key in _EXTRAS}
    return _OutImage(number, name, image.width, image.height, **extra)


def _encoded(dataset: Dataset, rows: Ints, image_ids: Ints, box_ids: Ints, category_ids: Ints) -> Iterator[bytes]:
    """Give the annotations of these rows as JSON, some tens of thousands at a time, with the commas between."""
    for start in range(0, len(rows), BLOCK):
        boxes = dataset.boxes.take(rows[start : start + BLOCK])
        xywh = boxes.xyxy.copy()
        xywh[:, 2:] -= xywh[:, :2]
        columns = (
            box_ids[rows[start : start + BLOCK]].tolist(),
            image_ids[boxes.image].tolist(),
            category_ids[boxes.category].tolist(),
            np.round(xywh, DECIMALS).tolist(),
            np.round(boxes.area, DECIMALS).tolist(),
            ((boxes.flags & (Flag.CROWD | Flag.GROUP | Flag.IGNORE).value) != 0).astype(np.int64).tolist(),
        )
        annotations = [_OutAnnotation(*values) for values in zip(*columns, strict=True)]
        _add_rare(annotations, boxes)
        yield (b"," if start else b"") + msgspec.json.encode(annotations)[1:-1]


def _add_rare(annotations: list[_OutAnnotation], boxes: Boxes) -> None:
    """Add what few annotations have: segmentations, scores, attributes and the flags that travel as such."""
    if boxes.segmentation is not None:
        for row in np.flatnonzero(boxes.segmentation != None):  # noqa: E711
            annotations[row].segmentation = msgspec.Raw(boxes.segmentation[row])
    if boxes.score is not None:
        for row in np.flatnonzero(np.isfinite(boxes.score)):
            annotations[row].score = float(boxes.score[row])
    if boxes.attributes is not None:
        for row in np.flatnonzero(boxes.attributes != None):  # noqa: E711
            annotations[row].attributes = dict(boxes.attributes[row])
    for row in np.flatnonzero(boxes.flags & Flag.IGNORE.value):
        annotations[row].ignore = 1
    for name, flag in FLAG_NAMES.items():
        for row in np.flatnonzero(boxes.flags & flag.value):
            annotations[row].attributes = {**(annotations[row].attributes or {}), name: True}
