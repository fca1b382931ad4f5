"""What the builder makes of what readers hand it: keys, classes, sizes, order, findings, splits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from focalcli.dataset.builder import DatasetBuilder
from focalcli.dataset.format import FormatInfo, ReadOptions
from focalcli.dataset.source import Source
from focalcli.dataset.types import Flag
from focalcli.errors import DataError, UsageError

INFO = FormatInfo("made", "Made up", frozenset())


def builder(folder: Any, **named: Any) -> DatasetBuilder:
    options = ReadOptions(**named)
    return DatasetBuilder(Source(folder.path), INFO, options)


def test_nothing_makes_an_empty_data_set(folder: Any) -> None:
    dataset = builder(folder).finish()
    assert (len(dataset.images), len(dataset.boxes), dataset.categories, dataset.findings) == (0, 0, (), ())


def test_classes_number_from_1_in_the_order_they_are_seen(folder: Any) -> None:
    made = builder(folder)
    assert [made.category(name) for name in ("b", "a", "b")] == [0, 1, 0]
    assert [(c.name, c.source_id) for c in made.categories] == [("b", 1), ("a", 2)]


def test_two_source_ids_may_share_a_name(folder: Any) -> None:
    made = builder(folder)
    assert [made.category("a", 5), made.category("a", 9)] == [0, 1]


def test_boxes_come_out_by_image_and_else_as_they_came(folder: Any) -> None:
    made = builder(folder)
    made.category("a")
    first, second = (made.image(name, width=9, height=9) for name in ("x.jpg", "y.jpg"))
    made.box(second, 0, (0, 0, 1, 1))
    made.boxes([first, second], 0, [(0, 0, 2, 2), (0, 0, 3, 3)])
    made.box(first, 0, (0, 0, 4, 4))
    boxes = made.finish().boxes
    assert boxes.image.tolist() == [0, 0, 1, 1]
    assert boxes.xyxy[:, 2].tolist() == [2, 4, 1, 3]


def test_one_by_one_and_all_at_once_are_the_same(folder: Any) -> None:
    rows = [(0, 0, 5, 5), (1, 1, 3, 4)]
    more = {"flags": [1, 2], "area": [7.0, 8.0], "source_id": [4, 5], "line": [6, 7], "score": [None, 0.5]}
    single, bulk = builder(folder), builder(folder)
    for made in (single, bulk):
        made.category("a")
        made.image("x.jpg", width=9, height=9)
    for i, row in enumerate(rows):
        single.box(0, 0, row, **{name: values[i] for name, values in more.items()})
    bulk.boxes(0, 0, rows, **more)
    for column in ("xyxy", "flags", "area", "source_id", "origin_line", "score"):
        np.testing.assert_array_equal(getattr(single.finish().boxes, column), getattr(bulk.finish().boxes, column))


def test_fractions_are_scaled_by_the_photo(folder: Any) -> None:
    made = builder(folder)
    made.category("a")
    image = made.image("x.jpg", path=folder.photo("x.jpg", (200, 100)))
    made.box(image, 0, (0.1, 0.1, 0.5, 0.5), fractions=True)
    made.box(image, 0, (1, 1, 5, 5))
    assert made.finish().boxes.xyxy.tolist() == [[20, 10, 100, 50], [1, 1, 5, 5]]


def test_a_clipped_box_has_no_more_area_than_is_left(folder: Any) -> None:
    """Its segmentation may have less, which stays."""
    made = builder(folder)
    made.category("a")
    made.image("x.jpg", width=10, height=10)
    made.boxes(0, 0, [(5, 0, 15, 10), (5, 0, 15, 10), (0, 0, 2, 2)], area=[100.0, 30.0, 3.0])
    assert made.finish().boxes.area.tolist() == [50, 30, 3]


def test_clashing_keys_go_below_their_split_else_get_a_number(folder: Any) -> None:
    made = builder(folder)
    for split in ("train", "val", None, None):
        made.image("x.jpg", width=9, height=9, split=split)
    assert [image.key for image in made.finish().images] == ["train/x.jpg", "val/x.jpg", "x-1.jpg", "x-2.jpg"]


def test_findings_of_one_fact_are_one_with_a_count_and_places(folder: Any) -> None:
    made = builder(folder)
    made.category("a")
    made.image("x.jpg", width=10, height=10)
    file = made.file(folder / "x.txt")
    made.boxes(0, 0, [(0, 0, 0, 5)] * 30, file=file, line=range(1, 31))
    (found,) = made.finish().findings
    assert (found.code, found.place, found.count) == ("E008", "x.txt: line 1", 30)
    assert found.examples == tuple(f"x.txt: line {n}" for n in range(2, 11))
    assert str(found) == "E008 x.txt: line 1: the box has no area within the photo, dropped (30 in all)"


BAD = {"out": (5, 0, 15, 10), "empty": (5, 5, 5, 9), "inverted": (9, 9, 1, 1), "nan": (float("nan"), 0, 1, 1)}


@pytest.mark.parametrize(
    ("policy", "kept"),
    [("clip", ["out", "inverted"]), ("drop", ["inverted"]), ("keep", ["out", "inverted"])],
)
def test_the_policy_for_bad_boxes(folder: Any, policy: str, kept: list[str]) -> None:
    made = builder(folder, bad_boxes=policy)
    made.category("a")
    made.image("x.jpg", width=10, height=10)
    for number, (name, box) in enumerate(BAD.items()):
        if name != "nan" or policy == "drop":
            made.box(0, 0, box, source_id=number)
    assert [list(BAD)[i] for i in made.finish().boxes.source_id] == kept


@pytest.mark.parametrize(
    ("name", "policy"), [("nan", "clip"), ("out", "error"), ("empty", "error"), ("inverted", "error")]
)
def test_the_policy_stops_at_bad_boxes(folder: Any, name: str, policy: str) -> None:
    made = builder(folder, bad_boxes=policy)
    made.category("a")
    made.image("x.jpg", width=10, height=10)
    made.box(0, 0, BAD[name], file=made.file(folder / "x.txt"), line=3)
    with pytest.raises(DataError, match=r"^x\.txt: line 3: "):
        made.finish()


def test_the_first_cause_is_the_one_that_is_told(folder: Any) -> None:
    made = builder(folder)
    made.finding("E005", "c.json: image 1", "leads out")
    made.finding("E002", "c.json: box 1", "its image is not there")
    with pytest.raises(DataError, match=r"^c\.json: image 1: leads out \(and 1 more like it\), "):
        made.finish()


def test_a_photo_without_size_and_file_is_an_error(folder: Any) -> None:
    made = builder(folder)
    made.image("x.jpg")
    with pytest.raises(DataError, match=r"^x\.jpg: has no size in the annotations and no photo to read it from"):
        made.finish()


def test_a_wanted_split_is_picked_from_images_where_the_reader_did_not(folder: Any) -> None:
    def made(wanted: str) -> list[str]:
        own = builder(folder, split=wanted)
        for name, split in (("a.jpg", "train"), ("b.jpg", "val"), ("c.jpg", None)):
            own.image(name, width=9, height=9, split=split)
        return [image.key for image in own.finish().images]

    assert made("val") == ["b.jpg"]
    with pytest.raises(UsageError, match="there is no split 'test', it has train, val"):
        made("test")


def test_flags_are_whole_numbers(folder: Any) -> None:
    made = builder(folder)
    made.category("a")
    made.image("x.jpg", width=9, height=9)
    made.box(0, 0, (0, 0, 1, 1), flags=Flag.CROWD | Flag.IGNORE)
    assert made.finish().boxes.flags.tolist() == [17]


def test_origins_are_named_relative_to_the_data_set(folder: Any, tmp_path: Path) -> None:
    made = builder(folder)
    assert [made.file(folder / "a/b.txt"), made.file(tmp_path / "c.txt"), made.file(folder / "a/b.txt")] == [0, 1, 0]
    assert made.finish().files == ("a/b.txt", str(tmp_path / "c.txt"))
