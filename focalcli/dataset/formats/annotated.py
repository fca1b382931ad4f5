"""Photos with their objects as a small annotation file names them, on their way into the builder.

For formats whose files are read one object at a time. Those that come in millions of rows hand columns to the builder.
"""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from focalcli.dataset.builder import DatasetBuilder
from focalcli.dataset.names import printable, safe_relative, split_name
from focalcli.dataset.peek import Outline, Peek
from focalcli.dataset.source import Source
from focalcli.dataset.types import Flag

FLAG_WORDS = {
    "iscrowd": Flag.CROWD,
    "difficult": Flag.DIFFICULT,
    "truncated": Flag.TRUNCATED,
    "occluded": Flag.OCCLUDED,
    "ignore": Flag.IGNORE,
    "group": Flag.GROUP,
    "depiction": Flag.DEPICTION,
    "inside": Flag.INSIDE,
}
"""What flags are called where a format has room for words of the user's own."""

USUAL = ("train", "val", "test")
_SPLIT = re.compile(
    r"(?:^|[_.\-])((?:train|training|trainval|val|valid|validation|test|testing)(?:19|20)?\d*)(?=$|[_.\-])"
)
_FOLDERS = ("images", "JPEGImages", "image_2")


def json_files(source: Source, is_ours: Callable[[Outline], bool]) -> list[Path]:
    """Give the JSON files of a format by their outlines; a file that was named itself, whatever is in it."""
    if not source.path.is_dir():
        return [source.path]
    peek = Peek(source.folder)
    return [p for p in source.files(".json") if is_ours(peek.json(p.relative_to(source.folder).as_posix()))]


@dataclass(slots=True)
class Object:
    """One object: its class by name, xyxy as `DatasetBuilder.box` wants it, and the 1-based record it is in."""

    label: str
    xyxy: tuple[float, float, float, float]
    line: int = 0
    flags: int = 0
    area: float | None = None
    source_id: int = -1
    score: float | None = None
    segmentation: bytes | None = None
    attributes: dict[str, object] | None = None


@dataclass(slots=True)
class Annotated:
    """One photo as the file `path` names it, sizes 0 where it does not say; `fractions` is about all its objects."""

    name: str
    path: Path
    place: str
    split: str = ""
    width: int = 0
    height: int = 0
    source_id: int | str | None = None
    labelled: bool = True
    fractions: bool = False
    objects: list[Object] = field(default_factory=list)


def add_all(
    source: Source,
    builder: DatasetBuilder,
    photos: Sequence[Annotated],
    classes: Iterable[tuple[str, int | None]] = (),
) -> None:
    """Hand over photos, usual splits first. Classes are those listed, then all others as first seen in any split.

    So a class has the same position whatever split is wanted.
    """
    for name, number in classes:
        builder.category(name, number)
    for photo in photos:
        for thing in photo.objects:
            builder.category(thing.label)
    for split in wanted_splits(builder, [photo.split for photo in photos]):
        for photo in photos:
            if photo.split == split:
                _add(source, builder, photo)


def wanted_splits(builder: DatasetBuilder, found: Iterable[str]) -> list[str]:
    """Give the splits to read, usual ones first; the empty name, for photos of none, where no split was asked for."""
    names = sorted(dict.fromkeys(found), key=lambda name: USUAL.index(name) if name in USUAL else len(USUAL))
    chosen = builder.choose_splits([name for name in names if name])
    return [name for name in names if name in chosen or (not name and builder.options.split is None)]


def _add(source: Source, builder: DatasetBuilder, photo: Annotated) -> None:
    image = add_photo(source, builder, photo)
    if image is None or not photo.objects:
        return
    things = photo.objects
    builder.boxes(
        image,
        [builder.category(thing.label) for thing in things],
        [thing.xyxy for thing in things],
        file=builder.file(photo.path),
        line=[thing.line for thing in things],
        flags=[thing.flags for thing in things],
        area=[float("nan") if thing.area is None else thing.area for thing in things],
        source_id=[thing.source_id for thing in things],
        fractions=photo.fractions,
        score=[thing.score for thing in things],
        segmentation=[thing.segmentation for thing in things],
        attributes=[thing.attributes for thing in things],
    )


