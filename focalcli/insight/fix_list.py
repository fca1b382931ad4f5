"""The findings of an audit as files: JSON lines, COCO with suggestions, and a contact sheet to look at."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from focalcli.dataset.types import Dataset
from focalcli.files import replacing, write_text
from focalcli.images.decode import read_image
from focalcli.insight.audit import KINDS, Finding

_TILE, _COLUMNS, _CAPTION = 220, 6, 34
_LABEL, _SUGGESTION = (230, 60, 40), (20, 160, 70)


def as_lines(dataset: Dataset, findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Give the findings as plain values, in the order given; `origin` is the file and line of the label."""
    return [_line(dataset, finding) for finding in findings]


def write_fix_list(path: Path, dataset: Dataset, findings: Sequence[Finding]) -> None:
    """Write one JSON object a finding. Raises as `files.write_text`."""
    write_text(path, "".join(json.dumps(line) + "\n" for line in as_lines(dataset, findings)))


def write_coco(path: Path, dataset: Dataset, findings: Sequence[Finding]) -> None:
    """Write a COCO file of the suggestions: an annotation a finding, with `kind`, `loss` and the label it replaces.

    A spurious label stands as itself, marked by its kind: delete it, or keep it.
    """
    images = sorted({finding.image for finding in findings})
    content = {
        "images": [_image(dataset, number, i) for number, i in enumerate(images, start=1)],
        "categories": [{"id": c.source_id, "name": c.name} for c in dataset.categories],
        "annotations": [
            _annotation(dataset, number, finding, images.index(finding.image) + 1)
            for number, finding in enumerate(findings, start=1)
        ],
    }
    write_text(path, json.dumps(content) + "\n")


def write_contact_sheet(path: Path, dataset: Dataset, findings: Sequence[Finding]) -> None:
    """Write a PNG with a cut-out for each finding: the label red, the suggestion green, kind and class beneath."""
    rows = max(-(-len(findings) // _COLUMNS), 1)
    sheet = Image.new("RGB", (_COLUMNS * _TILE, rows * (_TILE + _CAPTION)), "white")
    for number, finding in enumerate(findings):
        corner = (number % _COLUMNS * _TILE, number // _COLUMNS * (_TILE + _CAPTION))
        sheet.paste(_tile(dataset, finding), corner)
    with replacing(path) as temporary:
        sheet.save(temporary, format="PNG")


def surest(findings: Sequence[Finding], each: int) -> list[Finding]:
    """Give the first `each` findings of every kind."""
    return [f for kind in KINDS for f in [f for f in findings if f.kind == kind][:each]]


def _tile(dataset: Dataset, finding: Finding) -> Image.Image:
    image = dataset.images[finding.image]
    assert image.path is not None, image.key
    label = dataset.boxes.xyxy[finding.row] if finding.row >= 0 else None
    shown = [np.array(finding.box)] + ([] if label is None else [label])
    low, high = np.min([b[:2] for b in shown], axis=0), np.max([b[2:] for b in shown], axis=0)
    side = max(float((high - low).max()) * 1.8, 24.0)
    left, top = (low + high) / 2 - side / 2
    scale = _TILE / side
    photo = Image.fromarray(read_image(image.path))
    cut = photo.transform((_TILE, _TILE), Image.Transform.EXTENT, (left, top, left + side, top + side))
    tile = Image.new("RGB", (_TILE, _TILE + _CAPTION), "white")
    tile.paste(cut, (0, 0))
    draw = ImageDraw.Draw(tile)
    boxes = [(finding.box, _SUGGESTION)] * (finding.kind in ("missing", "loose"))
    boxes += [] if label is None else [(tuple(label), _LABEL)]
    for box, colour in boxes:
        place = [(box[0] - left) * scale, (box[1] - top) * scale, (box[2] - left) * scale, (box[3] - top) * scale]
        draw.rectangle(place, outline=colour, width=3)
    draw.rectangle((0, _TILE, _TILE, _TILE + _CAPTION), fill="white")
    draw.text((4, _TILE + 3), _caption(dataset, finding), fill="black")
    draw.text((4, _TILE + 17), image.key.rpartition("/")[2][:34], fill="#666666")
    return tile


def _caption(dataset: Dataset, finding: Finding) -> str:
    name = dataset.categories[finding.category].name
    if finding.kind == "class":
        own = dataset.categories[int(dataset.boxes.category[finding.row])].name
        return f"class: {own} -> {name}  ({finding.loss:.1f})"
    return f"{finding.kind}: {name}  ({finding.loss:.1f})"


def _line(dataset: Dataset, finding: Finding) -> dict[str, Any]:
    line: dict[str, Any] = {
        "schema": "focalcli.fix/1",
        "kind": finding.kind,
        "image": dataset.images[finding.image].key,
        "loss": round(finding.loss, 4),
    }
    if finding.kind != "spurious":
        line["suggested"] = _object(dataset, finding.box, finding.category)
    if finding.row >= 0:
        boxes, row = dataset.boxes, finding.row
        line["label"] = _object(dataset, boxes.xyxy[row], int(boxes.category[row]))
        line["annotation_id"] = int(boxes.source_id[row])
        file = int(boxes.origin_file[row])
        line["origin"] = f"{dataset.files[file]}:{boxes.origin_line[row]}" if file < len(dataset.files) else ""
    return line


def _object(dataset: Dataset, box: Any, category: int) -> dict[str, Any]:
    return {"box": [round(float(side), 2) for side in box], "class": dataset.categories[category].name}


def _image(dataset: Dataset, number: int, position: int) -> dict[str, Any]:
    image = dataset.images[position]
    return {"id": number, "file_name": image.key, "width": image.width, "height": image.height}


def _annotation(dataset: Dataset, number: int, finding: Finding, image: int) -> dict[str, Any]:
    x1, y1, x2, y2 = (round(side, 2) for side in finding.box)
    annotation: dict[str, Any] = {
        "id": number,
        "image_id": image,
        "category_id": dataset.categories[finding.category].source_id,
        "bbox": [x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)],
        "area": round((x2 - x1) * (y2 - y1), 2),
        "iscrowd": 0,
        "kind": finding.kind,
        "loss": round(finding.loss, 4),
    }
    if finding.row >= 0:
        annotation["replaces"] = int(dataset.boxes.source_id[finding.row])
    return annotation
