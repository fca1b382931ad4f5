"""Hugging Face imagefolder: `metadata.jsonl` beside the photos, boxes as x, y, width, height in pixels.

Classes are numbers whose names stand in the data set card (`README.md`), or names themselves.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from focalcli.dataset.builder import DatasetBuilder
from focalcli.dataset.decode import decode_json, decode_yaml
from focalcli.dataset.features import Feature
from focalcli.dataset.format import Confidence, FormatInfo, Match, ReadOptions
from focalcli.dataset.formats.annotated import USUAL, Annotated, Object, add_all, split_of
from focalcli.dataset.layout import file_names, rows_of, split_groups
from focalcli.dataset.losses import CROWD_FLAGS
from focalcli.dataset.names import split_name
from focalcli.dataset.peek import Peek, outline
from focalcli.dataset.sink import Sink
from focalcli.dataset.source import MIB, Source
from focalcli.dataset.types import Dataset, Flag
from focalcli.errors import DataError

INFO = FormatInfo(
    name="hf",
    title="Hugging Face imagefolder",
    carries=frozenset(
        {
            Feature.NEGATIVES,
            Feature.CROWD,
            Feature.NAMES,
            Feature.CLASS_LIST,
            Feature.SOURCE_IDS,
            Feature.SPLITS,
            Feature.SUBFOLDERS,
            Feature.SIZES,
            Feature.SUBPIXEL,
        }
    ),
    file_suffix=".jsonl",
)

FILE, CARD = "metadata.jsonl", "README.md"
DECIMALS = 9
"""Of numbers written: a nano-pixel."""

Box = tuple[float, float, float, float]
Labels = list[int | str]


class _Objects(msgspec.Struct, gc=False):
    """Columns of the objects of one photo; the classes go by any of four names."""

    bbox: list[Box] = []
    categories: Labels | None = None
    category: Labels | None = None
    labels: Labels | None = None
    label: Labels | None = None
    id: list[int] | None = None
    area: list[float] | None = None
    iscrowd: list[int | bool] | None = None


class _Row(msgspec.Struct, gc=False):
    """One object of a list of them."""

    bbox: Box
    categories: int | str | None = None
    category: int | str | None = None
    labels: int | str | None = None
    label: int | str | None = None
    id: int | None = None
    area: float | None = None
    iscrowd: int | bool = 0


class _Line(msgspec.Struct, gc=False):
    file_name: str
    objects: _Objects | list[_Row] | None = None
    width: int | None = None
    height: int | None = None
    image_id: int | str | None = None


def sniff(peek: Peek) -> Match | None:
    """Claim JSON lines with a file name and objects."""
    for name in peek.ending(".jsonl")[:20]:
        if {"file_name", "objects"} <= set(outline(peek.text(name).partition("\n")[0]).keys):
            return Match(Confidence.CONTENT, f"{name} has lines with file_name and objects")
    return None


def read(source: Source, options: ReadOptions, builder: DatasetBuilder) -> None:
    """Read every `metadata.jsonl`; classes are those of the card, else as first seen, numbers in their order."""
    paths = [source.path] if not source.path.is_dir() else source.files(FILE)
    if not paths:
        raise DataError(source.path, f"holds no {FILE}", "choose another --from")
    names = _card_names(source, builder)
    photos = [photo for path in paths for photo in _read_file(source, builder, path, names)]
    classes: list[tuple[str, int | None]] = list(names.items())
    if not names:
        numbers = {int(thing.label) for photo in photos for thing in photo.objects if thing.label.isdecimal()}
        classes = [(str(number), number) for number in sorted(numbers)]
        if numbers:
            builder.finding("W122", source.name(paths[0]), f"its classes are numbers, and no {CARD} names them")
    add_all(source, builder, photos, classes)


def _read_file(source: Source, builder: DatasetBuilder, path: Path, names: dict[str, int]) -> Iterator[Annotated]:
    split = split_of(source, path)
    by_number = {number: name for name, number in names.items()}
    for number, text in enumerate(source.lines(path), 1):
        if not text.strip():
            continue
        place = f"{source.name(path)}: line {number}"
        line = decode_json(text.encode(), _Line, place)
        folder = split_name(line.file_name.replace("\\", "/").partition("/")[0])
        photo = Annotated(line.file_name, path, place, split or (folder if folder in USUAL else ""))
        photo.width, photo.height, photo.source_id = line.width or 0, line.height or 0, line.image_id
        for row in _rows(line.objects, place):
            label = next((v for v in (row.categories, row.category, row.labels, row.label) if v is not None), None)
            if label is None or (type(label) is int and names and label not in by_number):
                fact = f"class {label}, but {CARD} names {len(names)} classes" if names and label else "has no class"
                builder.finding("E003", place, fact)
                continue
            x, y, width, height = row.bbox
            flags = Flag.CROWD.value if row.iscrowd else 0
            source_id = -1 if row.id is None else row.id
            name = by_number.get(label, str(label)) if type(label) is int else str(label)
            photo.objects.append(Object(name, (x, y, x + width, y + height), number, flags, row.area, source_id))
        yield photo


def _rows(objects: _Objects | list[_Row] | None, place: str) -> list[_Row]:
    """Give the objects one by one.

    Raises:
        DataError: columns of different lengths.
    """
    if objects is None or isinstance(objects, list):
        return objects or []
    columns: dict[str, list[Any]] = {
        name: values for name in _Row.__struct_fields__ if (values := getattr(objects, name)) is not None
    }
    if len({len(values) for values in columns.values()}) > 1:
        lengths = ", ".join(f"{len(values)} {name}" for name, values in columns.items())
        raise DataError(place, f"the columns of objects differ in length ({lengths})", "make them agree")
    return [_Row(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]


def _card_names(source: Source, builder: DatasetBuilder) -> dict[str, int]:
    """Give number by class name from the data set card; nothing where it has none."""
    folders = source.folders(source.folder, source.folder.parent)
    path = source.find(CARD, folders)
    text = source.text(path) if path is not None else ""
    head = text.removeprefix("---\n").partition("\n---")[0] if text.startswith("---\n") else ""
    if path is None or not head or len(head) > MIB:
        return {}
    try:
        content = decode_yaml(head, source.name(path))
    except DataError as error:
        builder.finding("W122", error.place, f"the class names of the card are not read: it {error.fact}")
        return {}
    names = next(_class_labels(content, inside=False), None) or next(_class_labels(content, inside=True), {})
    return {str(name): number for number, name in names.items()}


def _class_labels(node: Any, *, inside: bool) -> Iterator[dict[int, str]]:
    """Give the class names of every `class_label`, first only those below a feature called `objects`."""
    if isinstance(node, dict):
        names = node.get("class_label", {}).get("names") if isinstance(node.get("class_label"), dict) else None
        if inside and isinstance(names, dict) and all(str(key).isdecimal() for key in names):
            yield {int(key): name for key, name in sorted(names.items(), key=lambda item: int(item[0]))}
        elif inside and isinstance(names, list):
            yield dict(enumerate(names))
        inside = inside or node.get("name") == "objects"
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _class_labels(child, inside=inside)


def write(dataset: Dataset, sink: Sink) -> None:
    """Write `metadata.jsonl` beside the photos, below a folder for every split, and the card with the class names."""
    groups = split_groups(dataset)
    if sink.single:
        sink.loss("medium", "images lose their split", 0 if "" in groups else len(dataset.images))
        used = len(np.unique(dataset.boxes.category))
        sink.loss("medium", "classes without objects are lost", len(dataset.categories) - used)
    names = file_names(dataset, sink, shared="" in groups or sink.single)
    lines: dict[str, list[bytes]] = {"": []} if sink.single else {split: [] for split in groups}
    image_ids = _all_numbered(dataset)
    for split, positions in groups.items():
        for image, own in rows_of(dataset, positions):
            photo = dataset.images[image]
            sink.image(photo, f"{split}/{names[image]}" if split else names[image])
            line: dict[str, object] = {"file_name": names[image]}
            line |= {"image_id": photo.source_id} if image_ids else {}
            line |= {"width": photo.width, "height": photo.height, "objects": _columns(dataset, own, named=sink.single)}
            lines["" if sink.single else split].append(msgspec.json.encode(line))
    for split, content in lines.items():
        sink.bytes(f"{split}/{FILE}" if split else FILE, b"".join(line + b"\n" for line in content))
    if not sink.single:
        sink.text(CARD, _card(dataset, image_ids=image_ids))


def _all_numbered(dataset: Dataset) -> bool:
    return bool(dataset.images) and all(type(image.source_id) is int for image in dataset.images)


def _columns(dataset: Dataset, own: slice, *, named: bool) -> dict[str, object]:
    """Give the objects of one photo; every photo has the same keys, as a table must."""
    boxes = dataset.boxes
    xywh = boxes.xyxy[own].copy()
    xywh[:, 2:] -= xywh[:, :2]
    numbers = boxes.category[own].tolist()
    ids = {"id": boxes.source_id[own].tolist()} if _boxes_numbered(dataset) else {}
    return {
        **ids,
        "bbox": np.round(xywh, DECIMALS).tolist(),
        "categories": [dataset.categories[number].name for number in numbers] if named else numbers,
        "area": np.round(boxes.area[own], DECIMALS).tolist(),
        "iscrowd": ((boxes.flags[own] & CROWD_FLAGS.value) != 0).astype(int).tolist(),
    }


def _boxes_numbered(dataset: Dataset) -> bool:
    return len(dataset.boxes) > 0 and bool((dataset.boxes.source_id >= 0).all())


def _card(dataset: Dataset, *, image_ids: bool) -> str:
    """Give the card: the task, and the features of every column, the classes with their names."""
    import yaml

    names = {str(index): category.name for index, category in enumerate(dataset.categories)}
    label = {"class_label": {"names": names}} if names else "int64"
    columns = [
        *([{"name": "id", "sequence": "int64"}] if _boxes_numbered(dataset) else []),
        {"name": "bbox", "sequence": {"sequence": "float64"}},
        {"name": "categories", "sequence": label},
        {"name": "area", "sequence": "float64"},
        {"name": "iscrowd", "sequence": "int64"},
    ]
    features = [
        {"name": "image", "dtype": "image"},
        *([{"name": "image_id", "dtype": "int64"}] if image_ids else []),
        {"name": "width", "dtype": "int64"},
        {"name": "height", "dtype": "int64"},
        {"name": "objects", "struct": columns},
    ]
    head = {"task_categories": ["object-detection"], "dataset_info": {"features": features}}
    text = yaml.safe_dump(head, allow_unicode=True, sort_keys=False, width=1 << 20)
    note = "Boxes are x, y, width and height in pixels; `categories` are numbers of the classes above."
    return f"---\n{text}---\n\n{note}\n"
