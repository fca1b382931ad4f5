"""TensorFlow Object Detection CSV: a row a box, `filename,width,height,class,xmin,ymin,xmax,ymax`.

Coordinates are pixels from the outer edge, as datitran's and Roboflow's tools write them, or fractions of the photo;
which of the two is settled once for the whole data set. An image without objects has no row.
"""

import math
from collections.abc import Sequence
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
from focalcli.dataset.types import Dataset, Floats
from focalcli.errors import DataError

INFO = FormatInfo(
    name="tfod",
    title="TensorFlow Object Detection CSV",
    carries=frozenset({Feature.NAMES, Feature.SPLITS, Feature.SUBFOLDERS, Feature.SIZES, Feature.SUBPIXEL}),
    file_suffix=".csv",
)

COLUMNS = ("filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax")
CORNERS = COLUMNS[4:]
NEEDED = {"filename", "class", *CORNERS}

FRACTION = 1.01
"""Fractions may pass 1 by what rounding and sloppy clipping leave, as Ultralytics allows."""

DIGITS = 6
"""Decimals of a pixel written: half a millionth of a pixel of error."""


def sniff(peek: Peek) -> Match | None:
    """Claim CSV files whose header names file, class and corners."""
    for name in peek.ending(".csv")[:50]:
        rows = csv_file.first_records(peek, name, 1)
        if rows and set(csv_file.header(rows[0])) >= NEEDED:
            return Match(Confidence.CONTENT, f"{name} has the columns filename, class, xmin, ymin, xmax, ymax")
    return None


def read(source: Source, options: ReadOptions, builder: DatasetBuilder) -> None:
    """Read every file with such a header."""
    paths = [source.path] if not source.path.is_dir() else source.files(".csv")
    parsed = [found for path in paths if (found := _read_file(source, builder, path)) is not None]
    if not parsed:
        raise DataError(
            source.path, f"holds no CSV file with the columns {', '.join(COLUMNS)}", "choose another --from"
        )
    photos = [photo for found in parsed for photo in found]
    fractions, reason = _convention(photos)
    builder.extras["coordinates"] = reason
    for photo in photos:
        photo.fractions = fractions
    add_all(source, builder, photos)


def _read_file(source: Source, builder: DatasetBuilder, path: Path) -> list[Annotated] | None:
    """Give the photos of one file in the order of their first rows; None where the header is another."""
    records = csv_file.records(source, path)
    names = csv_file.header(next(records, (0, []))[1])
    if not set(names) >= NEEDED:
        return None
    columns = {name: names.index(name) for name in COLUMNS if name in names}
    photos: dict[str, Annotated] = {}
    split = split_of(source, path)
    for line, record in records:
        place = f"{source.name(path)}: line {line}"
        if len(record) < len(names):
            builder.finding("E001", place, f"has {len(record)} fields, not {len(names)}")
            continue
        row = {name: record[index].strip() for name, index in columns.items()}
        size = _pixels(row.get("width", "")), _pixels(row.get("height", ""))
        photo = photos.setdefault(row["filename"], Annotated(row["filename"], path, place, split, *size))
        if any(row[name] for name in CORNERS):
            _add_box(builder, photo, row, place, line)
    return list(photos.values())


def _add_box(builder: DatasetBuilder, photo: Annotated, row: dict[str, str], place: str, line: int) -> None:
    try:
        x0, y0, x1, y1 = (float(row[name]) for name in CORNERS)
    except ValueError:
        builder.finding("E001", place, f"{[row[name] for name in CORNERS]} are not four numbers")
        return
    if not row["class"]:
        builder.finding("E003", place, "has no class name")
        return
    photo.objects.append(Object(row["class"], (x0, y0, x1, y1), line))


def _pixels(text: str) -> int:
    """Give a size in pixels; 0 where it is missing or nonsense, so that the photo is asked."""
    try:
        return max(0, int(float(text)))
    except (ValueError, OverflowError):
        return 0


def _convention(photos: Sequence[Annotated]) -> tuple[bool, str]:
    """Decide whether corners are fractions of the photo, and say why."""
    values = [value for photo in photos for thing in photo.objects for value in thing.xyxy if math.isfinite(value)]
    largest = max(values, default=0.0)
    if largest > FRACTION:
        return False, f"are pixels because one is {csv_file.decimal(largest, 3)}"
    if all(value == int(value) for value in values):
        return False, "are pixels because all are whole numbers"
    return True, f"are fractions of the photo because none is over {csv_file.decimal(largest, 3)}"


def write(dataset: Dataset, sink: Sink) -> None:
    """Write `SPLIT.csv` and `images/SPLIT/`, or `annotations.csv` and `images/`, in pixels."""
    corners = _corners(dataset, sink)
    groups = split_groups(dataset)
    if sink.single:
        sink.loss(
            "medium", "images lose their split", len(dataset.images) if len(groups) > 1 or "" not in groups else 0
        )
    names = file_names(dataset, sink, shared="" in groups or sink.single)
    tables: dict[str, list[list[object]]] = {"": [list(COLUMNS)]} if sink.single else {}
    for split, positions in groups.items():
        rows = tables[""] if sink.single else tables.setdefault(split, [list(COLUMNS)])
        for image, own in rows_of(dataset, positions):
            sink.image(dataset.images[image], f"images/{split}/{names[image]}" if split else f"images/{names[image]}")
            rows += _rows(dataset, image, own, names[image], corners)
    csv_file.tell_formulas(sink, (*(category.name for category in dataset.categories), *names))
    for split, rows in tables.items():
        sink.text(f"{split or 'annotations'}.csv", csv_file.text(rows))


def _corners(dataset: Dataset, sink: Sink) -> Floats:
    """Give the corners to write: whole pixels where a reader would take those so near the origin for fractions."""
    xyxy = dataset.boxes.xyxy
    if not len(xyxy) or xyxy.max() > FRACTION or bool((xyxy == xyxy.round()).all()):
        return xyxy
    sink.loss("info", "boxes are widened to whole pixels, as all lie in the first", len(xyxy))
    return np.hstack([np.floor(xyxy[:, :2]), np.ceil(xyxy[:, 2:])])


def _rows(dataset: Dataset, image: int, own: slice, name: str, corners: Floats) -> list[list[object]]:
    photo = dataset.images[image]
    return [
        [
            name,
            photo.width,
            photo.height,
            dataset.categories[category].name,
            *(csv_file.decimal(value, DIGITS) for value in row),
        ]
        for category, row in zip(dataset.boxes.category[own].tolist(), corners[own].tolist(), strict=True)
    ]
