"""The findings of an audit as files: JSON lines, and COCO with suggestions."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from focalcli.dataset.types import Dataset
from focalcli.files import write_text
from focalcli.insight.audit import KINDS, Finding


def as_lines(dataset: Dataset, findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Give the findings as plain values, in the order given; `origin` is the file and line of the label."""
    return [_line(dataset, finding) for finding in findings]


def write_fix_list(path: Path, dataset: Dataset, findings: Sequence[Finding]) -> None:
    """Write one JSON object a finding. Raises as `files.write_text`."""
    write_text(path, "".join(json.dumps(line) + "\n" for line in as_lines(dataset, findings)))


def write_coco(path: Path, dataset: Dataset, findings: Sequence[Finding]) -> None:
    """Write a COCO file of the suggestions: an annotation a finding, with `kind`, `loss` and the label it is about.

    A spurious label stands as itself, marked by its kind: delete it, or keep it. Photos have the data set's own ids,
    where it gives each a number.
    """
    ids = _image_ids(dataset, sorted({finding.image for finding in findings}))
    content = {
        "images": [_image(dataset, number, position) for position, number in ids.items()],
        "categories": [{"id": c.source_id, "name": c.name} for c in dataset.categories],
        "annotations": [
            _annotation(dataset, number, finding, ids[finding.image]) for number, finding in enumerate(findings, 1)
        ],
    }
    write_text(path, json.dumps(content) + "\n")


def surest(findings: Sequence[Finding], each: int) -> list[Finding]:
    """Give the first `each` findings of every kind; those without any loss are none."""
    return [f for kind in KINDS for f in [f for f in findings if f.kind == kind and f.loss > 0][:each]]


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
        if boxes.source_id[row] >= 0:
            line["annotation_id"] = int(boxes.source_id[row])
        file = int(boxes.origin_file[row])
        line["origin"] = f"{dataset.files[file]}:{boxes.origin_line[row]}" if file < len(dataset.files) else ""
    return line


def _image_ids(dataset: Dataset, positions: Sequence[int]) -> dict[int, int]:
    known = [dataset.images[position].source_id for position in positions]
    own = [number for number in known if isinstance(number, int)]
    return dict(zip(positions, own if len(set(own)) == len(positions) else range(1, len(positions) + 1), strict=True))


def _object(dataset: Dataset, box: Any, category: int) -> dict[str, Any]:
    return {"box": [round(float(side), 2) for side in box], "class": dataset.categories[category].name}


def _image(dataset: Dataset, number: int, position: int) -> dict[str, Any]:
    image = dataset.images[position]
    return {"id": number, "file_name": image.key, "width": image.width, "height": image.height}


def _annotation(dataset: Dataset, number: int, finding: Finding, image: int) -> dict[str, Any]:
    xywh = _xywh(finding.box)
    annotation: dict[str, Any] = {
        "id": number,
        "image_id": image,
        "category_id": dataset.categories[finding.category].source_id,
        "bbox": xywh,
        "area": round(xywh[2] * xywh[3], 2),
        "iscrowd": 0,
        "kind": finding.kind,
        "loss": round(finding.loss, 4),
    }
    if finding.row >= 0:
        boxes, row = dataset.boxes, finding.row
        category = dataset.categories[int(boxes.category[row])].source_id
        annotation["label"] = {"category_id": category, "bbox": _xywh(boxes.xyxy[row].tolist())}
        if boxes.source_id[row] >= 0:
            annotation["replaces"] = int(boxes.source_id[row])
    return annotation


def _xywh(box: Sequence[float]) -> list[float]:
    x1, y1, x2, y2 = (round(side, 2) for side in box)
    return [x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)]
