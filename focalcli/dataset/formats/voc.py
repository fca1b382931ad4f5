"""Pascal VOC: one XML file a photo, splits as lists of stems in `ImageSets/Main`.

Three coordinate conventions are in the wild: the devkit's (one-based, inclusive), LabelImg's (edges from zero) and
mixtures. The convention is settled once for the whole data set, by `_convention`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np

from focalcli.dataset.builder import DatasetBuilder
from focalcli.dataset.features import Feature
from focalcli.dataset.format import Confidence, FormatInfo, Match, ReadOptions
from focalcli.dataset.layout import file_names, rows_of, split_groups
from focalcli.dataset.names import safe_relative, split_name, stem
from focalcli.dataset.peek import Peek
from focalcli.dataset.sink import Sink
from focalcli.dataset.source import Source
from focalcli.dataset.types import Dataset, Flag, Image, Ints
from focalcli.errors import DataError

INFO = FormatInfo(
    name="voc",
    title="Pascal VOC",
    carries=frozenset(
        {
            Feature.NEGATIVES,
            Feature.UNLABELLED,
            Feature.CROWD,
            Feature.DIFFICULT,
            Feature.TRUNCATED,
            Feature.NAMES,
            Feature.SPLITS,
            Feature.SUBFOLDERS,
            Feature.SIZES,
        }
    ),
    record="object",
)

STAMP = "focalcli voc-1based"
"""In `<source><annotation>` of files we wrote, so that they are read back as they were meant."""

ORDER = ("train", "val", "test")
EXTENSIONS = {"occluded": Flag.OCCLUDED, "iscrowd": Flag.CROWD, "group": Flag.GROUP, "ignore": Flag.IGNORE}
"""Tags the devkit does not know; to other readers such regions are difficult objects, which evaluation ignores."""

FLAG_TAGS = {"difficult": Flag.DIFFICULT, "truncated": Flag.TRUNCATED, **EXTENSIONS}
CROWD_FLAGS = Flag.CROWD | Flag.GROUP | Flag.IGNORE
_DEVKIT = re.compile(r"^(VOCdevkit|VOC20\d\d)$")
_DEVKIT_DATABASE = re.compile(r"The VOC ?20\d\d|ILSVRC|PASCAL VOC", re.IGNORECASE)


@dataclass(slots=True)
class _Object:
    name: str
    bounds: tuple[float, float, float, float]
    flags: int
    line: int


@dataclass(slots=True)
class _Annotation:
    """One XML file: `stem` is its path below `Annotations` without suffix, `base` the folder that holds the set."""

    path: Path
    base: Path
    stem: str
    filename: str
    size: tuple[int, int]
    database: str
    stamped: bool
    has_path: bool
    objects: list[_Object]


def sniff(peek: Peek) -> Match | None:
    """Claim XML files whose root is `annotation`."""
    for name in peek.ending(".xml")[:20]:
        if peek.xml_root(name) == "annotation":
            return Match(Confidence.CONTENT, f"{name} has the root <annotation>")
    return None


def read(source: Source, options: ReadOptions, builder: DatasetBuilder) -> None:
    """Read all files, so that classes come in the same order whatever split is wanted, then add the wanted images."""
    paths = [source.path] if not source.path.is_dir() else source.files(".xml")
    parsed = [found for path in paths if (found := _parse(source, builder, path)) is not None]
    if not parsed:
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


def _parse(source: Source, builder: DatasetBuilder, path: Path) -> _Annotation | None:
    """Read one XML file; None, with a finding, where it is no annotation."""
    place = source.name(path)
    try:
        root = source.xml(path)
    except DataError as error:
        builder.finding("E001", error.place, error.fact)
        return None
    if root.tag != "annotation":
        return None
    base, name = _base(source, path)
    objects = [
        thing
        for line, node in enumerate(root.iterfind("object"), 1)
        if (thing := _object(builder, node, f"{place}: object {line}", line)) is not None
    ]
    return _Annotation(
        path,
        base,
        name,
        (root.findtext("filename") or "").strip(),
        (_pixels(root.findtext("size/width")), _pixels(root.findtext("size/height"))),
        (root.findtext("source/database") or "").strip(),
        (root.findtext("source/annotation") or "").strip() == STAMP,
        root.find("path") is not None,
        objects,
    )


def _base(source: Source, path: Path) -> tuple[Path, str]:
    """Give the folder around `Annotations` and the stem below it; without such a folder, the file's own and stem."""
    parts = path.parts
    for depth in range(len(parts) - 2, -1, -1):
        if parts[depth].lower() == "annotations":
            base = Path(*parts[:depth]) if depth else Path()
            return base, stem("/".join(parts[depth + 1 :]))
    return path.parent, path.stem


