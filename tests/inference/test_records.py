import json
from pathlib import Path

import numpy as np
import pytest

from focalcli.config import ClassInfo
from focalcli.errors import DataError, InputNotFound
from focalcli.inference.detections import Detections
from focalcli.inference.records import Record, decode_record, encode_record, read_records

CLASSES = (ClassInfo("cat", 7), ClassInfo("Füße [b]", 1))


def some() -> Detections:
    boxes = np.array([[1.00049, 2, 3.5, 4], [0, 0, 1e-3, 9]], np.float32)
    return Detections(boxes, np.array([0.987654, 0.05], np.float32), np.array([1, 0]))


def none() -> Detections:
    return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))


def test_a_line_is_what_the_design_says() -> None:
    assert json.loads(encode_record(Record("a/b.jpg", (480, 640), some()), CLASSES)) == {
        "schema": "focalcli.detections/1",
        "image": "a/b.jpg",
        "width": 640,
        "height": 480,
        "detections": [
            {"box": [1.0, 2.0, 3.5, 4.0], "score": 0.98765, "class": "Füße [b]", "class_id": 1},
            {"box": [0.0, 0.0, 0.001, 9.0], "score": 0.05, "class": "cat", "class_id": 7},
        ],
    }


def test_nothing_found_is_an_empty_list() -> None:
    line = encode_record(Record("a.jpg", (1, 2), none()), CLASSES)
    assert line == ('{"schema": "focalcli.detections/1", "image": "a.jpg", "width": 2, "height": 1, "detections": []}')


def test_an_error_stands_in_the_place_of_detections() -> None:
    line = encode_record(Record("a.jpg", None, DataError("a.jpg", "is empty", "remove it")), CLASSES)
    assert json.loads(line) == {
        "schema": "focalcli.detections/1",
        "image": "a.jpg",
        "error": "a.jpg: is empty, remove it",
        "code": "data",
    }


@pytest.mark.parametrize("name", ["new\nline", 'quote"', "ESC\x1b[31m", "bad\udcff", "naïve 日本", ""])
def test_any_name_gives_one_ascii_line_and_comes_back(name: str) -> None:
    line = encode_record(Record(name, (1, 1), none()), CLASSES)
    assert line.isascii() and "\n" not in line and "\x1b" not in line
    assert decode_record(line, "x").image == name


def test_records_come_back_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    bad = Record("b.jpg", None, DataError("b.jpg", "is empty"))
    path.write_text("\n".join(encode_record(r, CLASSES) for r in [Record("a.jpg", (3, 4), some()), bad]) + "\n\n")
    first, second = read_records(path)
    assert (first.image, first.width, first.height, first.error) == ("a.jpg", 4, 3, None)
    assert first.detections is not None and first.detections[0].name == "Füße [b]"
    assert first.detections[1].box == [0, 0, 0.001, 9]
    assert second.detections is None and second.error == "b.jpg: is empty"


def test_an_empty_file_holds_no_records(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").touch()
    assert list(read_records(tmp_path / "d.jsonl")) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"schema": "focalcli.detections/1", "ima', "not a detection record"),
        ("[]", "not a detection record"),
        ("[" * 100_000, "not a detection record"),
        ('{"schema": "other/1", "image": "a", "detections": []}', "its schema is 'other/1'"),
        ('{"schema": "focalcli.detections/1", "image": "a"}', "neither detections nor an error"),
        ('{"schema": "focalcli.detections/1", "image": "a", "detections": [{"box": [1, 2, 3]}]}', "length >= 4"),
    ],
)
def test_a_bad_line_is_named(line: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text('{"schema": "focalcli.detections/1", "image": "a", "detections": []}\n' + line)
    with pytest.raises(DataError, match=r"d\.jsonl: line 2: ") as caught:
        list(read_records(path))
    assert words in str(caught.value)


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound):
        list(read_records(tmp_path / "none.jsonl"))
