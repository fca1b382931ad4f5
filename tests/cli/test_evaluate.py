"""`focalcli evaluate`, from the words to the words."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from focalcli.cli.console import run

NAMES = ["AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"]


@pytest.fixture
def coco(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two photos and three objects of two classes; the detections miss one and invent one."""
    monkeypatch.chdir(tmp_path)
    boxes = [(1, 4, [10, 10, 20, 20]), (1, 9, [40, 40, 30, 30]), (2, 4, [5, 5, 50, 50])]
    data = {
        "images": [{"id": i, "file_name": f"{i}.jpg", "width": 100, "height": 100} for i in (1, 2)],
        "categories": [{"id": 4, "name": "cat"}, {"id": 9, "name": "<dog>"}],
        "annotations": [
            {"id": n, "image_id": image, "category_id": kind, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
            for n, (image, kind, box) in enumerate(boxes, 1)
        ],
    }
    found = [
        {"image_id": 1, "category_id": 4, "bbox": [10, 10, 20, 20], "score": 0.9},
        {"image_id": 2, "category_id": 4, "bbox": [60, 60, 20, 20], "score": 0.8},
        {"image_id": 1, "category_id": 9, "bbox": [40, 40, 30, 30], "score": 0.7},
    ]
    (tmp_path / "gt.json").write_text(json.dumps(data))
    (tmp_path / "found.json").write_text(json.dumps(found))
    return tmp_path


def test_off_a_terminal_the_result_is_one_json_object(coco: Path, capsys, valid) -> None:
    assert run(["evaluate", "gt.json", "--predictions", "found.json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    valid("evaluation", printed)
    assert list(printed) == [*NAMES, "images", "classes"]
    assert printed["images"] == 2
    assert printed["APl"] is None
    assert [(row["name"], row["id"], row["objects"]) for row in printed["classes"]] == [("cat", 4, 2), ("<dog>", 9, 1)]
    # cat: one of two objects found first, so precision 1 up to recall 0.5: 51 of 101 points; dog: 1
    assert printed["AP50"] == pytest.approx((51 / 101 + 1) / 2)


def test_both_engines_print_the_same(coco: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = []
    for engine in ("focalcli", "pycocotools"):
        assert run(["evaluate", "gt.json", "--predictions", "found.json", "--engine", engine]) == 0
        printed.append(json.loads(capsys.readouterr().out))
    assert printed[0].keys() == printed[1].keys()
    assert [printed[0][name] for name in NAMES] == pytest.approx([printed[1][name] for name in NAMES], abs=1e-12)


def test_other_forms_are_csv_and_junit(coco: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "gt.json", "--predictions", "found.json", "--format", "csv", "--iou", "0.5"]) == 0
    rows = [line.split(",") for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == ["name", "all", "cat", "<dog>"]
    assert run(["evaluate", "gt.json", "--predictions", "found.json", "--format", "junit"]) == 0
    suite = ElementTree.fromstring(capsys.readouterr().out)
    assert [case.get("name") for case in suite] == ["all", "cat", "<dog>"]


def test_the_table_names_every_number_and_class(coco: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    assert run(["evaluate", "gt.json", "--predictions", "found.json", "--format", "table"]) == 0
    head, total, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["class", *NAMES, "recall", "F1", "threshold", "objects"]
    assert total.split()[:3] == ["all", ".752", ".752"]
    assert [row.split()[0] for row in rows] == ["cat", "<dog>"]


def test_results_go_to_a_file_and_detections_to_another(coco: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", "gt.json", "--predictions", "found.json", "-o", "out.json", "--predictions-out", "out.jsonl"]
    assert run(words) == 0
    assert capsys.readouterr().out == ""
    assert json.loads((coco / "out.json").read_text())["images"] == 2
    assert run(["evaluate", "gt.json", "--predictions", "out.jsonl"]) == 0
    assert capsys.readouterr().out == (coco / "out.json").read_text()


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["absent.json", "--predictions", "found.json"], 66, "absent.json: no such file or folder"),
        (["gt.json", "--predictions", "absent.json"], 66, "absent.json: no such file of predictions"),
        (["gt.json", "--predictions", "gt.json"], 65, "gt.json: "),
        (["gt.json", "--predictions", "found.json", "--model", "m"], 2, "cannot stand beside --model"),
        (["gt.json", "--predictions", "found.json", "--iou", "0.9,0.5"], 2, "not rising overlaps in (0, 1]"),
        (["gt.json", "--predictions", "found.json", "--iou", "x"], 2, "is not a list of numbers"),
        (["gt.json", "--predictions", "found.json", "--max-dets", "0"], 2, "not rising counts"),
        (["gt.json", "--predictions", "found.json", "--area", "a=5"], 2, "is not NAME=LOW..HIGH"),
        (["gt.json", "--predictions", "found.json", "--area", "a=5..4"], 2, "a range is empty"),
        (["gt.json"], 66, "runs: holds no trained model"),
    ],
)
def test_mistakes_are_one_line(
    coco: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, line: str
) -> None:
    assert run(["evaluate", *words]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert line in err.splitlines()[-1]
    assert len(err.splitlines()) == 1


def test_an_empty_data_set_is_refused(coco: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (coco / "gt.json").write_text('{"images": [], "annotations": [], "categories": [{"id": 1, "name": "cat"}]}')
    assert run(["evaluate", "gt.json", "--predictions", "found.json"]) == 65
    assert "gt.json: holds no image" in capsys.readouterr().err


def test_no_detections_at_all_is_a_result(coco: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (coco / "found.json").write_text("[]")
    assert run(["evaluate", "gt.json", "--predictions", "found.json"]) == 0
    assert json.loads(capsys.readouterr().out)["AP"] == 0


def test_reasons_and_intervals_are_added_to_the_numbers(coco: Path, capsys, valid) -> None:
    words = ["evaluate", "gt.json", "--predictions", "found.json", "--reasons", "--resamples", "10", "--voc"]
    assert run(words) == 0
    printed = json.loads(capsys.readouterr().out)
    valid("evaluation", printed)
    extra = ["VOC", "VOC07", "images", "classes", "intervals", "errors", "confusion", "calibration", "slices", "worst"]
    assert list(printed) == [*NAMES, *extra]
    assert printed["worst"][0] == {"image": "2.jpg", "F1": 0.0, "right": 0, "missed": 1}
    assert printed["errors"]["background"]["count"] == 1
    low, high = printed["intervals"]["AP"]
    assert low <= printed["AP"] <= high
    assert run([*words, "--format", "table"]) == 0
    assert "worst photos" in capsys.readouterr().out


def test_a_report_is_one_file(coco: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "gt.json", "--predictions", "found.json", "--report", "report.html"]) == 0
    text = (coco / "report.html").read_text()
    assert "&lt;dog&gt;" in text and "the photo is not there" in text
    assert len(json.loads(capsys.readouterr().out)["intervals"]) == 12


@pytest.mark.parametrize(("limit", "code"), [("0.7", 0), ("0.8", 1)])
def test_a_limit_not_met_fails_after_the_result(
    coco: Path, capsys: pytest.CaptureFixture[str], limit: str, code: int
) -> None:
    words = ["evaluate", "gt.json", "--predictions", "found.json", "--fail-under", limit, "--format", "junit"]
    assert run(words) == code
    out, err = capsys.readouterr()
    assert (ElementTree.fromstring(out).get("failures"), bool(err)) == (str(code), bool(code))
    if code:
        assert err == "error: gt.json: AP is 0.7525, below --fail-under 0.8\n"