def add_photo(source: Source, builder: DatasetBuilder, photo: Annotated) -> int | None:
    """Add a photo and give its position; None, with finding E005, where its name leads out of the data set."""
    try:
        name = inside(source, photo.path.parent, photo.name)
    except ValueError as error:
        builder.finding("E005", photo.place, f"the image name {printable(photo.name)!r} {error}")
        return None
    path = source.find(name, photo_folders(source, photo.path.parent, photo.split))
    if path is None:
        builder.finding("W108", f"{photo.place}: {name}", "the photo is not there")
    return builder.image(
        photo_key(name, photo.split),
        path=path,
        width=photo.width,
        height=photo.height,
        split=photo.split or None,
        source_id=photo.source_id,
        labelled=photo.labelled,
    )


def inside(source: Source, here: Path, name: str) -> str:
    """Give a safe relative path for the name of a photo in a file in `here`.

    An absolute name, or one that climbs with `..`, is taken where it stays in the data set or in a folder of
    `--images`, relative to that.

    Raises:
        ValueError: with the fact as a clause; it leads out.
    """
    try:
        return safe_relative(name)
    except ValueError:
        text = name.replace("\\", "/")
        if not text.startswith("/") and ".." not in text.split("/"):
            raise
        target = os.path.normpath(os.path.join(os.path.abspath(here), text))
        folders = [os.path.abspath(folder) for folder in (*source.images, here, source.folder)]
        for folder in (*folders, *source.roots):
            root = folder.rstrip(os.sep) + os.sep
            if target.startswith(root):
                return safe_relative(target.removeprefix(root))
        raise


def photo_folders(source: Source, here: Path, split: str = "") -> list[Path]:
    """Give the folders where the photos of an annotation file in `here` may be, likeliest first."""
    cache = source.__dict__.setdefault("photo_folders", {})
    if (here, split) not in cache:
        names = {"": (), "val": ("val", "valid", "validation")}.get(split, (split,))
        bases = (*source.images, here / "images", here, here.parent / "images", source.folder / "images", source.folder)
        known = (here.parent,) if here != source.folder or not source.path.is_dir() else ()
        below = [base / name for name in names for base in (*bases, *known)]
        cache[here, split] = source.folders(*below, *bases, *known)
    found: list[Path] = cache[here, split]
    return found


def photo_key(name: str, split: str = "") -> str:
    """Give the key of a photo: its path without the folder of photos and that of its split.

    >>> photo_key("images/train/a.jpg", "train"), photo_key("valid/images/b/a.jpg", "val"), photo_key("b/a.jpg")
    ('a.jpg', 'b/a.jpg', 'b/a.jpg')
    """
    parts = name.split("/")
    for _ in range(2):
        if len(parts) > 1 and (parts[0] in _FOLDERS or (split and split_name(parts[0]) == split)):
            parts = parts[1:]
    return "/".join(parts)


def split_of(source: Source, path: Path) -> str:
    """Give the usual name of the split that a file name or a folder of its path says; nothing where none does."""
    if match := _SPLIT.search(path.stem.lower()):
        return split_name(match.group(1))
    folder = path.parent.absolute()
    try:
        parts = folder.relative_to(source.folder.absolute()).parts
    except ValueError:
        parts = ()
    if not source.path.is_dir():
        parts = (folder.name,)
    return next((split_name(part) for part in parts if split_name(part) in USUAL), "")


def flags_of(words: dict[str, object]) -> tuple[int, dict[str, object] | None]:
    """Tell the flags among a user's words from the other words, None where there are no others.

    >>> flags_of({"difficult": True, "colour": "red"})
    (2, {'colour': 'red'})
    """
    flags = sum(FLAG_WORDS[name] for name, value in words.items() if name in FLAG_WORDS and _yes(value))
    return int(flags), {name: value for name, value in words.items() if name not in FLAG_WORDS} or None


def words_of(flags: int) -> dict[str, bool]:
    """Give the words for flags. The inverse is `flags_of`."""
    return {name: True for name, flag in FLAG_WORDS.items() if flags & flag}


def _yes(value: object) -> bool:
    return value is True or str(value).strip().lower() in ("1", "true", "yes")
