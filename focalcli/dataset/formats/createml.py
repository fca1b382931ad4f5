"""CreateML JSON: a list of photos with boxes by their centre, in pixels; no sizes and no class list.

Create ML wants the file in the folder of its photos, so every split is a folder of both.
"""

from pathlib import Path

import msgspec
import numpy as np

from focalcli.dataset.builder import DatasetBuilder
from focalcli.dataset.features import Feature
from focalcli.dataset.format import Confidence, FormatInfo, Match, ReadOptions
from focalcli.dataset.formats.annotated import Annotated, Object, add_all, json_files, split_of
from focalcli.dataset.layout import file_names, rows_of, split_groups
from focalcli.dataset.peek import Outline, Peek
from focalcli.dataset.sink import Sink
from focalcli.dataset.source import Source
from focalcli.dataset.types import Dataset, Floats
from focalcli.errors import DataError

INFO = FormatInfo(
    name="createml",
    title="CreateML JSON",
    carries=frozenset({Feature.NEGATIVES, Feature.NAMES, Feature.SPLITS, Feature.SUBFOLDERS, Feature.SUBPIXEL}),
    record="annotation",
    file_suffix=".json",
)

FILE = "_annotations.createml.json"
"""Of a folder of photos, as Roboflow calls it."""

DECIMALS = 9
"""Of numbers written: a nano-pixel."""


class _Coordinates(msgspec.Struct, gc=False):
    x: float
    y: float
    width: float
    height: float


class _Annotation(msgspec.Struct, gc=False):
    label: str
    coordinates: _Coordinates


class _Photo(msgspec.Struct, gc=False):
    """One photo; Apple's own examples also say `imagefilename` and `annotation`."""

    image: str = ""
    imagefilename: str = ""
    annotations: list[_Annotation] = []
    annotation: list[_Annotation] = []


def sniff(peek: Peek) -> Match | None:
    """Claim JSON lists of objects with an image and annotations."""
    for name in peek.ending(".json")[:20]:
        if _is_createml(peek.json(name)):
            return Match(Confidence.CONTENT, f"{name} is a list of objects with image and annotations")
    return None


def _is_createml(top: Outline) -> bool:
    keys = set(top.inner.get("", ()))
    return (
        top.kind == "array" and bool(keys & {"image", "imagefilename"}) and bool(keys & {"annotations", "annotation"})
    )


def read(source: Source, options: ReadOptions, builder: DatasetBuilder) -> None:
    """Read every file of such a list."""
    paths = json_files(source, lambda top: _is_createml(top) or (top.kind == "array" and not top.inner))
    if not paths:
        raise DataError(source.path, "holds no list of photos with annotations", "choose another --from")
    add_all(source, builder, [photo for path in paths for photo in _read_file(source, path)])


def _read_file(source: Source, path: Path) -> list[Annotated]:
    place, split = source.name(path), split_of(source, path)
    photos: list[Annotated] = []
    count = 0
    for number, entry in enumerate(source.json(path, list[_Photo]), 1):
        photo = Annotated(entry.image or entry.imagefilename, path, f"{place}: image {number}", split)
        for annotation in entry.annotations or entry.annotation:
            count += 1
            c = annotation.coordinates
            corners = (c.x - c.width / 2, c.y - c.height / 2, c.x + c.width / 2, c.y + c.height / 2)
            photo.objects.append(Object(annotation.label, corners, count))
        photos.append(photo)
    return photos


def write(dataset: Dataset, sink: Sink) -> None:
    """Write `_annotations.createml.json` beside the photos, below a folder for every split."""
    groups = split_groups(dataset)
    if sink.single:
        sink.loss("medium", "images lose their split", 0 if "" in groups else len(dataset.images))
    names = file_names(dataset, sink, shared="" in groups or sink.single)
    values = _centred(dataset)
    lists: dict[str, list[_Photo]] = {"": []} if sink.single else {split: [] for split in groups}
    for split, positions in groups.items():
        for image, own in rows_of(dataset, positions):
            sink.image(dataset.images[image], f"{split}/{names[image]}" if split else names[image])
            annotations = [
                _Annotation(dataset.categories[category].name, _Coordinates(*row))
                for category, row in zip(dataset.boxes.category[own].tolist(), values[own].tolist(), strict=True)
            ]
            lists["" if sink.single else split].append(_Photo(names[image], annotations=annotations))
    for split, photos in lists.items():
        entries = [{"image": photo.image, "annotations": photo.annotations} for photo in photos]
        sink.bytes(f"{split}/{FILE}" if split else FILE, msgspec.json.encode(entries) + b"\n")


def _centred(dataset: Dataset) -> Floats:
    """Give (n, 4) centre, width and height."""
    low, high = dataset.boxes.xyxy[:, :2], dataset.boxes.xyxy[:, 2:]
    centred: Floats = np.hstack([(low + high) / 2, high - low])
    return centred.round(DECIMALS)
