"""CVAT XML 1.1 for images: every photo with its shapes in one file, in pixels from the outer edge.

Turned rectangles, polygons, ellipses and masks are read as the box around them. Videos are refused: their frames are
not photos of the data set.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from focalcli.dataset.builder import DatasetBuilder
from focalcli.dataset.features import Feature
from focalcli.dataset.format import Confidence, FormatInfo, Match, ReadOptions
from focalcli.dataset.formats import shapes
from focalcli.dataset.formats.annotated import Annotated, Object, add_all, flags_of, split_of, words_of
from focalcli.dataset.formats.csv_file import decimal
from focalcli.dataset.layout import file_names, rows_of, split_groups
from focalcli.dataset.names import printable, split_name
from focalcli.dataset.peek import Peek
from focalcli.dataset.sink import Sink
from focalcli.dataset.source import Source
from focalcli.dataset.types import Dataset, Flag
from focalcli.errors import DataError

INFO = FormatInfo(
    name="cvat",
    title="CVAT XML",
    carries=frozenset(Feature)
    - {Feature.UNLABELLED, Feature.SEGMENTATION, Feature.SCORE, Feature.SUPERCATEGORY, Feature.SOURCE_IDS},
    record="shape",
    file_suffix=".xml",
)

FILE = "annotations.xml"
DIGITS = 4
"""Decimals of a pixel written; CVAT itself writes 2."""

NO_BOX = {"polyline", "points", "cuboid", "skeleton", "tag"}
CORNERS = ("xtl", "ytl", "xbr", "ybr")


def sniff(peek: Peek) -> Match | None:
    """Claim XML files with the root `annotations`."""
    for name in peek.ending(".xml")[:20]:
        if peek.xml_root(name) == "annotations":
            return Match(Confidence.CONTENT, f"{name} has the root <annotations>")
    return None


def read(source: Source, options: ReadOptions, builder: DatasetBuilder) -> None:
    """Read every file; the classes are those the tasks list, then others as first seen."""
    paths = [source.path] if not source.path.is_dir() else source.files(".xml")
    roots = {path: root for path in paths if (root := source.xml(path)).tag == "annotations"}
    if not roots:
        raise DataError(source.path, "holds no XML file with the root <annotations>", "choose another --from")
    photos = [photo for path, root in roots.items() for photo in _photos(source, builder, path, root)]
    listed = [name.strip() for root in roots.values() for name in _listed(root)]
    add_all(source, builder, photos, [(name, None) for name in listed if name])


def _listed(root: Element) -> Iterator[str]:
    """Give the names of the classes of the task; those of parts of skeletons are none."""
    for label in root.iterfind("meta//labels/label"):
        if label.find("parent") is None:
            yield label.findtext("name") or ""


def _photos(source: Source, builder: DatasetBuilder, path: Path, root: Element) -> Iterator[Annotated]:
    place = source.name(path)
    if root.find("track") is not None:
        raise DataError(place, "holds tracks of a video", "export the task as `CVAT for images 1.1`")
    number = 0
    for node in root.iterfind("image"):
        split = split_name(node.get("subset", "").strip()) or split_of(source, path)
        photo = Annotated(node.get("name", ""), path, place, "" if split.lower() == "default" else split)
        photo.width, photo.height = _pixels(node.get("width")), _pixels(node.get("height"))
        identity = node.get("id", "")
        photo.source_id = int(identity) if identity.isdecimal() else None
        for shape in node:
            number += 1
            thing = _object(builder, shape, f"{place}: shape {number}", number)
            if thing is not None:
                photo.objects.append(thing)
        yield photo


def _pixels(text: str | None) -> int:
    """Give a size in pixels; 0 where it is missing or nonsense, so that the photo is asked."""
    return int(text) if text is not None and text.strip().isdecimal() else 0


def _object(builder: DatasetBuilder, node: Element, place: str, number: int) -> Object | None:
    """Read one shape; None, with a finding, where it has no box."""
    if node.tag in NO_BOX:
        builder.finding("W121", place, f"a {node.tag} has no box, left out")
        return None
    label = node.get("label", "").strip()
    if not label:
        builder.finding("E003", place, "has no class name")
        return None
    try:
        box, rings = _box(node)
    except ValueError as error:
        builder.finding("E001", place, f"the {printable(node.tag)} is damaged ({error})")
        return None
    words: dict[str, object] = {a.get("name", ""): a.text or "" for a in node.iterfind("attribute")}
    flags, others = flags_of({"occluded": node.get("occluded", "0"), **words})
    if node.get("z_order", "0") != "0":
        others = {**(others or {}), "z_order": node.get("z_order")}
    thing = Object(label, box, number, flags, attributes=others)
    if node.tag != "box" or _number(node, "rotation", "0"):
        thing.flags |= Flag.FROM_POLYGON
        builder.finding("I202", place, "a shape that is no upright box was read as the box around it")
    if rings:
        thing.segmentation, thing.area = shapes.coco_polygons(rings), shapes.area(rings[0])
    return thing


def _box(node: Element) -> tuple[shapes.Box, list[list[shapes.Point]]]:
    """Give the box around a shape, and its outline where it is a polygon.

    Raises:
        ValueError: numbers are missing or none, or the shape is unknown.
    """
    degrees = _number(node, "rotation", "0")
    if node.tag == "box":
        x0, y0, x1, y1 = (_number(node, name) for name in CORNERS)
        if not degrees:
            return (x0, y0, x1, y1), []
        centre = (x0 + x1) / 2, (y0 + y1) / 2
        return shapes.turned(x0, y0, x1 - x0, y1 - y0, degrees=degrees, pivot=centre), []
    if node.tag == "ellipse":
        centre, radii = (_number(node, "cx"), _number(node, "cy")), (_number(node, "rx"), _number(node, "ry"))
        return shapes.ellipse(centre, radii, degrees), []
    if node.tag == "mask":
        left, top = _number(node, "left"), _number(node, "top")
        return (left, top, left + _number(node, "width"), top + _number(node, "height")), []
    if node.tag == "polygon":
        points = [_point(text) for text in node.get("points", "").split(";")]
        return shapes.around(points), [points]
    raise ValueError("no such shape is known")


def _number(node: Element, name: str, default: str = "") -> float:
    return float(node.get(name, default))


def _point(text: str) -> shapes.Point:
    x, y = text.split(",")
    return float(x), float(y)


def write(dataset: Dataset, sink: Sink) -> None:
    """Write `annotations.xml` with the splits as subsets, and `images/SPLIT/`."""
    groups = split_groups(dataset)
    names = file_names(dataset, sink, shared=True)
    root = Element("annotations")
    SubElement(root, "version").text = "1.1"
    _add_labels(root, dataset)
    for split, positions in groups.items():
        for image, own in rows_of(dataset, positions):
            photo = dataset.images[image]
            sink.image(photo, f"images/{split}/{names[image]}" if split else f"images/{names[image]}")
            given = {"name": names[image], "width": str(photo.width), "height": str(photo.height)}
            subset = {"subset": split} if split else {}
            node = SubElement(root, "image", {"id": str(image), **given, **subset})
            _add_boxes(node, dataset, own)
    indent(root)
    sink.bytes(FILE, tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")


def _add_labels(root: Element, dataset: Dataset) -> None:
    """Add the classes with the attributes their objects have: CVAT takes no attribute that is not listed."""
    listed: dict[int, set[str]] = {index: set() for index in range(len(dataset.categories))}
    for row, index in enumerate(dataset.boxes.category.tolist()):
        listed[index] |= _attributes(dataset, row).keys()
    labels = SubElement(SubElement(SubElement(root, "meta"), "job"), "labels")
    for index, category in enumerate(dataset.categories):
        label = SubElement(labels, "label")
        SubElement(label, "name").text = category.name
        attributes = SubElement(label, "attributes")
        for name in sorted(listed[index]):
            attribute = SubElement(attributes, "attribute")
            for tag, text in (("name", name), ("mutable", "False"), ("input_type", "text"), ("default_value", "")):
                SubElement(attribute, tag).text = text


def _attributes(dataset: Dataset, row: int) -> dict[str, object]:
    """Give the attributes of an object: its own, and the flags CVAT has no other place for."""
    boxes = dataset.boxes
    own = dict(boxes.attributes[row] or {}) if boxes.attributes is not None else {}
    words = words_of(int(boxes.flags[row]) & ~Flag.OCCLUDED)
    return {name: value for name, value in {**own, **words}.items() if name != "z_order"}


def _add_boxes(node: Element, dataset: Dataset, own: slice) -> None:
    for row in range(own.start, own.stop):
        corners: Sequence[float] = dataset.boxes.xyxy[row].tolist()
        attributes = {} if dataset.boxes.attributes is None else dataset.boxes.attributes[row] or {}
        given = {
            "label": dataset.categories[int(dataset.boxes.category[row])].name,
            "occluded": str(int(bool(dataset.boxes.flags[row] & Flag.OCCLUDED))),
            **{name: decimal(value, DIGITS) for name, value in zip(CORNERS, corners, strict=True)},
            "z_order": str(attributes.get("z_order", "0")),
        }
        box = SubElement(node, "box", given)
        for name, value in sorted(_attributes(dataset, row).items()):
            text = str(value).lower() if isinstance(value, bool) else str(value)
            SubElement(box, "attribute", {"name": name}).text = text
