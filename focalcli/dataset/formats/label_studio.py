"""Label Studio JSON export: tasks with annotations; boxes in percent of the photo, turned about their top-left corner.

A task counts with one annotation: the one marked as ground truth, else the newest that was not cancelled. Predictions
are a model's and are left out. URLs are never fetched: photos are found by their name.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from focalcli.dataset.builder import DatasetBuilder
from focalcli.dataset.format import Confidence, FormatInfo, Match, ReadOptions
from focalcli.dataset.formats import shapes
from focalcli.dataset.formats.annotated import Annotated, Object, add_all, json_files, photo_folders, split_of
from focalcli.dataset.names import safe_relative
from focalcli.dataset.peek import Outline, Peek
from focalcli.dataset.source import Source
from focalcli.dataset.types import Flag
from focalcli.errors import DataError
from focalcli.images.sizes import is_photo_name

INFO = FormatInfo(name="label-studio", title="Label Studio JSON", carries=frozenset(), can_write=False, record="region")

IMAGE_KEYS = ("image", "img", "photo", "picture", "url")
_UPLOAD = re.compile(r"^[0-9a-f]{8}-")
"""What Label Studio puts before the name of an uploaded file."""


class _Value(msgspec.Struct, gc=False):
    x: float | None = None
    y: float | None = None
    width: float | None = None
    height: float | None = None
    rotation: float = 0.0
    radiusX: float | None = None
    radiusY: float | None = None
    points: list[tuple[float, float]] | None = None
    rectanglelabels: list[str] | None = None
    polygonlabels: list[str] | None = None
    ellipselabels: list[str] | None = None
    labels: list[str] | None = None


class _Region(msgspec.Struct, gc=False):
    type: str = ""
    value: _Value = msgspec.field(default_factory=_Value)
    id: str | int | None = None
    original_width: float | None = None
    original_height: float | None = None
    image_rotation: float = 0.0
    score: float | None = None


class _Annotation(msgspec.Struct, gc=False):
    result: list[_Region] = []
    was_cancelled: bool = False
    ground_truth: bool = False
    updated_at: str | float | None = None
    created_at: str | float | None = None
    id: int | None = None


class _Task(msgspec.Struct, gc=False):
    data: dict[str, object] = {}
    id: int | str | None = None
    annotations: list[_Annotation] = []
    completions: list[_Annotation] = []
    file_upload: str | None = None


def sniff(peek: Peek) -> Match | None:
    """Claim JSON lists of tasks with data and annotations."""
    for name in peek.ending(".json")[:20]:
        if _is_export(peek.json(name)):
            return Match(Confidence.CONTENT, f"{name} is a list of tasks with data and annotations")
    return None


def _is_export(top: Outline) -> bool:
    keys = set(top.inner.get("", ()))
    return top.kind == "array" and "data" in keys and bool(keys & {"annotations", "completions"})


def read(source: Source, options: ReadOptions, builder: DatasetBuilder) -> None:
    """Read every export; classes are as first seen."""
    paths = json_files(source, _is_export)
    if not paths:
        raise DataError(source.path, "holds no list of tasks", "export the project as JSON, not as JSON-MIN")
    add_all(source, builder, [photo for path in paths for photo in _read_file(source, builder, path)])


def _read_file(source: Source, builder: DatasetBuilder, path: Path) -> Iterator[Annotated]:
    place, split = source.name(path), split_of(source, path)
    count = 0
    for number, task in enumerate(source.json(path, list[_Task]), 1):
        where = f"{place}: task {number if task.id is None else f'id {task.id}'}"
        name = _photo_name(source, path.parent, task)
        if name is None:
            builder.finding("E002", where, "its data name no photo")
            continue
        photo = Annotated(name, path, where, split, source_id=task.id)
        annotation = _chosen(builder, where, [*task.annotations, *task.completions])
        photo.labelled = annotation is not None
        for region in annotation.result if annotation else ():
            count += 1
            photo.width = photo.width or int(region.original_width or 0)
            photo.height = photo.height or int(region.original_height or 0)
            photo.objects += _objects(builder, region, f"{place}: region {count}", count)
        yield photo


def _chosen(builder: DatasetBuilder, place: str, annotations: Sequence[_Annotation]) -> _Annotation | None:
    """Give the annotation a task counts with; None where nobody has labelled it."""
    done = [annotation for annotation in annotations if not annotation.was_cancelled]
    if annotations and not done:
        builder.finding("W110", place, "every annotator skipped the task, so its photo counts as not labelled")
    best = [annotation for annotation in done if annotation.ground_truth] or done
    if len(best) > 1:
        builder.finding("W122", place, "several annotators labelled the task, the newest annotation was taken")
    return max(best, key=lambda a: (str(a.updated_at or a.created_at or ""), a.id or 0), default=None)


def _photo_name(source: Source, here: Path, task: _Task) -> str | None:
    """Give the likeliest name of a task's photo: one that is there, else the last part of its address."""
    texts = {key: value for key, value in task.data.items() if isinstance(value, str)}
    address = next((texts[key] for key in IMAGE_KEYS if texts.get(key)), None)
    address = address or next((text for text in texts.values() if is_photo_name(_path(text))), None) or task.file_upload
    if not address or address.startswith("data:"):
        return None
    path = _path(address)
    last = path.rpartition("/")[2]
    names = [path.lstrip("/"), *_tails(path), _UPLOAD.sub("", last)]
    folders = photo_folders(source, here)
    for name in names:
        try:
            if source.find(safe_relative(name), folders) is not None:
                return name
        except ValueError:
            continue
    return names[-1]


