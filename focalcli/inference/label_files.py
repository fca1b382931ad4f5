"""Results as one file a photo, in a folder: YOLO text and Pascal VOC XML."""

from collections.abc import Callable, Sequence
from pathlib import Path

from focalcli.config import ClassInfo
from focalcli.errors import FocalError
from focalcli.files import write_text
from focalcli.inference.records import rounded_boxes, rounded_scores
from focalcli.inference.spelling import in_xml, on_one_line
from focalcli.inference.stream import Result


def yolo(result: Result, classes: Sequence[ClassInfo]) -> str:
    """Give `class x y width height score` a line, centres and sides as parts of the photo (Ultralytics' order)."""
    found, size = result.record.found, result.record.image_size
    assert size is not None and not isinstance(found, FocalError), result.record
    height, width = size
    lines = []
    for (x1, y1, x2, y2), score, index in zip(found.boxes.tolist(), rounded_scores(found), found.classes, strict=True):
        centre = f"{(x1 + x2) / 2 / width:.6f} {(y1 + y2) / 2 / height:.6f}"
        lines.append(f"{index} {centre} {(x2 - x1) / width:.6f} {(y2 - y1) / height:.6f} {score}\n")
    return "".join(lines)


def voc(result: Result, classes: Sequence[ClassInfo]) -> str:
    """Give a Pascal VOC annotation with one-based, inclusive pixels; scores stand in `confidence`."""
    from xml.sax.saxutils import escape  # brings urllib along, which no other format needs

    from focalcli.dataset.formats.voc_file import STAMP

    found, size = result.record.found, result.record.image_size
    assert size is not None and not isinstance(found, FocalError), result.record
    height, width = size
    rows = zip(rounded_boxes(found), rounded_scores(found), found.classes.tolist(), strict=True)
    objects = "".join(
        f"  <object>\n    <name>{escape(in_xml(classes[index].name))}</name>\n    <difficult>0</difficult>\n"
        f"    <confidence>{score}</confidence>\n    <bndbox>\n"
        f"      <xmin>{x1 + 1:.6g}</xmin>\n      <ymin>{y1 + 1:.6g}</ymin>\n"
        f"      <xmax>{x2:.6g}</xmax>\n      <ymax>{y2:.6g}</ymax>\n    </bndbox>\n  </object>\n"
        for (x1, y1, x2, y2), score, index in rows
    )
    name = escape(in_xml(result.source.place.name))
    size_of = f"    <width>{width}</width>\n    <height>{height}</height>\n    <depth>3</depth>\n"
    origin = f"  <source>\n    <annotation>{STAMP}</annotation>\n  </source>\n"
    head = f"<annotation>\n  <filename>{name}</filename>\n{origin}  <size>\n{size_of}  </size>\n"
    return f"{head}{objects}</annotation>\n"


Render = Callable[[Result, Sequence[ClassInfo]], str]

# name -> (folder of the files, their suffix, what a file holds)
LABEL_FILES: dict[str, tuple[str, str, Render]] = {
    "yolo": ("labels", ".txt", yolo),
    "voc": ("Annotations", ".xml", voc),
}


class LabelFiles:
    """Writes one file a photo below a folder; photos that could not be read have none.

    Of photos that differ in their suffix alone the first has the usual name, `a.txt`, the others `a.png.txt`.
    """

    def __init__(self, folder: Path, format: str, classes: Sequence[ClassInfo]) -> None:
        below, self._suffix, self._render = LABEL_FILES[format]
        self._folder, self._classes = folder / below, classes
        self._written: set[Path] = set()
        write_text(folder / "classes.txt", "".join(f"{on_one_line(info.name)}\n" for info in classes))

    def put(self, result: Result) -> None:
        """Write the file of a photo."""
        if not isinstance(result.record.found, FocalError):
            place = result.source.place
            path = self._folder / place.with_suffix(self._suffix)
            if path in self._written:
                path = self._folder / place.with_name(place.name + self._suffix)
            self._written.add(path)
            write_text(path, self._render(result, self._classes))
