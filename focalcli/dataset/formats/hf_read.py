"""Reading Hugging Face imagefolders: lines of `metadata.jsonl`, and the class names of the card.

Classes are numbers whose names stand in the data set card (`README.md`), or names themselves.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from focalcli.dataset.builder import DatasetBuilder
from focalcli.dataset.decode import decode_json, decode_yaml
from focalcli.dataset.format import Confidence, Match, ReadOptions
from focalcli.dataset.formats.annotated import USUAL, Annotated, Object, add_all, split_of
from focalcli.dataset.names import split_name
from focalcli.dataset.peek import Peek, outline
from focalcli.dataset.source import MIB, Source
from focalcli.dataset.types import Flag
from focalcli.errors import DataError

FILE, CARD = "metadata.jsonl", "README.md"
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
