"""The report: whole, escaped, the same bytes again; and in a real browser it opens, sorts, filters, asks nothing."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from focalcli.evaluation.coco import matches_of
from focalcli.evaluation.reasons import explain, intervals
from focalcli.evaluation.report import write_report
from focalcli.evaluation.report.charts import Line, line_chart
from focalcli.evaluation.settings import COCO
from tests.evaluation.browser import browser
from tests.evaluation.cases import dataset, predictions

EVIL = "<script>alert(1)</script>\"'&\x1b[31m\udcff"


def write(folder: Path, *, photos: bool = True, classes: tuple[str, ...] = ("cat", EVIL)) -> Path:
    """Five photos: a perfect one, one with a confusion, one with a miss, one with an invention, one empty."""
    rows = [(0, 0, 0, 0, 40, 40), (1, 1, 0, 0, 40, 40), (2, 0, 50, 50, 30, 30), (2, 1, 0, 0, 20, 20)]
    found = [(0, 0, 0, 0, 40, 40, 0.9), (1, 0, 0, 0, 40, 40, 0.8), (2, 0, 50, 50, 30, 30, 0.7), (3, 1, 5, 5, 9, 9, 0.6)]
    keys = ["0.jpg", f"{EVIL}.jpg", "2.jpg", "3.jpg", "4.jpg"]
    data = dataset(*rows, images=5, classes=classes, keys=keys)
    if photos:
        for index in range(4):
            Pillow.fromarray(np.full((100, 100, 3), 40 * index, np.uint8)).save(folder / f"{index}.jpg")
        data = replace(data, images=tuple(image.but(path=folder / f"{i}.jpg") for i, image in enumerate(data.images)))
    given = predictions(*found)
    reasons = explain(data, given, COCO)
    write_report(folder / "report.html", reasons, intervals(matches_of(data, given), resamples=20, seed=0))
    return folder / "report.html"


class Tags(HTMLParser):
    """Collects tags with their attributes, and checks that they nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_every_name_is_escaped_and_every_tag_closed(tmp_path: Path) -> None:
    text = write(tmp_path).read_text(encoding="utf-8")
    tags = Tags(text)
    assert tags.open == []
    assert [tag for tag, _ in tags.found].count("script") == 1
    assert "alert(1)</script>" not in text and "\x1b" not in text
    assert "&lt;script&gt;alert(1)" in text and r"\x1b[31m\udcff" in text


def test_nothing_is_fetched(tmp_path: Path) -> None:
    tags = Tags(write(tmp_path).read_text(encoding="utf-8")).found
    addresses = [v for _, attributes in tags for name, v in attributes.items() if name in ("src", "href")]
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert any("default-src 'none'" in (attributes.get("content") or "") for _, attributes in tags)
    assert "url(" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_same_evaluation_gives_the_same_bytes(tmp_path: Path) -> None:
    first = write(tmp_path).read_bytes()
    assert write(tmp_path).read_bytes() == first


def test_photos_that_cannot_be_shown_are_named(tmp_path: Path) -> None:
    assert "the photo is not there" in write(tmp_path, photos=False).read_text(encoding="utf-8")


def test_numbers_of_the_report_are_those_of_the_evaluation(tmp_path: Path) -> None:
    """AP of cat: a right, a wrong, a right of two objects, so 51 of 101 points at 1 and 50 at 2/3; the other has 0."""
    text = write(tmp_path).read_text(encoding="utf-8")
    ap = (51 + 50 * 2 / 3) / 101 / 2
    assert re.search(rf"<li>AP <b>{ap:.3f}</b>", text)


def test_a_chart_of_nothing_is_an_empty_frame() -> None:
    assert "<path d=" in line_chart([], x="recall", y="precision")
    assert "M0" not in line_chart([Line("<a>", np.zeros(0), np.zeros(0))], x="x", y="y").replace("M0 4H24", "")


@pytest.mark.e2e
def test_in_a_browser_it_opens_sorts_filters_and_asks_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, classes=("cat", "a" * 70))
    with browser() as page:
        page.open(path)
        pictures = page.run("return [...document.images].map(image => image.naturalWidth)")
        assert pictures == [100, 100, 100, 100]
        names = "return [...document.querySelectorAll('#classes tbody tr')].map(row => row.cells[0].textContent)"
        before = page.run(names)
        for _ in range(2):
            page.run("document.querySelector('#classes th button').click()")
            after = page.run(names)
        assert sorted(before) == sorted(after) and after == sorted(after)
        page.run("document.querySelectorAll('#classes th button')[1].click()")
        assert page.run(names)[0] == "cat"  # the higher AP
        shown = "return [...document.querySelectorAll('#worst .card')].filter(c => !c.hidden).length"
        choose = (
            "const select = document.getElementById(arguments[0]);"
            "select.value = arguments[1]; select.dispatchEvent(new Event('change'))"
        )
        assert page.run(shown) == 3
        page.run(choose, "by-kind", "background")
        assert page.run(shown) == 1
        page.run(choose, "by-class", "cat")
        assert page.run(shown) == 0
        page.run(choose, "by-kind", "")
        assert page.run(shown) == 2
        assert [entry for entry in page.log("browser") if entry["level"] != "INFO"] == []
        sent = [json.loads(entry["message"])["message"] for entry in page.log("performance")]
        urls = {m["params"]["request"]["url"] for m in sent if m["method"] == "Network.requestWillBeSent"}
        assert {url for url in urls if not url.startswith("data:")} == {path.as_uri()}
        page.resize(500, 900)  # on a phone wide tables scroll by themselves; the page does not
        assert page.run("return document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.e2e
def test_without_javascript_all_is_there_to_read(tmp_path: Path) -> None:
    with browser(javascript=False) as page:
        page.open(write(tmp_path))
        seen = page.run("return [...document.querySelectorAll('.card')].every(card => card.offsetHeight > 50)")
        assert seen
        assert page.run("return document.querySelector('.filters').offsetHeight") == 0
        assert page.run("return document.querySelectorAll('#classes tbody tr').length") == 2
