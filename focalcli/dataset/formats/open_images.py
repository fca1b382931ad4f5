"""Open Images boxes: a CSV of all photos of a split, corners as fractions in the order XMin, XMax, YMin, YMax.

Photos are named without a suffix, classes by codes like `/m/01g317` that a second CSV names. Downloads mostly hold a
part of the photos: rows of the others are counted and left out. Group boxes are crowds.
"""

from itertools import islice
from pathlib import Path

import numpy as np

from focalcli.dataset.builder import DatasetBuilder, checked_key
from focalcli.dataset.format import Confidence, FormatInfo, Match, ReadOptions
from focalcli.dataset.formats import csv_file
from focalcli.dataset.formats.annotated import photo_folders, split_of, wanted_splits
from focalcli.dataset.peek import Peek
from focalcli.dataset.source import Source
from focalcli.dataset.types import Flag
from focalcli.errors import DataError

INFO = FormatInfo(name="open-images", title="Open Images CSV", carries=frozenset(), can_write=False)

CORNERS = ("xmin", "ymin", "xmax", "ymax")
NEEDED = {"imageid", "labelname", *CORNERS}
FLAG_COLUMNS = {
    "isoccluded": Flag.OCCLUDED,
    "istruncated": Flag.TRUNCATED,
    "isgroupof": Flag.CROWD | Flag.GROUP,
    "isdepiction": Flag.DEPICTION,
    "isinside": Flag.INSIDE,
}
"""1 is yes; 0 no and -1 unknown."""

BLOCK = 100_000
"""Rows turned into columns at a time."""


def sniff(peek: Peek) -> Match | None:
    """Claim CSV files whose header names image, label and corners."""
    for name in peek.ending(".csv")[:50]:
        rows = csv_file.first_records(peek, name, 1)
        if rows and set(csv_file.header(rows[0])) >= NEEDED:
            return Match(Confidence.CONTENT, f"{name} has the columns ImageID, LabelName, XMin, XMax, YMin, YMax")
    return None


def read(source: Source, options: ReadOptions, builder: DatasetBuilder) -> None:
    """Read the files of the wanted splits; classes are those with a name, else as first seen."""
    names, files = _class_names(source), _files(source)
    if not files:
        raise DataError(
            source.path, "holds no CSV file with the columns ImageID, LabelName, XMin", "choose another --from"
        )
    for name in names.values():
        builder.category(name)
    splits = {path: split_of(source, path) for path in files}
    for split in wanted_splits(builder, splits.values()):
        for path in (path for path in files if splits[path] == split):
            _Reader(source, builder, path, split, names).read()


def _files(source: Source) -> list[Path]:
    """Give the files of boxes."""
    if not source.path.is_dir():
        return [source.path]
    peek, paths = Peek(source.folder), source.files(".csv")
    heads = {path: csv_file.first_records(peek, path.relative_to(source.folder).as_posix(), 1) for path in paths}
    return [path for path, rows in heads.items() if rows and set(csv_file.header(rows[0])) >= NEEDED]


def _class_names(source: Source) -> dict[str, str]:
    """Give name by code from the file of class descriptions, without a header; nothing where there is none."""
    peek = Peek(source.folder)
    for path in source.files(".csv", depth=16 if source.path.is_dir() else 0):
        rows = csv_file.first_records(peek, path.relative_to(source.folder).as_posix(), 2)
        if rows and len(rows[-1]) == 2 and rows[-1][0].startswith("/"):
            pairs = [row for _, row in csv_file.records(source, path)]
            return {row[0].strip(): row[1].strip() for row in pairs if len(row) == 2 and row[0].startswith("/")}
    return {}