def _path(address: str) -> str:
    """Give the path in an address: of `?d=` for local files, else of the URL, else itself.

    >>> _path("/data/local-files/?d=a%20b/c.jpg"), _path("s3://bucket/x/c.jpg"), _path("a/c#1.jpg")
    ('a b/c.jpg', '/x/c.jpg', 'a/c#1.jpg')
    """
    if "://" not in address and "?d=" not in address:
        return address.replace("\\", "/")
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    given = parse_qs(parts.query).get("d")
    return given[0] if given else unquote(parts.path)


def _tails(path: str) -> list[str]:
    """Give the path with ever fewer of its first folders.

    >>> _tails("/data/upload/1/a.jpg")
    ['upload/1/a.jpg', '1/a.jpg', 'a.jpg']
    """
    parts = path.strip("/").split("/")
    return ["/".join(parts[start:]) for start in range(1, len(parts))]


def _objects(builder: DatasetBuilder, region: _Region, place: str, number: int) -> list[Object]:
    """Give one object for every label of a region; none, with a finding, where it has no box."""
    value = region.value
    labels = next(
        (v for v in (value.rectanglelabels, value.polygonlabels, value.ellipselabels, value.labels) if v), None
    )
    size = region.original_width or 0, region.original_height or 0
    found = _box(region, *size) if min(size) > 0 else None
    if labels is None or found is None:
        kind = region.type or "region"
        fact = f"a region of the kind {kind} has no {'box' if found is None else 'class'}, left out"
        builder.finding("W121", place, fact)
        return []
    if region.image_rotation % 360:
        builder.finding("W122", place, "the photo was turned in the editor, its boxes are read as if it were not")
    box, points = found
    objects = [Object(label, box, number, score=region.score) for label in labels]
    if points or value.rotation % 360 or value.radiusX is not None:
        builder.finding("I202", place, "a shape that is no upright box was read as the box around it")
        for thing in objects:
            thing.flags = Flag.FROM_POLYGON.value
            if points:
                thing.segmentation, thing.area = shapes.coco_polygons([points]), shapes.area(points)
    return objects


def _box(region: _Region, wide: float, high: float) -> tuple[shapes.Box, list[shapes.Point]] | None:
    """Give the box around a region in pixels, and its outline where it is a polygon; None where it has no area."""
    value = region.value
    if value.points is not None and len(value.points) >= 3 and not region.type.startswith("brush"):
        points = [(x * wide / 100, y * high / 100) for x, y in value.points]
        return shapes.around(points), points
    if value.x is None or value.y is None:
        return None
    x, y = value.x * wide / 100, value.y * high / 100
    if value.radiusX is not None and value.radiusY is not None:
        radii = value.radiusX * wide / 100, value.radiusY * high / 100
        return shapes.ellipse((x, y), radii, value.rotation), []
    if value.width is None or value.height is None or not region.type.startswith(("rectangle", "labels")):
        return None
    width, height = value.width * wide / 100, value.height * high / 100
    return shapes.turned(x, y, width, height, degrees=value.rotation, pivot=(x, y)), []
