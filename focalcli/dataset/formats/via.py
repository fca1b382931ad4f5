"""VIA (VGG Image Annotator 2) JSON: a map of photos with regions in pixels; the class is one attribute of a region."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from focalcli.dataset.builder import DatasetBuilder
from focalcli.dataset.format import Confidence, FormatInfo, Match, ReadOptions
from focalcli.dataset.formats import shapes
from focalcli.dataset.formats.annotated import Annotated, Object, add_all, flags_of, json_files, split_of
from focalcli.dataset.names import printable
from focalcli.dataset.peek import Outline, Peek
from focalcli.dataset.source import Source
from focalcli.dataset.types import Flag
from focalcli.errors import DataError

INFO = FormatInfo(name="via", title="VIA JSON", carries=frozenset(), can_write=False, record="region")

PROJECT = "_via_img_metadata"
USUAL_KEYS = ("class", "label", "name", "category", "type", "object", "class_name")
"""What the attribute with the class is mostly called."""

SOLE_CLASS = "object"
"""Of regions without attributes."""


class _Shape(msgspec.Struct, gc=False):
    name: str = ""
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0
    cx: float = 0.0
    cy: float = 0.0
    r: float = 0.0
    rx: float = 0.0
    ry: float = 0.0
    theta: float = 0.0
    all_points_x: list[float] = []
    all_points_y: list[float] = []


class _Region(msgspec.Struct, gc=False):
    shape_attributes: _Shape
    region_attributes: dict[str, object] = {}


class _Photo(msgspec.Struct, gc=False):
    filename: str
    regions: list[_Region] | dict[str, _Region] = []


class _Project(msgspec.Struct):
    photos: dict[str, _Photo] | None = msgspec.field(name=PROJECT, default=None)


def sniff(peek: Peek) -> Match | None:
    """Claim VIA projects, and maps of objects with a file name and regions."""
    for name in peek.ending(".json")[:20]:
        if _is_via(peek.json(name)):
            return Match(Confidence.CONTENT, f"{name} maps photos to a filename and regions")
    return None


def _is_via(top: Outline) -> bool:
    first = top.inner.get(top.keys[0], ()) if top.keys else ()
    return top.kind == "object" and (PROJECT in top.keys or {"filename", "regions"} <= set(first))


def read(source: Source, options: ReadOptions, builder: DatasetBuilder) -> None:
    """Read every file; the attribute with the class is the same for all."""
    paths = json_files(source, _is_via)
    if not paths:
        raise DataError(source.path, "holds no map of photos with regions", "choose another --from")
    files = {path: _photos(source, path) for path in paths}
    key = _class_key(source, builder, [photo for photos in files.values() for photo in photos])
    add_all(source, builder, [photo for path in paths for photo in _read_file(source, builder, path, files[path], key)])


def _photos(source: Source, path: Path) -> list[_Photo]:
    project = source.json(path, _Project)
    photos = project.photos if project.photos is not None else source.json(path, dict[str, _Photo])
    return list(photos.values())


def _regions(photo: _Photo) -> list[_Region]:
    return photo.regions if isinstance(photo.regions, list) else list(photo.regions.values())


def _class_key(source: Source, builder: DatasetBuilder, photos: Sequence[_Photo]) -> str | None:
    """Give the attribute that holds the class: the only one, else one of a usual name; None where there are none.

    Raises:
        DataError: it is not clear which.
    """
    found = Counter(key for photo in photos for region in _regions(photo) for key in region.region_attributes)
    if len(found) <= 1:
        return next(iter(found), None)
    usual = [name for name in USUAL_KEYS for key in found if key.lower() == name]
    if not usual:
        listed = ", ".join(printable(key) for key in sorted(found))
        raise DataError(source.path, f"no telling which attribute is the class ({listed})", "call the right one class")
    key = next(key for key in found if key.lower() == usual[0])
    builder.finding(
        "W122", source.name(source.path), f"the attribute {key!r} is taken for the class, one of {len(found)}"
    )
    return key


def _read_file(
    source: Source, builder: DatasetBuilder, path: Path, photos: Sequence[_Photo], key: str | None
) -> Iterator[Annotated]:
    place, split = source.name(path), split_of(source, path)
    count = 0
    for number, entry in enumerate(photos, 1):
        photo = Annotated(entry.filename, path, f"{place}: image {number}", split)
        for region in _regions(entry):
            count += 1
            photo.objects += _objects(builder, region, key, f"{place}: region {count}", count)
        yield photo


def _objects(builder: DatasetBuilder, region: _Region, key: str | None, place: str, number: int) -> list[Object]:
    """Give one object for every class of a region; none, with a finding, where it has no box or class."""
    shape, attributes = region.shape_attributes, dict(region.region_attributes)
    found = _box(shape)
    if found is None:
        builder.finding("W121", place, f"a {printable(shape.name)} has no box, left out")
        return []
    labels = _labels(attributes.pop(key, None)) if key is not None else [SOLE_CLASS]
    if not labels:
        builder.finding("E003", place, f"has no {key}")
        return []
    box, points = found
    flags, others = flags_of(attributes)
    objects = [Object(label, box, number, flags, attributes=others) for label in labels]
    if shape.name != "rect":
        builder.finding("I202", place, "a shape that is no upright box was read as the box around it")
        for thing in objects:
            thing.flags |= Flag.FROM_POLYGON
            if points:
                thing.segmentation, thing.area = shapes.coco_polygons([points]), shapes.area(points)
    return objects


def _labels(value: object) -> list[str]:
    r"""Give the classes in an attribute: its text, or the boxes ticked.

    >>> _labels(" cat\n"), _labels({"cat": True, "dog": False}), _labels("")
    (['cat'], ['cat'], [])
    """
    if isinstance(value, dict):
        return [str(name) for name, ticked in value.items() if ticked]
    text = "" if value is None else str(value).strip()
    return [text] if text else []


def _box(shape: _Shape) -> tuple[shapes.Box, list[shapes.Point]] | None:
    """Give the box around a shape, and its outline where it is a polygon; None where it has no area."""
    if shape.name == "rect":
        return (shape.x, shape.y, shape.x + shape.width, shape.y + shape.height), []
    if shape.name == "circle":
        return shapes.ellipse((shape.cx, shape.cy), (shape.r, shape.r)), []
    if shape.name == "ellipse":
        return shapes.ellipse((shape.cx, shape.cy), (shape.rx, shape.ry), math.degrees(shape.theta)), []
    points = list(zip(shape.all_points_x, shape.all_points_y, strict=False))
    if shape.name == "polygon" and len(points) >= 3:
        return shapes.around(points), points
    return None
