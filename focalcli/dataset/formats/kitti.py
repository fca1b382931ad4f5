"""KITTI object labels: a text file a photo, a line an object of 15 or 16 fields; `DontCare` marks regions to ignore.

Corners are pixels from the outer edge. What the lines say of three dimensions is kept as attributes.
"""

from collections.abc import Iterator
from pathlib import Path

from focalcli.dataset.builder import DatasetBuilder
from focalcli.dataset.format import Confidence, FormatInfo, Match, ReadOptions
from focalcli.dataset.formats.annotated import USUAL, Annotated, Object, add_all
from focalcli.dataset.names import split_name
from focalcli.dataset.peek import Peek
from focalcli.dataset.source import Source
from focalcli.dataset.types import Flag
from focalcli.errors import DataError

INFO = FormatInfo(name="kitti", title="KITTI", carries=frozenset(), can_write=False)

FIELDS = (15, 16)
LABELS = ("label_2", "labels", "label")
PHOTOS = {"label_2": ("image_2", "images"), "labels": ("images", "image_2"), "label": ("image", "images")}
IGNORED = "DontCare"
HIDDEN = (1, 2)
"""Levels of occlusion, partly and largely; 3 is unknown."""

NO_DEPTH = {"alpha": -10.0, "dimensions": [-1.0] * 3, "location": [-1000.0] * 3, "rotation_y": -10.0}
"""What stands for unknown."""


def sniff(peek: Peek) -> Match | None:
    """Claim text files of lines of a word and 14 or 15 numbers."""
    for name in [name for name in peek.ending(".txt") if _in_labels(name)][:20]:
        lines = [line.split() for line in peek.text(name).splitlines()[:5] if line.strip()]
        if lines and all(_is_object(words) for words in lines):
            return Match(Confidence.CONTENT, f"{name} has lines of a class and {len(lines[0]) - 1} numbers")
    return None


def _in_labels(name: str) -> bool:
    return any(part in LABELS for part in name.split("/")[:-1]) or "/" not in name


def _is_object(words: list[str]) -> bool:
    return len(words) in FIELDS and _numbers(words[1:]) is not None and _numbers(words[:1]) is None


def _numbers(words: list[str]) -> list[float] | None:
    try:
        return [float(word) for word in words]
    except ValueError:
        return None


def read(source: Source, options: ReadOptions, builder: DatasetBuilder) -> None:
    """Read every folder of labels and the photos beside it; classes are as first seen."""
    paths = [source.path] if not source.path.is_dir() else source.files(".txt")
    labels: dict[Path, list[Path]] = {}
    for path in paths:
        if path.parent.name in LABELS or not source.path.is_dir() or path.parent == source.folder:
            labels.setdefault(path.parent, []).append(path)
    if not labels:
        raise DataError(source.path, "holds no folder label_2 with text files", "choose another --from")
    photos = [photo for folder, files in labels.items() for photo in _read_folder(source, builder, folder, files)]
    add_all(source, builder, photos)


def _read_folder(source: Source, builder: DatasetBuilder, folder: Path, files: list[Path]) -> Iterator[Annotated]:
    """Give the photos with labels, then those without, which nobody has labelled."""
    above = folder.parent
    places = source.folders(
        *(above / name for name in PHOTOS.get(folder.name, ("image_2", "images"))), *source.images, folder, above
    )
    split = split_name(above.name) if split_name(above.name) in USUAL else ""
    known: set[Path] = set()
    for path in files:
        found = source.find_photo(path.stem, places)
        known |= {found} if found is not None else set()
        name = str(found.absolute()) if found is not None else f"{path.stem}.png"
        photo = Annotated(name, path, source.name(path), split)
        photo.objects = list(_objects(source, builder, path))
        yield photo
    if source.path.is_dir() and places and places[0].name in PHOTOS.get(folder.name, ()):
        for found in source.photos(places[0], depth=0):
            if found not in known:
                yield Annotated(str(found.absolute()), found, source.name(found), split, labelled=False)


def _objects(source: Source, builder: DatasetBuilder, path: Path) -> Iterator[Object]:
    for number, line in enumerate(source.lines(path), 1):
        words = line.split()
        if not words:
            continue
        values = _numbers(words[1:])
        place = f"{source.name(path)}: line {number}"
        if len(words) not in FIELDS or values is None:
            builder.finding("E001", place, f"is no class with 14 or 15 numbers, but has {len(words)} fields")
            continue
        yield _object(words[0], values, number)


def _object(label: str, values: list[float], number: int) -> Object:
    """Read one line; truncation is part of the object out of the photo, 0 to 1, occlusion a level."""
    truncation, occlusion = values[:2]
    flags = Flag.IGNORE if label == IGNORED else Flag(0)
    flags |= Flag.TRUNCATED if truncation > 0 else Flag(0)
    flags |= Flag.OCCLUDED if occlusion in HIDDEN else Flag(0)
    depth = {"alpha": values[2], "dimensions": values[7:10], "location": values[10:13], "rotation_y": values[13]}
    kept: dict[str, object] = {name: value for name, value in depth.items() if value != NO_DEPTH[name]}
    kept |= {"truncation": truncation} if truncation > 0 else {}
    kept |= {"occlusion": int(occlusion)} if occlusion > 0 else {}
    x0, y0, x1, y1 = values[3:7]
    score = values[14] if len(values) == 15 else None
    return Object(label, (x0, y0, x1, y1), number, int(flags), score=score, attributes=kept or None)