class _Reader:
    """Reads one file of boxes, a block of rows at a time."""

    def __init__(self, source: Source, builder: DatasetBuilder, path: Path, split: str, names: dict[str, str]) -> None:
        self.source, self.builder, self.path, self.split, self.names = source, builder, path, split, names
        self.place = source.name(path)
        self.images: dict[str, int | None] = {}
        self.missing: dict[str, int] = {}

    def read(self) -> None:
        """Hand all rows to the builder."""
        records = csv_file.records(self.source, self.path)
        header = csv_file.header(next(records, (0, []))[1])
        if not set(header) >= NEEDED:
            raise DataError(self.place, "has not the columns ImageID, LabelName, XMin, XMax, YMin, YMax", "repair it")
        columns = {name: index for index, name in enumerate(header)}
        while block := list(islice(records, BLOCK)):
            self._add([(line, row) for line, row in block if self._is_whole(line, row, len(header))], columns)
        if self.missing:
            rows = sum(self.missing.values())
            fact = f"the photo is not there, its rows are left out ({rows} rows of {len(self.missing)} photos)"
            places = [f"{self.place}: {name}" for name in islice(self.missing, 10)]
            self.builder.finding("W108", places[0], fact, count=len(self.missing), others=places[1:])
        if self.missing and not any(image is not None for image in self.images.values()):
            raise DataError(self.place, "none of its photos is there", "say where they are with --images")

    def _is_whole(self, line: int, row: list[str], width: int) -> bool:
        if len(row) != width:
            self.builder.finding("E001", f"{self.place}: line {line}", f"has {len(row)} fields, not {width}")
        return len(row) == width

    def _add(self, block: list[tuple[int, list[str]]], columns: dict[str, int]) -> None:
        rows = [
            (line, row, image)
            for line, row in block
            if (image := self._image(line, row[columns["imageid"]])) is not None
        ]
        corners = [values for line, row, _ in rows if (values := self._corners(line, row, columns)) is not None]
        if len(corners) < len(rows):
            return  # a damaged row is fatal, so nothing of the block is needed
        flags = np.zeros(len(rows), dtype=np.int64)
        for name, flag in FLAG_COLUMNS.items():
            if name in columns:
                flags |= np.array(
                    [row[columns[name]].strip() in ("1", "1.0") for _, row, _ in rows], dtype=np.int64
                ) * int(flag)
        self.builder.boxes(
            [image for _, _, image in rows],
            [self._category(row[columns["labelname"]]) for _, row, _ in rows],
            corners,
            file=self.builder.file(self.path),
            line=[line for line, _, _ in rows],
            flags=flags,
            fractions=True,
            score=[_score(row[columns["confidence"]]) for _, row, _ in rows] if "confidence" in columns else None,
        )

    def _image(self, line: int, name: str) -> int | None:
        """Give the position of a photo; None where it is not there."""
        if name not in self.images:
            self.images[name] = self._add_image(name, f"{self.place}: line {line}")
        if self.images[name] is None:
            self.missing[name] = self.missing.get(name, 0) + 1
        return self.images[name]

    def _add_image(self, name: str, place: str) -> int | None:
        key = checked_key(self.builder, name, place)
        if key is None:
            return None
        folders = photo_folders(self.source, self.path.parent, self.split)
        photo = self.source.find_photo(key, folders) or self.source.find(key, folders)
        if photo is None:
            return None
        below = key.rpartition("/")[0]
        unique = f"{below}/{photo.name}" if below else photo.name
        return self.builder.image(unique, path=photo, split=self.split or None, source_id=name)

    def _corners(self, line: int, row: list[str], columns: dict[str, int]) -> list[float] | None:
        texts = [row[columns[name]] for name in CORNERS]
        try:
            return [float(text.replace(",", ".")) for text in texts]
        except ValueError:
            self.builder.finding("E001", f"{self.place}: line {line}", f"{texts} are not four numbers")
            return None

    def _category(self, code: str) -> int:
        return self.builder.category(self.names.get(code.strip(), code.strip()))


def _score(text: str) -> float | None:
    """Give the confidence of a machine; a person's is 1 and no score."""
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return None
    return value if value != 1 else None
