"""keras-retinanet CSV: rows `path,x1,y1,x2,y2,class` without a header, and a file of `class,id`.

Whole pixels from the outer edge; `path,,,,,` is an image without objects. keras-retinanet reads numbers with `int()`
and refuses x2 <= x1, so that is what is written; fractions and a header are read all the same.
"""

from pathlib import Path

import numpy as np

from focalcli.dataset.builder import DatasetBuilder
from focalcli.dataset.features import Feature
from focalcli.dataset.format import Confidence, FormatInfo, Match, ReadOptions
from focalcli.dataset.formats import csv_file
from focalcli.dataset.formats.annotated import Annotated, Object, add_all, split_of
from focalcli.dataset.layout import file_names, rows_of, split_groups
from focalcli.dataset.peek import Peek
from focalcli.dataset.sink import Sink
from focalcli.dataset.source import Source
from focalcli.dataset.types import Dataset, Ints
from focalcli.errors import DataError

INFO = FormatInfo(
    name="retinanet",
    title="keras-retinanet CSV",
    carries=frozenset({Feature.NEGATIVES, Feature.NAMES, Feature.CLASS_LIST, Feature.SPLITS, Feature.SUBFOLDERS}),
)

FIELDS = 6
CLASSES = "classes.csv"


def sniff(peek: Peek) -> Match | None:
    """Claim CSV files with rows of a path, four numbers or nothing, and a class."""
    for name in peek.ending(".csv")[:50]:
        rows = csv_file.first_records(peek, name)
        rows = rows[_is_header(rows[0]) :] if rows else []
        if rows and all(len(row) == FIELDS and _is_row(row) for row in rows):
            return Match(Confidence.CONTENT, f"{name} has rows of a path, four numbers and a class")
    return None


def _is_row(row: list[str]) -> bool:
    """Tell a row with a box, or with nothing but a path."""
    return bool(row[0]) and (not any(row[1:]) or all(_is_number(text) for text in row[1:5]))


def _is_header(row: list[str]) -> bool:
    """Tell the names of the columns, which the format does not have and some files do."""
    return {"x1", "y1", "x2", "y2"} <= set(csv_file.header(row))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def read(source: Source, options: ReadOptions, builder: DatasetBuilder) -> None:
    """Read every file of boxes; the classes are those of the one file of classes, where there is one."""
    paths = [source.path] if not source.path.is_dir() else source.files(".csv")
    tables = {path: list(csv_file.records(source, path)) for path in paths}
    boxes = {path: rows for path, rows in tables.items() if all(len(row) >= FIELDS for _, row in rows)}
    classes = _classes(source, [path for path in paths if path not in boxes])
    photos: list[Annotated] = []
    for path, rows in boxes.items():
        photos += _read_rows(source, builder, path, rows, classes)
    if not boxes:
        raise DataError(source.path, "holds no rows of path, x1, y1, x2, y2, class", "choose another --from")
    add_all(source, builder, photos, (classes or {}).items())


def _classes(source: Source, others: list[Path]) -> dict[str, int] | None:
    """Give id by class name from the file of classes, in the order of the ids; None where there is no such file."""
    if not source.path.is_dir():
        beside = source.find(CLASSES, [source.folder])
        others = [beside] if beside is not None else []
    for path in others:
        rows = list(csv_file.records(source, path))
        if not all(len(row) == 2 and row[1].strip().isdecimal() for _, row in rows):
            raise DataError(
                source.name(path), "is neither rows of boxes nor of classes", "name the file of boxes itself"
            )
        numbers = {row[0].strip(): int(row[1]) for _, row in rows}
        if len(numbers) < len(rows) or len(set(numbers.values())) < len(rows):
            raise DataError(source.name(path), "names a class or an id twice", "give every class one id")
        return dict(sorted(numbers.items(), key=lambda item: item[1]))
    return None


def _read_rows(
    source: Source,
    builder: DatasetBuilder,
    path: Path,
    rows: list[tuple[int, list[str]]],
    classes: dict[str, int] | None,
) -> list[Annotated]:
    """Give the photos of one file in the order of their first rows."""
    photos: dict[str, Annotated] = {}
    split = split_of(source, path)
    rows = rows[_is_header(rows[0][1]) :] if rows else []
    for line, row in rows:
        place = f"{source.name(path)}: line {line}"
        name, *corners, label = (text.strip() for text in row[:FIELDS])
        photo = photos.setdefault(name, Annotated(name, path, place, split))
        if not any((*corners, label)):
            continue
        if not all(_is_number(text) for text in corners):
            builder.finding("E001", place, f"{corners} are not four numbers")
        elif not label or (classes is not None and label not in classes):
            fact = f"the class {label!r} is not in the list of classes" if label else "has no class name"
            builder.finding("E003", place, fact)
        else:
            x0, y0, x1, y1 = (float(text) for text in corners)
            photo.objects.append(Object(label, (x0, y0, x1, y1), line))
    return list(photos.values())


def write(dataset: Dataset, sink: Sink) -> None:
    """Write `SPLIT.csv` and `images/SPLIT/`, or `annotations.csv` and `images/`, and `classes.csv` numbered from 0."""
    groups = split_groups(dataset)
    names = file_names(dataset, sink, shared="" in groups)
    csv_file.tell_formulas(sink, (category.name for category in dataset.categories))
    corners = whole_pixels(dataset)
    for split, positions in groups.items():
        rows: list[list[object]] = []
        for image, own in rows_of(dataset, positions):
            path = f"images/{split}/{names[image]}" if split else f"images/{names[image]}"
            sink.image(dataset.images[image], path)
            labels = [dataset.categories[category].name for category in dataset.boxes.category[own].tolist()]
            rows += [[path, *box, label] for box, label in zip(corners[own].tolist(), labels, strict=True)]
            if own.start == own.stop:
                rows.append([path, "", "", "", "", ""])
        sink.text(f"{split or 'annotations'}.csv", csv_file.text(rows))
    sink.text(CLASSES, csv_file.text([category.name, index] for index, category in enumerate(dataset.categories)))


def whole_pixels(dataset: Dataset) -> Ints:
    """Give xyxy (n, 4) rounded, halves up, within the photo and at least one pixel wide and high."""
    limits = np.array([(image.width, image.height) for image in dataset.images]).reshape(-1, 2)[dataset.boxes.image]
    low, high = np.floor(dataset.boxes.xyxy[:, :2] + 0.5), np.floor(dataset.boxes.xyxy[:, 2:] + 0.5)
    low = np.clip(low, 0, limits - 1)
    return np.hstack([low, np.clip(high, low + 1, limits)]).astype(np.int64)
