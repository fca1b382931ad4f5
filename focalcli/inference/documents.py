"""Results as text: what stands before, between and after the results, and how one result reads.

Everything here can be written as it comes, without holding the results.
"""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from focalcli.config import ClassInfo
from focalcli.errors import FocalError
from focalcli.inference.detections import Detections
from focalcli.inference.records import encode_record, rounded_boxes, rounded_scores
from focalcli.inference.spelling import encodable, in_xml, on_one_line
from focalcli.inference.stream import Result

Item = Callable[[Result, int], str]
"""Gives the text of a result and its position; an empty one is not written."""


@dataclass(frozen=True, slots=True)
class Document:
    """A text format: `suffix` of its files, `head` and `tail` around the items, `between` any two of them."""

    suffix: str
    item: Item
    head: str = ""
    between: str = ""
    tail: str = ""


def jsonl(classes: Sequence[ClassInfo], *, model: dict[str, str] | None = None) -> Document:
    """Give `focalcli.detections/1`; with `model`, each line names it and says how long the photo took."""

    def item(result: Result, position: int) -> str:
        if model is None:
            return encode_record(result.record, classes) + "\n"
        seconds = {"decode": round(result.decode_seconds, 4), "total": round(result.total_seconds, 4)}
        return encode_record(result.record, classes, model=model, seconds=seconds) + "\n"

    return Document(".jsonl", item)


def text(classes: Sequence[ClassInfo]) -> Document:
    """Give a line a photo for people: `photo.jpg: 3 cat, 1 dog`, most frequent first."""

    def item(result: Result, position: int) -> str:
        found = result.record.found
        if isinstance(found, FocalError):
            return on_one_line(f"error: {found}") + "\n"
        counts = sorted((-int((found.classes == i).sum()), i) for i in set(found.classes.tolist()))
        words = ", ".join(f"{-count} {classes[i].name}" for count, i in counts) or "nothing"
        return on_one_line(f"{result.record.image}: {words}") + "\n"

    return Document(".txt", item)


def coco(classes: Sequence[ClassInfo]) -> Document:
    """Give COCO results; an image's id is its data set's own, else its position from 1."""

    def item(result: Result, position: int) -> str:
        identity = position + 1 if result.source.image_id is None else result.source.image_id
        rows = [
            {
                "image_id": identity,
                "file_name": result.record.image,
                "category_id": classes[index].id,
                "bbox": [x1, y1, round(x2 - x1, 3), round(y2 - y1, 3)],
                "score": score,
            }
            for (x1, y1, x2, y2), score, index in _rows(result)
        ]
        return ",\n".join(json.dumps(row) for row in rows)

    return Document(".json", item, "[\n", ",\n", "\n]\n")


def as_csv(classes: Sequence[ClassInfo]) -> Document:
    """Give a row an object, and for a photo without any a row with its name alone."""

    def item(result: Result, position: int) -> str:
        if isinstance(result.record.found, FocalError):
            return ""
        rows = [[*box, score, classes[i].name, classes[i].id] for box, score, i in _rows(result)]
        return "".join(_csv_line([encodable(result.record.image), *row]) for row in rows or [[""] * 7])

    return Document(".csv", item, "image,x1,y1,x2,y2,score,class,class_id\n")


def label_studio(classes: Sequence[ClassInfo]) -> Document:
    """Give Label Studio tasks with predictions, boxes in percent of the photo."""

    def item(result: Result, position: int) -> str:
        size = result.record.image_size
        if size is None or isinstance(result.record.found, FocalError):
            return ""
        height, width = size
        regions = []
        for number, ((x1, y1, x2, y2), score, index) in enumerate(_rows(result)):
            value = {
                "x": 100 * x1 / width,
                "y": 100 * y1 / height,
                "width": 100 * (x2 - x1) / width,
                "height": 100 * (y2 - y1) / height,
                "rotation": 0,
                "rectanglelabels": [classes[index].name],
            }
            region = {"id": f"{position}-{number}", "type": "rectanglelabels", "from_name": "label", "to_name": "image"}
            size_of = {"original_width": width, "original_height": height, "image_rotation": 0}
            regions.append({**region, **size_of, "value": value, "score": score})
        best = max((score for _, score, _ in _rows(result)), default=0.0)
        prediction = {"model_version": "focalcli", "score": best, "result": regions}
        return json.dumps({"data": {"image": result.record.image}, "predictions": [prediction]})

    return Document(".json", item, "[\n", ",\n", "\n]\n")


def cvat(classes: Sequence[ClassInfo]) -> Document:
    """Give `CVAT for images 1.1`; scores stand in an attribute `score`."""
    from xml.sax.saxutils import quoteattr  # brings urllib along, which no other format needs

    def item(result: Result, position: int) -> str:
        size = result.record.image_size
        if size is None or isinstance(result.record.found, FocalError):
            return ""
        name = quoteattr(in_xml(result.record.image))
        lines = [f'  <image id="{position}" name={name} width="{size[1]}" height="{size[0]}">']
        for (x1, y1, x2, y2), score, index in _rows(result):
            box = f'xtl="{x1}" ytl="{y1}" xbr="{x2}" ybr="{y2}"'
            label = quoteattr(in_xml(classes[index].name))
            lines += [
                f'    <box label={label} source="auto" occluded="0" {box} z_order="0">',
                f'      <attribute name="score">{score}</attribute>',
                "    </box>",
            ]
        return "\n".join([*lines, "  </image>\n"])

    head = '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
    return Document(".xml", item, head, tail="</annotations>\n")


DOCUMENTS: dict[str, Callable[[Sequence[ClassInfo]], Document]] = {
    "jsonl": jsonl,
    "text": text,
    "coco": coco,
    "csv": as_csv,
    "label-studio": label_studio,
    "cvat": cvat,
}


def _rows(result: Result) -> list[tuple[list[float], float, int]]:
    found = result.record.found
    if not isinstance(found, Detections):
        return []
    return list(zip(rounded_boxes(found), rounded_scores(found), found.classes.tolist(), strict=True))


def _csv_line(values: list[object]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(values)
    return buffer.getvalue()