def _object(builder: DatasetBuilder, node: Element, place: str, line: int) -> _Object | None:
    """Read one `<object>`; None, with a finding, where it has no box."""
    name = (node.findtext("name") or "").strip()
    if not name:
        builder.finding("E003", place, "has no class name")
        return None
    box = node.find("bndbox")
    if box is None:
        code, fact = ("W121", "is a rotated box or a mask, not a box") if len(node) > 1 else ("E001", "has no bndbox")
        builder.finding(code, place, fact)
        return None
    texts = [box.findtext(tag) for tag in ("xmin", "ymin", "xmax", "ymax")]
    try:
        x0, y0, x1, y1 = (float(text or "") for text in texts)
    except ValueError:
        builder.finding("E001", place, f"bndbox holds {texts}, not four numbers")
        return None
    flags = 0
    for tag, flag in FLAG_TAGS.items():
        if (node.findtext(tag) or "").strip().lower() in ("1", "true", "yes"):
            flags |= flag.value
    if flags & CROWD_FLAGS.value:
        flags &= ~Flag.DIFFICULT.value
    return _Object(name, (x0, y0, x1, y1), flags, line)


def _pixels(text: str | None) -> int:
    """Give a size in pixels; 0 where it is missing or nonsense, so that the photo is asked."""
    try:
        return max(0, int(float(text or 0)))
    except (ValueError, OverflowError):
        return 0


def _convention(parsed: Sequence[_Annotation], options: ReadOptions) -> tuple[bool, str]:
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


def _splits(source: Source, parsed: Sequence[_Annotation]) -> dict[str, list[tuple[Path, str]]]:
    """Give (base, stem) of the images of every split, usual splits first; the empty name where there are none."""
    splits: dict[str, list[tuple[Path, str]]] = {}
    for base in sorted({found.base for found in parsed} if source.path.is_dir() else ()):
        for path in _lists(source, base):
            stems = [words[0] for line in source.lines(path) if (words := line.split())]
            splits.setdefault(split_name(path.stem), []).extend((base, name) for name in stems)
    if not splits:
        for found in parsed:
            splits.setdefault(_folder_split(source, found), []).append((found.base, found.stem))
        splits.setdefault("", []).extend(_unlabelled(source, parsed))
    order = sorted(splits, key=lambda name: (ORDER.index(name) if name in ORDER else 3, name))
    return {name: splits[name] for name in order}


def _unlabelled(source: Source, parsed: Sequence[_Annotation]) -> list[tuple[Path, str]]:
    """Give the photos in `JPEGImages` that have no XML file."""
    known = {(found.base, found.stem) for found in parsed}
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


def _folder_split(source: Source, found: _Annotation) -> str:
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
    parsed: Sequence[_Annotation],
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


def _add_image(source: Source, builder: DatasetBuilder, found: _Annotation, split: str | None, shift: float) -> None:
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
    """Find a photo by the XML file's own stem, which is right more often than `<filename>`, then by that."""
    folders = source.folders(*source.images, base / "JPEGImages", base / "images", base, here)
    try:
        photo = source.find_photo(name, folders)
        if photo is not None and filename and filename != photo.name:
            photo = source.find(safe_relative(filename.rpartition("/")[2]), [photo.parent]) or photo
            photo = photo if photo.stem == Path(name).name else source.find_photo(name, folders)
        if photo is None and filename:
            photo = source.find(filename, folders) or source.find_photo(filename, folders)
    except ValueError as error:
        builder.finding("E005", f"{source.name(here)}: {name}", f"the image name {filename!r} {error}")
        return None
    return photo


