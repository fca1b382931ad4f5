"""The numbers of `inspect`, worked out by hand on three photos."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from focalcli.dataset.read import read_dataset
from focalcli.dataset.statistics import statistics
from focalcli.dataset.types import Dataset


@pytest.fixture
def three(folder: Any, document: Callable[..., dict[str, Any]]) -> Dataset:
    """Read a photo with three boxes, one with a crowd, one that is empty."""
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 200, "height": 100} for n in (1, 2)]
    images.append({"id": 3, "file_name": "3.jpg", "width": 50, "height": 80})
    boxes = [(1, 5, [0, 0, 31, 33]), (1, 5, [10, 10, 32, 32]), (1, 5, [50, 0, 96, 96]), (2, 6, [0, 0, 200, 100])]
    rows = [{"id": n, "image_id": i, "category_id": c, "bbox": box} for n, (i, c, box) in enumerate(boxes, 1)]
    rows[3]["iscrowd"] = 1
    return read_dataset(folder.json("a.json", document(images, rows, cat=5, dog=6, eel=7)))


def test_photos_boxes_and_classes_are_counted(three: Dataset) -> None:
    found = statistics(three)
    assert (found["images"], found["boxes"], found["empty_images"], found["unlabelled_images"]) == (3, 4, 1, 0)
    assert found["crowd_boxes"] == 1
    assert [tuple(row.values()) for row in found["classes"]] == [
        ("cat", 5, 3, 1, 0.75),
        ("dog", 6, 1, 1, 0.25),
        ("eel", 7, 0, 0, 0.0),
    ]
    assert found["imbalance"] == 3.0, "a class without objects has no ratio"


def test_coco_limits_are_by_area_and_begin_the_larger_size(three: Dataset) -> None:
    """31 x 33 = 1023 is small, 32 x 32 medium, 96 x 96 and 200 x 100 large."""
    assert statistics(three)["box_area"] == {"small": 1, "medium": 1, "large": 2}


def test_sizes_and_shapes_have_their_quantiles(three: Dataset) -> None:
    found = statistics(three)
    assert (found["box_width"]["min"], found["box_width"]["median"], found["box_width"]["max"]) == (31, 64, 200)
    assert found["box_aspect"]["max"] == 2.0
    assert found["box_relative_side"]["min"] == round(math.sqrt(1023 / 20_000), 4)
    assert found["box_relative_side"]["max"] == 1.0
    assert found["boxes_per_image"] == {
        "mean": 1.3333,
        "min": 0.0,
        "p05": 0.1,
        "p25": 0.5,
        "median": 1.0,
        "p75": 2.0,
        "p95": 2.8,
        "max": 3.0,
    }
    assert found["image_sizes"] == {"distinct": 2, "common": {"200x100": 2, "50x80": 1}}


def test_a_split_is_described_in_the_same_words(folder: Any) -> None:
    """YOLO: a labelled photo, a verified empty one, and one nobody looked at."""
    folder.text("data.yaml", "train: images/train\nval: images/val\nnames: [cat]\n")
    for name in ("train/a", "train/b", "val/c"):
        folder.photo(f"images/{name}.jpg")
    folder.text("labels/train/a.txt", "0 0.5 0.5 0.1 0.2\n")
    folder.text("labels/train/b.txt", "")
    found = statistics(read_dataset(folder.path))
    assert found["splits"].keys() == {"train", "val"}
    train, val = found["splits"]["train"], found["splits"]["val"]
    assert train.keys() == val.keys() == found.keys() - {"splits"}
    assert (train["images"], train["boxes"], train["empty_images"], train["unlabelled_images"]) == (2, 1, 1, 0)
    assert (val["images"], val["boxes"], val["empty_images"], val["unlabelled_images"]) == (1, 0, 0, 1)
    assert (train["box_width"]["max"], train["box_height"]["max"], val["box_width"]["max"]) == (20.0, 20.0, None)


def test_nothing_at_all_has_numbers_too(folder: Any, document: Callable[..., dict[str, Any]]) -> None:
    found = statistics(read_dataset(folder.json("a.json", document([], [], cat=1))))
    assert (found["images"], found["boxes"], found["imbalance"]) == (0, 0, None)
    assert set(found["box_width"].values()) == {None}


@pytest.mark.filterwarnings("error")
def test_a_box_of_next_to_no_height_has_a_number_for_its_shape(
    folder: Any, document: Callable[..., dict[str, Any]]
) -> None:
    """50 / 1e-308 is beyond all numbers, and JSON knows no infinity."""
    images = [{"id": 1, "file_name": "1.jpg", "width": 200, "height": 100}]
    rows = [{"id": 1, "image_id": 1, "category_id": 5, "bbox": [0, 0, 50, 1e-308]}]
    found = statistics(read_dataset(folder.json("a.json", document(images, rows, cat=5))))
    assert found["boxes"] == 1 and math.isfinite(found["box_aspect"]["max"])
