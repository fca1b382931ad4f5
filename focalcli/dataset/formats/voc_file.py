"""One Pascal VOC XML file: what it says, unjudged."""

from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

from focalcli.dataset.builder import DatasetBuilder
from focalcli.dataset.names import stem
from focalcli.dataset.source import Source
from focalcli.dataset.types import Flag
from focalcli.errors import DataError

STAMP = "focalcli voc-1based"
"""In `<source><annotation>` of files we wrote, so that they are read back as they were meant."""

ORDER = ("train", "val", "test")
EXTENSIONS = {"occluded": Flag.OCCLUDED, "iscrowd": Flag.CROWD, "group": Flag.GROUP, "ignore": Flag.IGNORE}
"""Tags the devkit does not know; to other readers such regions are difficult objects, which evaluation ignores."""

FLAG_TAGS = {"difficult": Flag.DIFFICULT, "truncated": Flag.TRUNCATED, **EXTENSIONS}
CROWD_FLAGS = Flag.CROWD | Flag.GROUP | Flag.IGNORE


@dataclass(slots=True)
class VocObject:
    name: str
    bounds: tuple[float, float, float, float]
    flags: int
    line: int


@dataclass(slots=True)
class VocFile:
    """One XML file: `stem` is its path below `Annotations` without suffix, `base` the folder that holds the set."""

    path: Path
    base: Path
    stem: str
    filename: str
    size: tuple[int, int]
    database: str
    stamped: bool
    has_path: bool
    objects: list[VocObject]


def parse(source: Source, builder: DatasetBuilder, path: Path) -> VocFile | None:
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
    return VocFile(
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


def _object(builder: DatasetBuilder, node: Element, place: str, line: int) -> VocObject | None:
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
    return VocObject(name, (x0, y0, x1, y1), flags, line)


def _pixels(text: str | None) -> int:
    """Give a size in pixels; 0 where it is missing or nonsense, so that the photo is asked."""
    try:
        return max(0, int(float(text or 0)))
    except (ValueError, OverflowError):
        return 0
