"""Metrics as text for programs: JSON, CSV, and JUnit for pipelines that show test results."""

import csv
import io
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any
from xml.etree import ElementTree

import msgspec

from focalcli.evaluation.curves import Curve
from focalcli.evaluation.metrics import Metrics


def as_dict(metrics: Metrics, curves: Sequence[Curve]) -> dict[str, Any]:
    """Give the numbers, `images`, and `classes` with name, id, numbers and number of objects; NaN becomes null.

    Each class also has its recall at IoU 0.5 with all detections kept, and its best F1 with the score it is at.
    """
    rows = [
        {"name": row.name, "id": row.id, **row.values, **_operation(curve), "objects": row.objects}
        for row, curve in zip(metrics.classes, curves, strict=True)
    ]
    return {**metrics.values, "images": metrics.images, "classes": rows}


def _operation(curve: Curve) -> dict[str, float]:
    best = curve.best_f1()
    nothing = 0.0 if curve.objects else float("nan")
    recall = float(curve.recall[-1]) if len(curve.recall) else nothing
    return {"recall": recall, "F1": best.f1, "threshold": best.threshold}


def as_json(content: dict[str, Any]) -> str:
    """Write plain values as one indented JSON object; NaN becomes null."""
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode()


def as_csv(content: dict[str, Any]) -> str:
    """Write one row for all classes together, named `all`, and one for each class; what is unknown stays empty."""
    rows = content["classes"]
    names = list(dict.fromkeys(name for row in rows for name in row)) or ["name", "id", *_numbers(content)]
    total = {"name": "all", "objects": sum(row["objects"] for row in rows), **_numbers(content)}
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for row in [total, *rows]:
        writer.writerow({name: "" if value is None or value != value else value for name, value in row.items()})
    return text.getvalue().rstrip("\n")


def as_junit(content: dict[str, Any], *, failures: Mapping[str, str] = MappingProxyType({})) -> str:
    """Write one test case for all classes together and one for each class; `failures` says which missed a limit."""
    cases = {"all": _numbers(content)} | {row["name"]: _numbers(row) for row in content["classes"]}
    suite = ElementTree.Element(
        "testsuite", name="focalcli", tests=str(len(cases)), failures=str(len(failures.keys() & cases.keys()))
    )
    for name, numbers in cases.items():
        case = ElementTree.SubElement(suite, "testcase", classname="focalcli.evaluate", name=printable(name))
        if name in failures:
            ElementTree.SubElement(case, "failure", message=printable(failures[name]))
        lines = "\n".join(f"{key} {value:.6f}" for key, value in numbers.items() if value == value)
        ElementTree.SubElement(case, "system-out").text = lines
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode")


def _numbers(row: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in row.items() if isinstance(value, float)}


def printable(text: str) -> str:
    """Write control characters and bytes that are no text as escapes: neither XML nor a reader can take them."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
