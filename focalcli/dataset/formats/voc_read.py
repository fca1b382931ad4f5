"""Reading Pascal VOC: the convention of coordinates, splits that may overlap, photos by stem."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from focalcli.dataset.builder import DatasetBuilder
from focalcli.dataset.format import ReadOptions
from focalcli.dataset.formats.voc_file import VocFile, parse
from focalcli.dataset.names import printable, split_name, stem
from focalcli.dataset.source import Source
from focalcli.errors import DataError
from focalcli.images.sizes import is_photo_name

ORDER = ("train", "val", "test")
_LABELLED = re.compile(r"(?<!\s)\s++-?[01]\s*$")  # tried once in every gap, not at every space of it
"""What the lists of single classes say after a stem, which itself may hold spaces."""

_DEVKIT = re.compile(r"^(VOCdevkit|VOC20\d\d)$")
_DEVKIT_DATABASE = re.compile(r"The VOC ?20\d\d|ILSVRC|PASCAL VOC", re.IGNORECASE)


def read(source: Source, options: ReadOptions, builder: DatasetBuilder) -> None:
    """Read all files, so that classes come in the same order whatever split is wanted, then add the wanted images."""
    paths = [source.path] if not source.path.is_dir() else source.files(".xml")
    parsed = [found for path in paths if (found := parse(source, builder, path)) is not None]
    if not parsed:
        if builder.failed:
            return
        raise DataError(source.path, "holds no readable VOC annotation", "name its format with --from")
    one_based, reason = _convention(parsed, options)
    builder.extras["coordinates"] = reason
    if not reason.startswith(("one-based because", "zero-based because")):
        builder.finding(
            "W122", source.name(parsed[0].path), "nothing shows where coordinates start, read as zero-based"
        )
    for found in parsed:
        for thing in found.objects:
            builder.category(thing.name)
    splits = _splits(source, parsed)
    shift = 1.0 if one_based else 0.0
    for split, stems in _wanted(builder, splits).items():
        _add_split(source, builder, parsed, split or None, stems, shift)


def _convention(parsed: Sequence[VocFile], options: ReadOptions) -> tuple[bool, str]:
    """Decide whether minima are one-based for the whole data set, and say why."""
    if options.voc_coords != "auto":
        return options.voc_coords == "one-based", f"{options.voc_coords} because you said so"
    if all(found.stamped for found in parsed):
        return True, "one-based because focalcli wrote it"
    for found in parsed:
        if _DEVKIT_DATABASE.search(found.database):
            return True, f"one-based because its database is {found.database!r}"
        if any(_DEVKIT.match(part) for part in found.path.absolute().parts):
            return True, "one-based because it lies in a VOC devkit"
    if any(min(thing.bounds[:2]) == 0 for found in parsed for thing in found.objects):
        return False, "zero-based because a coordinate is 0"
    if any(found.has_path and found.database in ("Unknown", "") for found in parsed):
        return False, "zero-based because LabelImg wrote it"
    return False, "zero-based, which is a guess"


def _splits(source: Source, parsed: Sequence[VocFile]) -> dict[str, list[tuple[Path, str]]]:
    """Give (base, stem) of the images of every split, usual splits first; the empty name where there are none."""
    splits: dict[str, list[tuple[Path, str]]] = {}
    for base in sorted({found.base for found in parsed} if source.path.is_dir() else ()):
        for path in _lists(source, base):
            stems = [name for line in source.lines(path) if (name := _LABELLED.sub("", line).strip())]
            splits.setdefault(split_name(path.stem), []).extend((base, name) for name in stems)
    if not splits:
        for found in parsed:
            splits.setdefault(_folder_split(source, found), []).append((found.base, found.stem))
        splits.setdefault("", []).extend(_unlabelled(source, parsed))
    order = sorted(splits, key=lambda name: (ORDER.index(name) if name in ORDER else 3, name))
    return {name: splits[name] for name in order}


def _unlabelled(source: Source, parsed: Sequence[VocFile]) -> list[tuple[Path, str]]:
    """Give the photos in `JPEGImages` that have no XML file."""
    known = {(found.base, name) for found in parsed for name in (found.stem, stem(found.filename))}
    bases = sorted({found.base for found in parsed} if source.path.is_dir() else ())
    stems = [
        (base, stem(photo.relative_to(base / "JPEGImages").as_posix()))
        for base in bases
        if (base / "JPEGImages").is_dir()
        for photo in source.photos(base / "JPEGImages")
    ]
    return [entry for entry in stems if entry not in known]


def _lists(source: Source, base: Path) -> list[Path]:
    """Give the files in `ImageSets/Main` that list whole splits, not single classes (`cat_train.txt`)."""
    folder = base / "ImageSets" / "Main"
    if not folder.is_dir():
        return []
    paths = source.files(".txt", under=folder, depth=0)
    stems = {path.stem for path in paths}
    return [path for path in paths if not any(path.stem.endswith(f"_{name}") for name in stems)]


def _folder_split(source: Source, found: VocFile) -> str:
    """Give the split an XML file's first folder names (`train/a.xml`); nothing where it names none."""
    try:
        first = found.path.relative_to(source.folder).parts[0]
    except (ValueError, IndexError):
        return ""
    return split_name(first) if split_name(first) in ORDER else ""


