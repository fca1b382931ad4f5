"""Saved detections are read exactly or refused in one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from focalcli.errors import DataError, InputNotFound
from focalcli.evaluation.predictions_file import read_predictions, write_predictions
from tests.evaluation.cases import dataset, predictions

DATA = dataset((0, 0, 10, 10, 20, 20), images=3, keys=["a/1.jpg", "b/1.jpg", "2.png"])
RESULT: dict[str, Any] = {"image_id": 2, "category_id": 7, "bbox": [1, 2, 3, 4.5], "score": 0.5}
FOUND: dict[str, Any] = {"box": [1, 2, 4, 6.5], "score": 0.5, "class": "cat", "class_id": 7}
LINE: dict[str, Any] = {"schema": "focalcli.detections/1", "image": "2.png", "detections": [FOUND]}


def results(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text(json.dumps([RESULT | row for row in rows]))
    return path


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(LINE | row) + "\n" for row in rows))
    return path


def test_no_results_and_no_lines_are_no_detections(tmp_path: Path) -> None:
    for text in ("[]", "", "\n"):
        (tmp_path / "none").write_text(text)
        assert len(read_predictions(tmp_path / "none", DATA).predictions) == 0


@pytest.mark.parametrize("write", [results, lines])
def test_both_forms_give_the_same_columns(tmp_path: Path, write: Any) -> None:
    found = read_predictions(write(tmp_path / "found", {}), DATA).predictions
    assert (found.xywh.tolist(), found.image.tolist()) == ([[1, 2, 3, 4.5]], [2])
    assert (found.category.tolist(), found.score.tolist()) == ([0], [0.5])


@pytest.mark.parametrize("name", ["found.json", "found.jsonl"])
def test_writing_and_reading_changes_no_bit(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(0)
    rows = [(i % 3, i % 2, *rng.uniform(0, 90, 4).round(2), rng.random()) for i in range(50)]
    given = predictions(*sorted(rows))
    write_predictions(tmp_path / name, DATA, given)
    again = read_predictions(tmp_path / name, DATA).predictions
    for one, other in ((given.xywh, again.xywh), (given.score, again.score), (given.image, again.image)):
        assert one.tolist() == other.tolist()


@pytest.mark.parametrize("name", ["2", "2.png", 2])
def test_data_sets_without_ids_are_matched_by_key_name_or_stem(tmp_path: Path, name: object) -> None:
    found = read_predictions(results(tmp_path / "found", {"image_id": name}), DATA).predictions
    assert found.image.tolist() == [2]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"image_id": 99}, "found: detection 2: image_id 99 is not in the data set"),
        ({"category_id": 99}, "found: detection 2: category_id 99 is not in the data set"),
        ({"bbox": [1, 2, -3, 4]}, "found: detection 2: the box has a negative size"),
        ({"score": float("nan")}, "found: holds NaN or Infinity"),
        ({"score": None}, "found: not COCO results (Expected `float`, got `null` - at `$[1].score`)"),
        ({"bbox": [1, 2, 3]}, "found: not COCO results (Expected `array` of length 4"),
    ],
)
def test_unsound_results_are_refused_by_record(tmp_path: Path, change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(DataError) as caught:
        read_predictions(results(tmp_path / "found", {}, change), DATA)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"image": "3.png"}, "found: line 2: image '3.png' is not in the data set"),
        ({"image": "1.jpg"}, "found: line 2: image '1.jpg' may be several of the data set"),
        ({"image": "2.png"}, "found: line 2: image '2.png' was already on line 1"),
        ({"image": "a/1.jpg", "schema": "other/1"}, "found: line 2: its schema is 'other/1'"),
        ({"image": "a/1.jpg", "detections": [FOUND | {"score": float("nan")}]}, "line 2: the score is not a finite"),
        ({"image": "a/1.jpg", "detections": [FOUND | {"box": [5, 5, 4, 9]}]}, "line 2: the box has a negative size"),
    ],
)
def test_unsound_lines_are_refused_by_number(tmp_path: Path, change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(DataError) as caught:
        read_predictions(lines(tmp_path / "found", {}, change), DATA)
    assert complaint in str(caught.value)


def test_classes_that_the_data_set_lacks_are_left_out_and_said(tmp_path: Path) -> None:
    rows = [FOUND, FOUND | {"class": "Dog "}, FOUND | {"class": "zebra"}]
    loaded = read_predictions(lines(tmp_path / "found", {"detections": rows}), DATA)
    assert len(loaded.predictions) == 1
    [note] = loaded.notes
    assert "left out 2 detections" in note and "'Dog ' (is it 'dog'?)" in note and "'zebra'" in note


def test_without_a_shared_class_both_sides_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"only the model has 'zebra'; only the data set has 'cat', 'dog'"):
        read_predictions(lines(tmp_path / "found", {"detections": [FOUND | {"class": "zebra"}]}), DATA)


def test_photos_that_could_not_be_read_are_said(tmp_path: Path) -> None:
    path = lines(tmp_path / "found", {}, {"image": "a/1.jpg", "detections": None, "error": "cut off"})
    assert "1 photos could not be read" in read_predictions(path, DATA).notes[0]


def test_what_is_neither_is_refused(tmp_path: Path) -> None:
    (tmp_path / "found").write_text("1,2,3")
    with pytest.raises(DataError, match="neither COCO results nor JSON lines"):
        read_predictions(tmp_path / "found", DATA)
    with pytest.raises(InputNotFound):
        read_predictions(tmp_path / "absent", DATA)


@pytest.mark.parametrize("block", [1, 100, 1000, 1 << 20])
def test_results_read_in_blocks_are_those_of_the_file_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    """Wherever the cuts fall: behind an object within one, or within a text that looks like the end of one."""
    monkeypatch.setattr("focalcli.dataset.json_blocks.BLOCK", block)
    rows = [{"score": i / 50, "extra": {"a": {}, "b": [{}, {}]}, "note": '"},{"image_id":9, ['} for i in range(50)]
    path = results(tmp_path / "found", *rows)
    found = read_predictions(path, DATA).predictions
    assert found.score.tolist() == [i / 50 for i in range(50)]
    assert found.image.tolist() == [2] * 50 and found.xywh.tolist() == [[1, 2, 3, 4.5]] * 50
    for wrong, place in ({"image_id": 99}, "detection 41: image_id 99"), ({"score": None}, "at `$[40].score`"):
        with pytest.raises(DataError) as caught:
            read_predictions(results(tmp_path / "bad", *rows[:40], wrong, *rows[41:]), DATA)
        assert place in str(caught.value)
    text = path.read_text()
    for end in (", ]", "", "] []", "}]"):
        (tmp_path / "bad").write_text(text[:-1] + end)
        with pytest.raises(DataError, match="not COCO results"):
            read_predictions(tmp_path / "bad", DATA)
