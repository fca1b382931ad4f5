"""The photos of a YOLO data set, split by split, and where the label file of each must be."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from focalcli.dataset.formats.yolo_yaml import DataYaml
from focalcli.dataset.names import safe_relative, split_name
from focalcli.dataset.source import Source
from focalcli.errors import DataError


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo to read: its file, the key, and where its label file would be."""

    path: Path
    key: str
    label: Path


def entry_photos(source: Source, yaml: DataYaml, entries: Sequence[str]) -> list[Photo]:
    """Give the photos of one split: of folders, or of text files that list them."""
    photos: list[Photo] = []
    for entry in entries:
        place = _resolve(source, yaml, entry)
        if place is None:
            continue
        if place.is_dir():
            photos += _under(source, place)
        elif place.suffix.lower() == ".txt":
            photos += _listed(source, place)
    return photos


def _resolve(source: Source, yaml: DataYaml, entry: str) -> Path | None:
    """Find the folder or list of an entry as Ultralytics does, but never outside the declared roots.

    Raises:
        DataError: it exists only outside.
    """
    here = yaml.path.parent
    bases = [here / yaml.root, here, *source.images] if yaml.root else [here, *source.images]
    tried = [base / text for base in bases for text in (entry, entry.removeprefix("../"))]
    there = [path for path in tried if os.path.exists(path)]  # unlike Path.exists, False for a name no disk can hold
    for path in there:
        if source.allows(path):
            return path
    if there:
        fact = f"{entry!r} is at {there[0]}, outside the data set"
        raise DataError(source.name(yaml.path), fact, "add --images with that folder to allow it")
    return None


def _under(source: Source, folder: Path) -> list[Photo]:
    """Give the photos below a folder, with keys relative to it."""
    here = folder.as_posix().rstrip("/") + "/"
    return [Photo(p, p.as_posix().removeprefix(here), _label(source, p)) for p in source.photos(folder)]


def _label(source: Source, photo: Path) -> Path:
    """Give where the label file of a photo is: in `labels` for the last `images` of its path, else beside it."""
    parts = list(photo.parts)
    for depth in range(len(parts) - 2, -1, -1):
        if parts[depth] == "images":
            parts[depth] = "labels"
            return Path(*parts).with_suffix(".txt")
    return photo.with_suffix(".txt")


def _listed(source: Source, path: Path) -> list[Photo]:
    """Give the photos a list names, one a line; `./` starts at the list, other lines where they are found."""
    photos = []
    for number, line in enumerate(source.lines(path), 1):
        text = line.strip()
        if not text:
            continue
        try:
            name = safe_relative(text)
        except ValueError as error:
            place = f"{source.name(path)}: line {number}"
            raise DataError(place, f"the image name {text!r} {error}", "make it relative to the data set") from None
        photo = source.find(name, source.folders(path.parent, source.folder, *source.images))
        if photo is None:
            raise DataError(f"{source.name(path)}: line {number}", f"there is no photo {text!r}", "repair the list")
        photos.append(Photo(photo, _listed_key(name, path), _label(source, photo)))
    return photos


def _listed_key(name: str, path: Path) -> str:
    """Give the key of a listed photo: what follows `images/` and the name of the split."""
    key = name.rpartition("images/")[2] if name.startswith("images/") or "/images/" in name else name
    first, slash, rest = key.partition("/")
    return rest if slash and split_name(first) == split_name(path.stem) else key


def folder_photos(source: Source) -> dict[str, list[Photo]]:
    """Give the photos by split of `images/SPLIT` or `SPLIT/images`; the empty name for plain `images`."""
    base = source.folder
    found = {
        split_name(folder.parent.name): folder for folder in sorted(base.glob("*/images")) if source.allows(folder)
    }
    if not found and (base / "images").is_dir():
        below = sorted(path for path in (base / "images").iterdir() if path.is_dir())
        if below and all((base / "labels" / path.name).is_dir() for path in below):
            found = {split_name(path.name): path for path in below}
        else:
            found = {"": base / "images"}
    order = {"train": 0, "val": 1, "test": 2}
    names = sorted(found, key=lambda name: (order.get(name, 3), name))
    return {name: _under(source, found[name]) for name in names}