def _wanted(builder: DatasetBuilder, splits: dict[str, list[tuple[Path, str]]]) -> dict[str, list[tuple[Path, str]]]:
    """Give the split asked for as it stands; else all, each image only in the first of train, val, test and others."""
    names = builder.choose_splits([name for name in splits if name])
    if builder.options.split is not None:
        return {name: splits[name] for name in names}
    disjoint: dict[str, list[tuple[Path, str]]] = {}
    seen: set[tuple[Path, str]] = set()
    for name, stems in splits.items():
        again = [entry for entry in stems if entry in seen]
        if again and name in ORDER:
            fact = f"the image is in {name} and in a split before it; it counts for the first"
            builder.finding("W115", again[0][1], fact, count=len(again))
        disjoint[name] = [entry for entry in stems if entry not in seen]
        seen.update(stems)
    return {name: entries for name, entries in disjoint.items() if entries}


def _add_split(
    source: Source,
    builder: DatasetBuilder,
    parsed: Sequence[VocFile],
    split: str | None,
    entries: Sequence[tuple[Path, str]],
    shift: float,
) -> None:
    """Add the images of one split with their boxes; one without an XML file is there, but not labelled."""
    by_stem = {(found.base, found.stem): found for found in parsed}
    for base, name in dict.fromkeys(entries):
        found = by_stem.get((base, name))
        if found is not None:
            _add_image(source, builder, found, split, shift)
        elif (photo := _photo(source, builder, base, base, name, "")) is not None:
            builder.image(_key(source, photo, base, name), path=photo, split=split, labelled=False)
        else:
            builder.finding(
                "E002", f"{source.name(base)}: {name}", "is listed in ImageSets, but has no XML file or photo"
            )


def _add_image(source: Source, builder: DatasetBuilder, found: VocFile, split: str | None, shift: float) -> None:
    photo = _photo(source, builder, found.base, found.path.parent, found.stem, found.filename)
    if photo is None:
        builder.finding("W108", source.name(found.path), "its photo is not there")
    key = _key(source, photo, found.base, found.stem)
    image = builder.image(key, path=photo, width=found.size[0], height=found.size[1], split=split)
    if not found.objects:
        return
    bounds = np.array([thing.bounds for thing in found.objects])
    low, high = bounds[:, :2], bounds[:, 2:]
    inverted = low > high
    low, high = np.where(inverted, low, low - shift), np.where(inverted, high - shift, high)
    builder.boxes(
        image,
        [builder.category(thing.name) for thing in found.objects],
        np.hstack([low, high]),
        file=builder.file(found.path),
        line=[thing.line for thing in found.objects],
        flags=[thing.flags for thing in found.objects],
    )


def _photo(source: Source, builder: DatasetBuilder, base: Path, here: Path, name: str, filename: str) -> Path | None:
    """Find a photo by the XML file's own stem, which is right more often than `<filename>`, then by that.

    Where two photos share the stem, `<filename>` decides.
    """
    folders = source.folders(*source.images, base / "JPEGImages", base / "images", base, here)
    wanted = name
    try:
        photo = source.find_photo(name, folders)
        last = re.split(r"[\\/]", filename)[-1]
        if photo is not None:
            twin = last not in ("", photo.name) and stem(last) == photo.stem and is_photo_name(last)
            return (source.find(last, [photo.parent]) if twin else None) or photo
        wanted = filename
        return (source.find(filename, folders) or source.find_photo(filename, folders)) if filename else None
    except ValueError as error:
        builder.finding("E005", f"{source.name(here)}: {printable(name)}", f"the image name {wanted!r} {error}")
        return None


def _key(source: Source, photo: Path | None, base: Path, name: str) -> str:
    """Give the key of an image: its path below the folder of photos, else the stem with the usual suffix."""
    if photo is None:
        return f"{name}.jpg"
    below, slash, _ = name.rpartition("/")
    return f"{below}{slash}{photo.name}"
