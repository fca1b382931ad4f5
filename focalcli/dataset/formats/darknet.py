"""YOLO as darknet and LabelImg keep it: rows of fractions in a text file beside each photo.

darknet names its parts in `obj.data`: a file of class names, a line a class, and lists of photos. LabelImg has only
`classes.txt`. A blank line among the names is a class too, or all after it would shift.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from focalcli.dataset.builder import DatasetBuilder
from focalcli.dataset.format import Confidence, FormatInfo, Match, ReadOptions
from focalcli.dataset.formats.annotated import photo_key, split_of, wanted_splits
from focalcli.dataset.formats.yolo_rows import Rows
from focalcli.dataset.names import safe_relative, stem
from focalcli.dataset.peek import Peek
from focalcli.dataset.source import Source
from focalcli.errors import DataError

INFO = FormatInfo(name="darknet", title="YOLO darknet", carries=frozenset(), can_write=False)

CLASSES = "classes.txt"
SPLITS = {"train": "train", "valid": "val", "test": "test"}
"""Keys of `obj.data` that name a list of photos, and the usual names of those splits."""

_BESIDE = {"images": "labels", "JPEGImages": "labels"}
"""Folders of photos whose label files darknet looks for in another."""

_PREFIX = re.compile(r"^(?:data/)?(?:obj(?:_\w+_data)?/)?(?:images/)?(?=.)", re.IGNORECASE)


class _Photo(NamedTuple):
    path: Path
    key: str
    split: str


def sniff(peek: Peek) -> Match | None:
    """Claim `obj.data` with names and lists, or `classes.txt` with rows in text files beside photos."""
    for name in peek.ending(".data"):
        keys = _settings(peek.text(name)).keys()
        if "names" in keys and keys & SPLITS.keys():
            return Match(Confidence.CONTENT, f"{name} names classes and lists of photos")
    for name in peek.names:
        folder, slash, last = name.rpartition("/")
        if last == CLASSES and (label := _label_beside_photo(peek, folder + slash)):
            return Match(Confidence.LAYOUT, f"it has {name}, and {label} beside its photo")
    return None


def _label_beside_photo(peek: Peek, folder: str) -> str:
    """Give a text file of rows below a folder that has a photo of its stem beside it; nothing where there is none."""
    stems = {stem(name) for name in peek.photos if name.startswith(folder)}
    labels = [name for name in peek.ending(".txt") if stem(name) in stems]
    return next((name for name in labels[:20] if _is_rows(peek.text(name))), "")


def _is_rows(text: str) -> bool:
    words = text.split("\n", 1)[0].split()
    return len(words) >= 5 and all(re.fullmatch(r"-?\d+(\.\d*)?([eE]-?\d+)?", word) for word in words)


def _settings(text: str) -> dict[str, str]:
    r"""Give the lines `key = value` of a text.

    >>> _settings("classes= 2\n# note\nnames = data/obj.names\n")
    {'classes': '2', 'names': 'data/obj.names'}
    """
    pairs = [line.partition("=") for line in text.splitlines() if "=" in line and not line.lstrip().startswith("#")]
    return {key.strip(): value.strip() for key, _, value in pairs}


def read(source: Source, options: ReadOptions, builder: DatasetBuilder) -> None:
    """Read what `obj.data` names, else every photo with the label file beside it."""
    data = _data_file(source)
    names, place, photos = _listed(source, builder, data) if data else _beside(source, builder)
    for split in wanted_splits(builder, [photo.split for photo in photos]):
        rows = Rows(source, builder, names, None)
        rows.place = place
        for photo in (photo for photo in photos if photo.split == split):
            label = _label(source, photo.path)
            image = builder.image(photo.key, path=photo.path, split=split or None, labelled=label is not None)
            if label is not None:
                rows.read(label, image)
        rows.add()
    for index in range(len(builder.categories), len(names)):
        builder.category(names[index], index)


def _data_file(source: Source) -> Path | None:
    if not source.path.is_dir():
        return source.path if source.path.suffix.lower() == ".data" else None
    found = [path for path in source.files(".data", depth=2) if "names" in _settings(source.text(path))]
    if len(found) > 1:
        listed = ", ".join(source.name(path) for path in found)
        raise DataError(source.path, f"holds several .data files ({listed})", "name the right one")
    return found[0] if found else None


def _listed(source: Source, builder: DatasetBuilder, data: Path) -> tuple[list[str], str, list[_Photo]]:
    """Give class names, where they stand, and the photos of the lists in `obj.data`."""
    settings = _settings(source.text(data))
    path = _find(source, data, settings.get("names", ""))
    if path is None:
        raise DataError(source.name(data), f"there is no file {settings.get('names', '')!r} of names", "add it")
    names = _names(source, builder, path)
    count = settings.get("classes", "")
    if count.isdecimal() and int(count) != len(names):
        raise DataError(source.name(path), f"has {len(names)} names, but {data.name} says {count}", "make them agree")
    photos: list[_Photo] = []
    for key, split in SPLITS.items():
        listing = _find(source, data, settings[key]) if settings.get(key) else None
        repeated = key != "train" and settings.get(key) == settings.get("train")
        if listing is not None and not repeated:
            photos += _photos(source, builder, data, listing, split)
    if not photos:
        raise DataError(source.name(data), "none of its lists names a photo", "repair the paths of train and valid")
    return names, source.name(path), photos


def _names(source: Source, builder: DatasetBuilder, path: Path) -> list[str]:
    """Give the class names, those of blank lines made up; blank lines at the end are none."""
    names = [line.strip() for line in source.lines(path)]
    while names and not names[-1]:
        names.pop()
    for number, name in enumerate(names):
        if not name:
            place = f"{source.name(path)}: line {number + 1}"
            builder.finding("W122", place, "is blank, so that a class has no name; it keeps its number")
    return [name or f"class_{number}" for number, name in enumerate(names)]


def _photos(source: Source, builder: DatasetBuilder, data: Path, listing: Path, split: str) -> Iterator[_Photo]:
    for number, line in enumerate(source.lines(listing), 1):
        name = line.strip()
        if not name:
            continue
        path = _find(source, data, name)
        if path is None:
            builder.finding("E002", f"{source.name(listing)}: line {number}", f"there is no photo {name!r}")
            continue
        yield _Photo(path, _key(source, path), split)


def _key(source: Source, path: Path) -> str:
    bases = [base for base in (*source.images, source.folder) if path.is_relative_to(base)]
    name = path.relative_to(bases[0]).as_posix() if bases else path.name
    return _PREFIX.sub("", name)


def _find(source: Source, data: Path, name: str) -> Path | None:
    """Find a file that `obj.data` or a list names: the path starts where darknet ran, so its end has to do."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    folders = source.folders(data.parent, source.folder, *source.images)
    for start in range(len(parts)):
        try:
            found = source.find(safe_relative("/".join(parts[start:])), folders)
        except ValueError:
            continue
        if found is not None:
            return found
    return None


