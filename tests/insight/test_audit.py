"""An audit finds what was put in, and says which label and why."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from focalcli.dataset.types import Boxes, Category, Dataset, Flag, Image, no_boxes
from focalcli.evaluation.columns import Predictions, no_predictions, xyxy_to_xywh
from focalcli.insight.audit import KINDS, Finding, audit, pairwise_iou
from focalcli.insight.fix_list import as_lines, surest, write_coco
from focalcli.insight.injection import inject

Row = tuple[float, float, float, float, int, int]  # xyxy, image, category


def dataset(rows: list[Row], images: int = 1) -> Dataset:
    table = np.array(rows, np.float64).reshape(-1, 6)
    ints = np.zeros(len(rows), np.int64)
    image, category = table[:, 4].astype(np.int64), table[:, 5].astype(np.int64)
    area = (table[:, 2] - table[:, 0]) * (table[:, 3] - table[:, 1])
    boxes = Boxes(table[:, :4], image, category, ints, area, np.arange(len(rows)) + 100, ints, ints + 7)
    photos = tuple(Image(f"{i}.jpg", None, 200, 200) for i in range(images))
    return Dataset((Category("cat", 3), Category("dog", 5)), photos, boxes, Path("x"), files=("labels.txt",))


def detections(rows: list[tuple[float, float, float, float, int, int, float]]) -> Predictions:
    table = np.array(rows, np.float64).reshape(-1, 7)
    xywh = xyxy_to_xywh(table[:, :4])
    return Predictions(xywh, table[:, 4].astype(np.int64), table[:, 5].astype(np.int64), table[:, 6])


def first(findings: list[Finding], kind: str) -> Finding:
    return next(finding for finding in findings if finding.kind == kind)


def test_nothing_gives_no_finding() -> None:
    empty = replace(dataset([]), boxes=no_boxes())
    assert audit(empty, no_predictions()) == []


def test_each_kind_comes_first_where_it_was_made() -> None:
    labels = [
        (10, 10, 50, 50, 0, 0),  # true
        (100, 10, 140, 50, 0, 0),  # a dog, called cat
        (10, 100, 50, 140, 0, 1),  # loose: the dog fills (20, 110) to (60, 150)
        (150, 150, 190, 190, 0, 1),  # nothing there
    ]
    seen = [
        (11, 11, 50, 50, 0, 0, 0.9),
        (100, 10, 141, 50, 0, 1, 0.8),
        (20, 110, 60, 150, 0, 1, 0.9),
        (100, 100, 130, 130, 0, 0, 0.85),  # no label here
    ]
    findings = audit(dataset(labels), detections(seen))
    assert first(findings, "missing").box == (100.0, 100.0, 130.0, 130.0)
    assert first(findings, "class").row == 1 and first(findings, "class").category == 1
    assert first(findings, "loose").row == 2 and first(findings, "loose").box == (20.0, 110.0, 60.0, 150.0)
    assert first(findings, "spurious").row == 3


def test_a_missing_object_costs_its_loss_as_background() -> None:
    finding = first(audit(dataset([]), detections([(0, 0, 9, 9, 0, 1, 0.75)])), "missing")
    assert finding.loss == pytest.approx(-np.log(0.25))


def test_two_classes_at_one_place_are_one_missing_object() -> None:
    seen = [(0, 0, 9, 9, 0, 1, 0.75), (0, 0, 9, 10, 0, 0, 0.5)]
    assert [f.kind for f in audit(dataset([]), detections(seen))] == ["missing"]


def test_nothing_is_missing_inside_a_crowd() -> None:
    data = dataset([(0, 0, 50, 50, 0, 0)])
    crowd = replace(data, boxes=replace(data.boxes, flags=np.array([int(Flag.CROWD)])))
    assert audit(crowd, detections([(10, 10, 20, 20, 0, 0, 0.9)])) == []


def test_the_fix_list_names_label_and_suggestion() -> None:
    data = dataset([(100, 10, 140, 50, 0, 0)])
    [line] = as_lines(data, surest(audit(data, detections([(100, 10, 140, 50, 0, 1, 0.8)])), 1)[1:2])
    assert line["kind"] == "class" and line["image"] == "0.jpg" and line["origin"] == "labels.txt:7"
    assert line["label"]["class"] == "cat" and line["suggested"]["class"] == "dog" and line["annotation_id"] == 100


def test_suggestions_are_coco(tmp_path: Path) -> None:
    import json

    data = dataset([(100, 10, 140, 50, 0, 0)])
    write_coco(tmp_path / "s.json", data, [Finding("loose", 0, 0, (100.0, 10.0, 150.0, 50.0), 1, 2.0)])
    content = json.loads((tmp_path / "s.json").read_text())
    [annotation] = content["annotations"]
    assert annotation["bbox"] == [100, 10, 50, 40] and annotation["category_id"] == 5
    assert (
        annotation["label"] == {"category_id": 3, "bbox": [100, 10, 40, 40]}
        and annotation["replaces"] == 100
        and annotation["kind"] == "loose"
    )
    assert content["images"] == [{"id": 1, "file_name": "0.jpg", "width": 200, "height": 200}]


def test_ids_are_told_where_the_source_has_them(tmp_path: Path) -> None:
    import json

    data = dataset([(100, 10, 140, 50, 1, 0)], images=2)
    without = replace(data, boxes=replace(data.boxes, source_id=np.array([-1])))
    loose = [Finding("loose", 1, 0, (100.0, 10.0, 150.0, 50.0), 1, 2.0)]
    assert "annotation_id" not in as_lines(without, loose)[0]
    write_coco(tmp_path / "s.json", without, loose)
    [annotation] = json.loads((tmp_path / "s.json").read_text())["annotations"]
    assert "replaces" not in annotation and annotation["label"] == {"category_id": 3, "bbox": [100, 10, 40, 40]}
    write_coco(
        tmp_path / "s.json", replace(data, images=tuple(structs.replace(i, source_id=77) for i in data.images)), loose
    )
    content = json.loads((tmp_path / "s.json").read_text())
    assert content["images"][0]["id"] == content["annotations"][0]["image_id"] == 77


def test_a_label_without_loss_is_not_listed() -> None:
    certain = [Finding("class", 0, 0, (0.0, 0.0, 9.0, 9.0), 0, loss) for loss in (2.0, 0.0)]
    assert surest(certain, 5) == certain[:1]


def test_a_photo_that_nobody_labelled_misses_nothing() -> None:
    data = dataset([(10, 10, 50, 50, 1, 0)], images=2)
    unseen = replace(data, images=(structs.replace(data.images[0], labelled=False), data.images[1]))
    findings = audit(unseen, detections([(0, 0, 9, 9, 0, 1, 0.75)]))
    assert {f.image for f in findings} == {1}


def test_fewer_photos_than_folds_is_one_line() -> None:
    from focalcli.errors import DataError
    from focalcli.insight.cross_predict import cross_predictions
    from focalcli.train_config import TrainConfig

    with pytest.raises(DataError, match="x: 2 folds need as many photos, and it holds 1, name a model"):
        cross_predictions(dataset([(0, 0, 9, 9, 0, 0)]), TrainConfig(), count=2, report=print)


def test_errors_put_in_are_known_and_the_rest_is_untouched() -> None:
    rows = [(x * 40.0, y * 40.0, x * 40.0 + 20, y * 40.0 + 20, i, 0) for i in range(20) for x in (0, 2) for y in (0, 2)]
    data = dataset(rows, images=20)
    spoiled = inject(data, share=0.2, seed=1)
    assert {kind: int((spoiled.kind == kind).sum()) for kind in KINDS} == {
        "missing": 0,
        "spurious": 4,
        "class": 4,
        "loose": 4,
    }
    assert len(spoiled.removed) == 4 and len(spoiled.dataset.boxes) == 80
    clean = spoiled.dataset.boxes.take(spoiled.kind == "")
    known = {tuple(row) for row in np.c_[data.boxes.image, data.boxes.xyxy]}
    assert all(tuple(row) in known for row in np.c_[clean.image, clean.xyxy])
    for row in np.flatnonzero(spoiled.kind == "spurious"):
        same = data.boxes.xyxy[data.boxes.image == spoiled.dataset.boxes.image[row]]
        assert pairwise_iou(spoiled.dataset.boxes.xyxy[row : row + 1], same).max() <= 0.05
    again = inject(data, share=0.2, seed=1)
    assert np.array_equal(again.dataset.boxes.xyxy, spoiled.dataset.boxes.xyxy)
