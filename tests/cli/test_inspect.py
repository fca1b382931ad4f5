"""`focalcli inspect`: JSON off a terminal, tables on one, a report that shows names and never obeys them."""

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Write a COCO file of one photo and one box, whose class has a name that a browser would obey."""
    path = tmp_path / "a.json"
    content = {
        "images": [{"id": 1, "file_name": "1.jpg", "width": 200, "height": 100}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 3, "bbox": [0, 0, 20, 10]}],
        "categories": [{"id": 3, "name": "<script>alert(1)</script>"}],
    }
    path.write_text(json.dumps(content))
    return path


def test_json_is_written_where_there_is_no_terminal(shell: Any, source: Path) -> None:
    done = shell("inspect", str(source))
    found = json.loads(done.stdout)
    assert (done.returncode, found["images"], found["boxes"], found["format"]) == (0, 1, 1, "coco")
    assert done.stderr.startswith("read as COCO")


def test_a_terminal_gets_tables(shell: Any, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    done = shell("inspect", str(source), NO_COLOR="1")
    assert done.stdout.startswith("split") and "width / height" in done.stdout


def test_the_report_escapes_every_name_and_needs_no_other_file(shell: Any, source: Path) -> None:
    assert shell("inspect", str(source), "--report", "r.html").returncode == 0
    page = Path("r.html").read_text()
    assert "<script" not in page and "&lt;script&gt;" in page
    assert "<td>200x100</td><td>1</td>" in page and "<th>small</th>" in page and "Side relative to the photo" in page
    assert "<svg" in page and "http" not in page.replace("http-equiv", "")
    shell("inspect", str(source), "--report", "again.html")
    assert Path("again.html").read_text() == page


def test_a_path_that_is_not_there_is_66(shell: Any) -> None:
    assert shell("inspect", "nowhere").returncode == 66