def _beside(source: Source, builder: DatasetBuilder) -> tuple[list[str], str, list[_Photo]]:
    """Give class names, where they stand, and all photos; several files of names must agree.

    LabelImg writes one into every folder, in the order of its session.
    """
    paths = [path for path in source.files(CLASSES) if path.name == CLASSES]
    if not paths:
        raise DataError(source.path, f"holds neither obj.data nor {CLASSES}", "add the names of the classes")
    lists = {path: _names(source, builder, path) for path in paths}
    for path, names in lists.items():
        if names != lists[paths[0]]:
            fact = f"names other classes than {source.name(paths[0])}, so class numbers mean different things"
            raise DataError(source.name(path), fact, "convert the folders one by one")
    found = source.photos(source.folder)
    names_below = {path: path.relative_to(source.folder).as_posix() for path in found}
    splits = {path: split_of(source, path) for path in found}
    photos = [_Photo(path, photo_key(name, splits[path]), splits[path]) for path, name in names_below.items()]
    return lists[paths[0]], source.name(paths[0]), photos


def _label(source: Source, photo: Path) -> Path | None:
    """Give the label file of a photo: beside it, else in `labels` for `images`; None where there is none."""
    name = f"{photo.stem}.txt"
    folders = [photo.parent]
    for old, new in _BESIDE.items():
        if old in photo.parent.parts:
            folders.append(Path(*(new if part == old else part for part in photo.parent.parts)))
    return source.find(name, folders)
