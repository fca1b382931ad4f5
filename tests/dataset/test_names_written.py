"""Names of classes and photos that a parser, a browser, a shell or a spreadsheet might obey are written as text."""

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from focalcli.cli.console import run
from focalcli.dataset.convert import convert
from focalcli.dataset.read import read_dataset
from focalcli.dataset.types import Category, Dataset

HOSTILE = (
    "<script>alert(1)</script>",
    "=HYPERLINK(1)",
    "@SUM(A1)",
    "+1",
    "../../etc/passwd",
    "a\"b',c;d",
    "]]> & &amp; &#0;",
    "!!python/object:x {a: 1} # *a",
    "$(touch pwned) `x` %s {{x}} [red]",
    "null",
)


@pytest.fixture
def hostile(folder: Any) -> Dataset:
    """Give a data set with one photo and one object of every hostile class."""
    folder.photo("=1+1.jpg")
    image = {"id": 1, "file_name": "=1+1.jpg", "width": 200, "height": 100}
    rows = [{"id": n, "image_id": 1, "category_id": n, "bbox": [9 * n, 5, 8, 8]} for n in range(1, len(HOSTILE) + 1)]
    classes = [{"id": n, "name": name} for n, name in enumerate(HOSTILE, 1)]
    return read_dataset(folder.json("a.json", {"images": [image], "annotations": rows, "categories": classes}))


def texts(path: Path) -> Iterator[object]:
    """Give every name and value of a file as a parser that is not ours reads it."""
    content = path.read_text()
    if path.suffix == ".json":
        yield from leaves(json.loads(content))
    elif path.suffix == ".jsonl":
        yield from leaves([json.loads(line) for line in content.splitlines()])
    elif path.suffix == ".xml":
        for element in ElementTree.fromstring(content).iter():
            yield from (element.text, *element.attrib.values())
    elif path.suffix == ".csv":
        yield from leaves(list(csv.reader(content.splitlines(keepends=True), strict=True)))
    elif path.suffix in (".yaml", ".md"):
        yield from leaves(yaml.safe_load(content.split("---")[1] if path.suffix == ".md" else content))


def leaves(node: object) -> Iterator[object]:
    if isinstance(node, dict):
        yield from (leaf for value in node.values() for leaf in leaves(value))
    elif isinstance(node, list):
        yield from (leaf for value in node for leaf in leaves(value))
    else:
        yield node


@pytest.mark.parametrize("to", ["coco", "createml", "cvat", "hf", "labelme", "retinanet", "tfod", "voc", "yolo"])
def test_names_are_text_in_every_format(hostile: Dataset, tmp_path: Path, to: str) -> None:
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    report = convert(hostile, tmp_path / "out", to=to, allow_lossy=True)
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    found = {text for path in files if path.suffix != ".jpg" for text in texts(path) if isinstance(text, str)}
    assert set(HOSTILE) <= found
    assert before == {path for path in tmp_path.rglob("*") if path.is_file() and "out" not in path.parts}
    warned = any("spreadsheet" in loss.what for loss in report.losses)
    assert warned == (to in ("retinanet", "tfod"))
    again = read_dataset(tmp_path / "out")
    assert sorted(category.name for category in again.categories) == sorted(HOSTILE)


def test_names_are_text_in_reports(hostile: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, page, report = str(hostile.root / "a.json"), tmp_path / "page.html", tmp_path / "report.json"
    assert run(["inspect", source, "--report", str(page)]) == 0
    assert "<script" not in page.read_text() and "&lt;script&gt;" in page.read_text()
    assert run(["convert", source, str(tmp_path / "out"), "--to", "yolo", "--report", str(report)]) == 0
    assert json.loads(report.read_text())["classes"] == len(HOSTILE)
    capsys.readouterr()
    assert run(["validate", source, "--format", "junit", "--preset", "none"]) == 0
    suite = ElementTree.fromstring(capsys.readouterr().out)
    assert any("<script>" in (element.text or "") for element in suite.iter("system-out"))


def test_control_characters_a_plugin_lets_through_do_not_reach_the_terminal(
    hostile: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = replace(hostile, categories=(Category("\x1b[31mred\x07\n", 1), *hostile.categories[1:]))
    convert(evil, tmp_path / "set", to="voc", transfer="link", allow_lossy=True)
    assert run(["inspect", str(tmp_path / "set"), "--json"]) == 65
    assert "\x1b" not in capsys.readouterr().err