def _key(source: Source, photo: Path | None, base: Path, name: str) -> str:
    """Give the key of an image: its path below the folder of photos, else the stem with the usual suffix."""
    if photo is None:
        return f"{name}.jpg"
    below, slash, _ = name.rpartition("/")
    return f"{below}{slash}{photo.name}"


def write(dataset: Dataset, sink: Sink) -> None:
    """Write `Annotations/`, `JPEGImages/` and `ImageSets/Main/`, one-based as the devkit, with our stamp."""
    names = file_names(dataset, sink, stems=True, shared=True)
    crowds = int(((dataset.boxes.flags & CROWD_FLAGS.value) != 0).sum())
    sink.loss("medium", "crowd regions are written as difficult objects", crowds)
    bounds = _one_based(dataset)
    for image, rows in rows_of(dataset, np.arange(len(dataset.images))):
        photo = dataset.images[image]
        sink.image(photo, f"JPEGImages/{names[image]}")
        if photo.labelled or rows.start < rows.stop:
            root = _element(dataset, photo, names[image], rows, bounds)
            sink.bytes(f"Annotations/{stem(names[image])}.xml", tostring(root, encoding="utf-8") + b"\n")
    for split, positions in split_groups(dataset).items():
        if split:
            sink.text(f"ImageSets/Main/{split}.txt", "".join(f"{stem(names[i])}\n" for i in positions))


def _one_based(dataset: Dataset) -> Ints:
    """Give (n, 4) inclusive whole pixels from 1, rounding halves up; a box keeps at least the pixel of its centre."""
    xyxy = dataset.boxes.xyxy
    limits = np.array([(image.width, image.height) for image in dataset.images]).reshape(-1, 2)[dataset.boxes.image]
    low, high = np.floor(xyxy[:, :2] + 0.5) + 1, np.floor(xyxy[:, 2:] + 0.5)
    centre = np.floor((xyxy[:, :2] + xyxy[:, 2:]) / 2) + 1
    lost = high < low
    low, high = np.where(lost, centre, low), np.where(lost, centre, high)
    return np.hstack([np.clip(low, 1, limits), np.clip(high, 1, limits)]).astype(np.int64)


def _element(dataset: Dataset, photo: Image, name: str, rows: slice, bounds: Ints) -> Element:
    """Give the XML of one photo."""
    root = Element("annotation")
    below, _, last = name.rpartition("/")
    SubElement(root, "folder").text = f"JPEGImages/{below}" if below else "JPEGImages"
    SubElement(root, "filename").text = last
    source = SubElement(root, "source")
    SubElement(source, "database").text = "Unknown"
    SubElement(source, "annotation").text = STAMP
    size = SubElement(root, "size")
    for tag, value in (("width", photo.width), ("height", photo.height), ("depth", 3)):
        SubElement(size, tag).text = str(value)
    SubElement(root, "segmented").text = "0"
    for row in range(rows.start, rows.stop):
        flags = int(dataset.boxes.flags[row])
        node = SubElement(root, "object")
        SubElement(node, "name").text = dataset.categories[int(dataset.boxes.category[row])].name
        SubElement(node, "pose").text = "Unspecified"
        SubElement(node, "truncated").text = str(int(bool(flags & Flag.TRUNCATED)))
        SubElement(node, "difficult").text = str(int(bool(flags & (Flag.DIFFICULT | CROWD_FLAGS))))
        for tag, flag in EXTENSIONS.items():
            if flags & flag:
                SubElement(node, tag).text = "1"
        box = SubElement(node, "bndbox")
        for tag, value in zip(("xmin", "ymin", "xmax", "ymax"), bounds[row].tolist(), strict=True):
            SubElement(box, tag).text = str(value)
    indent(root, "\t")
    return root
