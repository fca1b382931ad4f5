"""`focalcli validate`: findings on stdout, the gate in the exit code, a repaired copy beside an untouched source."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image

from focalcli.dataset.read import read_dataset


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Write a COCO set: ten cats in two photos, one of them twice."""
    folder = tmp_path / "set"
    folder.mkdir()
    for n in (1, 2):
        Image.new("RGB", (200, 100), (n, 0, 0)).save(folder / f"{n}.jpg")
    boxes = [[15 * n, n, 12 + n, 14] for n in range(10)]
    write(folder, [*boxes, boxes[0]])
    return folder


def write(folder: Path, boxes: list[list[float]]) -> None:
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 200, "height": 100} for n in (1, 2)]
    rows = [{"id": n, "image_id": 1, "category_id": 1, "bbox": box} for n, box in enumerate(boxes, 1)]
    content = {"images": images, "annotations": rows, "categories": [{"id": 1, "name": "cat"}]}
    (folder / "c.json").write_text(json.dumps(content))


def test_warnings_pass_unless_the_gate_is_set_at_them(shell: Any, source: Path) -> None:
    done = shell("validate", str(source))
    (finding,) = json.loads(done.stdout)["findings"]
    assert done.returncode == 0
    assert (finding["code"], finding["severity"], finding["count"]) == ("W103", "warning", 1)
    assert finding["place"] == "c.json: annotation id 11"
    strict = shell("validate", str(source), "--fail-on", "warning")
    assert (strict.returncode, strict.stdout) == (1, done.stdout)
    assert "1 findings" not in strict.stderr and "1 finding at or above --fail-on warning" in strict.stderr


def test_errors_fail_the_gate_and_every_one_is_told(shell: Any, source: Path) -> None:
    write(source, [[5, 5, 0, 9], [9, 5, 0, 9], [20, 20, 30, 30]])
    done = shell("validate", str(source), "--json")
    result = json.loads(done.stdout)
    assert (done.returncode, result["counts"]["error"], result["boxes"]) == (1, 2, 1)
    assert result["findings"][0]["examples"] == ["c.json: annotation id 2"]


def test_a_link_out_of_the_set_is_one_finding_among_the_others(shell: Any, source: Path, tmp_path: Path) -> None:
    (source / "1.jpg").rename(tmp_path / "outside.jpg")
    (source / "1.jpg").symlink_to(tmp_path / "outside.jpg")
    done = shell("validate", str(source))
    findings = {finding["code"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert done.returncode == 1
    assert (findings["E005"]["place"], findings["E005"]["count"]) == ("1.jpg", 1)
    assert {"W103", "W108"} <= findings.keys()
    followed = shell("validate", str(source), "--follow-symlinks")
    assert (followed.returncode, [f["code"] for f in json.loads(followed.stdout)["findings"]]) == (0, ["W103"])


def test_junit_fails_the_cases_that_reach_the_level(shell: Any, source: Path) -> None:
    for level, failures in (("error", "0"), ("warning", "1")):
        suite = ElementTree.fromstring(shell("validate", str(source), "--format", "junit", "--fail-on", level).stdout)
        assert suite.get("failures") == failures
        assert suite.find("testcase[@name='W103']") is not None


def test_a_terminal_gets_a_table(shell: Any, source: Path) -> None:
    done = shell("validate", str(source), "--format", "table")
    assert done.stdout.splitlines()[1].split()[:3] == ["W103", "warning", "1"]


def test_a_repair_is_a_copy_without_the_findings_and_lists_its_changes(shell: Any, source: Path) -> None:
    before = {path.name: path.read_bytes() for path in source.iterdir()}
    done = shell("validate", str(source), "--fix", "fixed")
    assert [change["place"] for change in json.loads(done.stdout)["changes"]] == ["c.json: annotation id 11"]
    assert {path.name: path.read_bytes() for path in source.iterdir()} == before
    assert json.loads(shell("validate", "fixed", "--fail-on", "warning").stdout)["findings"] == []
    copy = read_dataset(Path("fixed"))
    assert (len(copy.images), len(copy.boxes)) == (2, 10)
    assert all(image.path is not None for image in copy.images)


def test_a_damaged_photo_is_found_by_decoding(shell: Any, source: Path) -> None:
    (source / "2.jpg").write_bytes((source / "2.jpg").read_bytes()[:-200])
    codes = [finding["code"] for finding in json.loads(shell("validate", str(source)).stdout)["findings"]]
    assert codes == ["W103", "W109"]


def test_an_object_no_anchor_reaches_is_found_at_its_record(shell: Any, source: Path) -> None:
    """100 pixels become 336, so 4.5 x 4.5 are 15.1 x 15.1; of the smallest anchor, 24 x 24, that is at best 229 / 576.

    Which is 0.397; 6 x 6 are 20.2 x 20.2, at best 0.71, and at most 4 pixels from the centre of an anchor.
    """
    write(source, [*([15 * n, n, 12, 14] for n in range(10)), [180, 50, 4.5, 4.5], [150, 50, 6, 6]])
    (found,) = json.loads(shell("validate", str(source)).stdout)["findings"]
    assert (found["code"], found["place"], found["count"]) == ("W117", "c.json: annotation id 11", 1)
    assert found["fact"] == "no anchor of lite0 overlaps the object by 0.4 at 400..672 pixels"
    assert json.loads(shell("validate", str(source), "--preset", "none").stdout)["findings"] == []


def test_a_set_without_objects_or_sizes_is_validated_all_the_same(shell: Any, source: Path) -> None:
    write(source, [])
    assert shell("validate", str(source)).returncode == 0
    content = json.loads((source / "c.json").read_text())
    content["images"] = [{"id": n, "file_name": f"absent{n}.jpg"} for n in (1, 2)]
    content["annotations"] = [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5]}]
    (source / "c.json").write_text(json.dumps(content))
    codes = [f["code"] for f in json.loads(shell("validate", str(source)).stdout)["findings"]]
    assert codes == ["E001", "W108", "W116"]
