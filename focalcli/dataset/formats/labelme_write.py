"""Writing LabelMe: a JSON file beside every labelled photo, and the list of classes."""

import msgspec

from focalcli.dataset.formats.annotated import words_of
from focalcli.dataset.formats.labelme_read import LABELS, NO_CLASS
from focalcli.dataset.layout import file_names, rows_of, split_groups
from focalcli.dataset.names import stem
from focalcli.dataset.sink import Sink
from focalcli.dataset.types import Dataset, Image

VERSION = "5.5.0"


class _OutShape(msgspec.Struct):
    label: str
    points: list[list[float]]
    group_id: int | None = None
    description: str = ""
    shape_type: str = "rectangle"
    flags: dict[str, bool] = {}
    mask: None = None


class _OutFile(msgspec.Struct):
    version: str
    flags: dict[str, bool]
    shapes: list[_OutShape]
    imagePath: str
    imageData: None
    imageHeight: int
    imageWidth: int


def write(dataset: Dataset, sink: Sink) -> None:
    """Write a file beside every labelled photo, below a folder for every split, and `labels.txt`."""
    if sink.transfer == "none":
        fresh = sum(not image.labelled for image in dataset.images)
        sink.loss("medium", "images nobody has labelled are left out, as photos are", fresh)
    groups = split_groups(dataset)
    names = file_names(dataset, sink, stems=True, shared="" in groups)
    for split, positions in groups.items():
        for image, own in rows_of(dataset, positions):
            photo = dataset.images[image]
            path = f"{split}/{names[image]}" if split else names[image]
            sink.image(photo, path)
            if photo.labelled or own.start < own.stop:
                content = msgspec.json.encode(_out_file(dataset, photo, path, own))
                sink.bytes(f"{stem(path)}.json", msgspec.json.format(content, indent=2) + b"\n")
    sink.text(LABELS, "".join(f"{name}\n" for name in (*sorted(NO_CLASS - {""}), *_names(dataset))))


def _names(dataset: Dataset) -> list[str]:
    return [category.name for category in dataset.categories]


def _out_file(dataset: Dataset, photo: Image, path: str, own: slice) -> _OutFile:
    boxes = dataset.boxes
    parts = [
        _OutShape(dataset.categories[category].name, [corners[:2], corners[2:]], flags=words_of(flags))
        for category, corners, flags in zip(
            boxes.category[own].tolist(), boxes.xyxy[own].tolist(), boxes.flags[own].tolist(), strict=True
        )
    ]
    return _OutFile(VERSION, {}, parts, path.rpartition("/")[2], None, photo.height, photo.width)
