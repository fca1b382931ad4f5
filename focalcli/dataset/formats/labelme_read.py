"""Reading LabelMe: every shape with an area is an object or a part of one; `imageData` is never decoded.

Parts with one label and one `group_id` are one object. A photo without a file has not been labelled.
"""

import math
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from focalcli.dataset.builder import DatasetBuilder
from focalcli.dataset.decode import decode_json
from focalcli.dataset.format import Confidence, Match, ReadOptions
from focalcli.dataset.formats import shapes
from focalcli.dataset.formats.annotated import (
    Annotated,
    Object,
    add_all,
    flags_of,
    inside,
    photo_folders,
    split_of,
)
from focalcli.dataset.names import safe_relative
from focalcli.dataset.peek import Outline, Peek
from focalcli.dataset.source import Source
from focalcli.dataset.types import Flag
from focalcli.errors import DataError

LABELS = "labels.txt"
"""The list of classes, as `labelme --labels` takes it; names in the set below are LabelMe's own."""

NO_CLASS = {"", "__ignore__", "_background_"}


class _Shape(msgspec.Struct, gc=False):
    label: str
    points: list[tuple[float, float]]
    shape_type: str = "polygon"
    group_id: int | str | None = None
    flags: dict[str, object] | None = None


class _File(msgspec.Struct):
    """What is read of a file; `imageData` is not among it, so its megabytes are skipped."""

    shapes: list[_Shape]
    imagePath: str = ""
    imageWidth: float | None = None
    imageHeight: float | None = None


class _Keys(msgspec.Struct):
    shapes: msgspec.Raw = msgspec.Raw()


def sniff(peek: Peek) -> Match | None:
    """Claim JSON objects with shapes of a label and points, or with shapes and the path of an image."""
    for name in peek.ending(".json")[:20]:
        if _is_labelme(peek.json(name)):
            return Match(Confidence.CONTENT, f"{name} has the keys shapes and imagePath")
    return None


def _is_labelme(top: Outline) -> bool:
    known = {"label", "points"} <= set(top.inner.get("shapes", ())) or "imagePath" in top.keys
    return top.kind == "object" and "shapes" in top.keys and known


def read(source: Source, options: ReadOptions, builder: DatasetBuilder) -> None:
    """Read every file, then add the photos nobody has labelled yet."""
    paths = [source.path] if not source.path.is_dir() else source.files(".json")
    photos = [photo for path in paths if (photo := _read_file(source, builder, path)) is not None]
    if source.path.is_dir():
        photos += _unlabelled(source, photos)
    add_all(source, builder, photos, [(name, None) for name in _classes(source)])


def _classes(source: Source) -> list[str]:
    """Give the classes of `labels.txt`, where there is one."""
    path = source.find(LABELS, [source.folder])
    names = [line.strip() for line in source.lines(path)] if path is not None else []
    return [name for name in names if name not in NO_CLASS]


def _read_file(source: Source, builder: DatasetBuilder, path: Path) -> Annotated | None:
    """Read one file; None where it is another kind of JSON, or damaged, with a finding."""
    place = source.name(path)
    content = source.bytes(path)
    try:
        keys = decode_json(content, _Keys | list[msgspec.Raw], place)  # type: ignore[arg-type]
        if not isinstance(keys, _Keys) or not keys.shapes:
            return None
        file = decode_json(content, _File, place)
    except DataError as error:
        builder.finding("E001", error.place, error.fact)
        return None
    name, split = _photo_name(source, path, file.imagePath), split_of(source, path)
    photo = Annotated(name, path, place, split, int(file.imageWidth or 0), int(file.imageHeight or 0))
    photo.objects = _objects(builder, place, file.shapes)
    return photo


def _photo_name(source: Source, path: Path, name: str) -> str:
    r"""Give the photo's path from the data set: `imagePath` starts at the file and may hold `..` and backslashes.

    A stale one, as after a move of the files, gives way to a photo of the same name or of the file's own stem.
    """
    folders = photo_folders(source, path.parent)
    below = path.parent.relative_to(source.folder).as_posix()
    prefix = "" if below == "." else f"{below}/"
    likely, fallback = [], name
    with suppress(ValueError):
        relative = inside(source, path.parent, name)
        likely = [f"{prefix}{relative}", relative]
        likely = likely[::-1] if ".." in name else likely
        fallback = likely[0]
    last = name.replace("\\", "/").rpartition("/")[2]
    with suppress(ValueError):
        likely += [f"{prefix}{safe_relative(last)}", last]
    if found := [candidate for candidate in likely if source.find(candidate, folders) is not None]:
        return found[0]
    photo = source.find_photo(path.stem, [path.parent])
    return f"{prefix}{photo.name}" if photo is not None else fallback


def _objects(builder: DatasetBuilder, place: str, parts: Sequence[_Shape]) -> list[Object]:
    """Give the objects of one file, each where its first part is."""
    groups: dict[tuple[object, ...], list[tuple[int, _Shape]]] = {}
    for number, shape in enumerate(parts, 1):
        token = (number,) if shape.group_id is None else (shape.label, shape.group_id)
        groups.setdefault(token, []).append((number, shape))
    found: list[Object] = []
    for group in groups.values():
        boxes = []
        for number, shape in group:
            box = _box(shape)
            if box is None:
                builder.finding("W121", f"{place}: shape {number}", f"a {shape.shape_type} has no box, left out")
            else:
                boxes.append(box)
        if boxes:
            found.append(_object(group, boxes))
    return found


def _box(shape: _Shape) -> shapes.Box | None:
    """Give the box around a shape; None for one without area, or with too few points."""
    points, kind = shape.points, shape.shape_type
    if kind == "circle" and len(points) == 2:
        radius = math.dist(points[0], points[1])
        return shapes.ellipse(points[0], (radius, radius))
    if kind == "mask" and len(points) == 2:
        x0, y0, x1, y1 = shapes.around(points)
        return x0, y0, x1 + 1, y1 + 1  # the corners of a mask are pixels within it
    enough = {"rectangle": 2, "polygon": 3, "oriented_rectangle": 3}
    if kind in enough and len(points) >= enough[kind]:
        return shapes.around(points)
    return None


def _object(group: Sequence[tuple[int, _Shape]], boxes: Sequence[shapes.Box]) -> Object:
    """Join the parts of one object."""
    number, first = group[0]
    words = {name: value for _, shape in group for name, value in (shape.flags or {}).items() if value}
    flags, others = flags_of(words)
    polygons = [shape.points for _, shape in group if shape.shape_type == "polygon"]
    thing = Object(first.label, shapes.union(boxes), number, flags, attributes=others)
    if any(shape.shape_type != "rectangle" for _, shape in group):
        thing.flags |= Flag.FROM_POLYGON
    if len(polygons) == len(group):
        thing.segmentation = shapes.coco_polygons(polygons)
        thing.area = sum(shapes.area(points) for points in polygons)
    return thing


def _unlabelled(source: Source, photos: Sequence[Annotated]) -> list[Annotated]:
    """Give the photos without a file."""
    known: set[Path | None] = set()
    for photo in photos:
        with suppress(ValueError):
            known.add(source.find(photo.name, photo_folders(source, photo.path.parent, photo.split)))
    found = []
    for path in source.photos(source.folder):
        if path not in known:
            name = path.relative_to(source.folder).as_posix()
            found.append(Annotated(name, path, name, split_of(source, path), labelled=False))
    return found
