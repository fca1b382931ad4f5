"""`focalcli compare`: the gate of a pipeline."""

import json
from pathlib import Path

import pytest

from focalcli.cli.console import run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten photos with a cat and a dog each; `good.jsonl` finds all, `bad.json` no dog."""
    monkeypatch.chdir(tmp_path)
    boxes = [(i, kind, [10 + 40 * kind, 10, 20, 20]) for i in range(10) for kind in (0, 1)]
    data = {
        "images": [{"id": i + 1, "file_name": f"{i}.jpg", "width": 100, "height": 100} for i in range(10)],
        "categories": [{"id": 4, "name": "cat"}, {"id": 9, "name": "dog"}],
        "annotations": [
            {"id": n, "image_id": i + 1, "category_id": (4, 9)[kind], "bbox": box, "area": 400, "iscrowd": 0}
            for n, (i, kind, box) in enumerate(boxes, 1)
        ],
    }
    Path("gt.json").write_text(json.dumps(data))
    cats = [{"image_id": i + 1, "category_id": 4, "bbox": box, "score": 0.9} for i, kind, box in boxes if not kind]
    Path("bad.json").write_text(json.dumps(cats))
    lines = []
    for i in range(10):
        found = [{"box": [10, 10, 30, 30], "score": 0.9, "class": "cat", "class_id": 4},
                 {"box": [50, 10, 70, 30], "score": 0.8, "class": "dog", "class_id": 9}]  # fmt: skip
        lines.append(json.dumps({"schema": "focalcli.detections/1", "image": f"{i}.jpg", "detections": found}))
    Path("good.jsonl").write_text("\n".join(lines))
    return tmp_path


def test_differences_of_all_and_of_each_class(folder: Path, capsys, valid) -> None:
    assert run(["compare", "good.jsonl", "bad.json", "--data", "gt.json", "--resamples", "20"]) == 0
    printed = json.loads(capsys.readouterr().out)
    valid("comparison", printed)
    ap = printed["values"]["AP"]
    assert (ap["a"], ap["b"], ap["difference"]) == pytest.approx((1, 0.5, -0.5))
    assert ap["interval"] == pytest.approx([-0.5, -0.5]) and ap["sure"]
    assert [(row["name"], row["values"]["AP"]["difference"]) for row in printed["classes"]] == [
        ("cat", 0),
        ("dog", pytest.approx(-1)),
    ]


def test_point_estimates_are_those_evaluate_prints(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "gt.json", "--predictions", "bad.json"]) == 0
    alone = json.loads(capsys.readouterr().out)
    assert run(["compare", "good.jsonl", "bad.json", "--data", "gt.json", "--resamples", "1"]) == 0
    both = json.loads(capsys.readouterr().out)["values"]
    assert {name: row["b"] for name, row in both.items()} == {name: alone[name] for name in both}


@pytest.mark.parametrize(
    ("a", "b", "limit", "code"),
    [
        ("good.jsonl", "bad.json", "0.5", 1),
        ("good.jsonl", "bad.json", "50.1", 0),
        ("bad.json", "good.jsonl", "0", 0),
        ("bad.json", "bad.json", "0", 0),
    ],
)
def test_a_drop_in_points_fails_the_gate(
    folder: Path, capsys: pytest.CaptureFixture[str], a: str, b: str, limit: str, code: int
) -> None:
    words = ["compare", a, b, "--data", "gt.json", "--fail-if-drop", limit, "--resamples", "5", "--format", "table"]
    assert run(words) == code
    out, err = capsys.readouterr()
    assert "AP of class" in out
    if code:
        assert err == (
            "error: bad.json: AP is -50.00 points against good.jsonl (95 %: -50.00 to -50.00), "
            "--fail-if-drop allows 0.5\n"
        )


def test_missing_inputs_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", "good.jsonl", "absent.json", "--data", "gt.json"]) == 66
    assert "absent.json: no such file of predictions" in capsys.readouterr().err
    assert run(["compare", "good.jsonl", "absent.onnx", "--data", "gt.json"]) == 66
    assert "absent.onnx: no such model file" in capsys.readouterr().err
