"""YOLO as Ultralytics reads it: every trap of the conformance table, with the boxes worked out by hand.

Photos are 200 x 100, so `.5 .5 .2 .4` is 80..120 by 30..70.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from focalcli.dataset.convert import convert
from focalcli.dataset.format import Confidence
from focalcli.dataset.formats import yolo
from focalcli.dataset.peek import Peek
from focalcli.dataset.read import read_dataset
from focalcli.dataset.types import Flag
from focalcli.errors import DataError, UsageError

BOX = (80.0, 30.0, 120.0, 70.0)


def small(folder: Any, label: str | bytes | None, *, names: str = "[cat, dog]", photo: str = "a.jpg") -> Path:
    """Write one photo, its label file and `data.yaml`; give the folder."""
    folder.photo(f"images/train/{photo}")
    if label is not None:
        folder.text(f"labels/train/{Path(photo).stem}.txt", label)
    folder.text("data.yaml", f"train: images/train\nval: images/train\nnames: {names}\n")
    return folder.path


Read = Callable[..., list[Any]]


@pytest.fixture
def read(folder: Any, rows: Any) -> Read:
    """Read a small data set made with these arguments; give its rows."""
    return lambda *args, **named: rows(read_dataset(small(folder, *args, **named)))


def test_a_row_is_a_centre_and_a_size_in_fractions(read: Read) -> None:
    assert read("1 0.5 0.5 0.2 0.4\n") == [("a.jpg", "dog", BOX)]


@pytest.mark.parametrize(
    "label",
    [
        b"\xef\xbb\xbf1 0.5 0.5 0.2 0.4\n",
        b"1 0.5 0.5 0.2 0.4\r\n",
        b"\n\n1 0.5 0.5 0.2 0.4\n\n",
        b"1.0 0.5 0.5 0.2 0.4",
        b"  1\t0.5  0.5 0.2 0.4  \n",
        b"1 5e-1 .5 2e-1 .4\n",
        "1 0.5 0.5 0.2 0.4\n".encode("utf-16"),
    ],
    ids=["byte order mark", "CRLF", "blank lines", "class 1.0", "white space", "exponents", "UTF-16"],
)
def test_all_ways_to_write_one_row_read_the_same(read: Read, label: bytes) -> None:
    assert read(label) == [("a.jpg", "dog", BOX)]


def test_a_sixth_column_is_a_score(folder: Any) -> None:
    dataset = read_dataset(small(folder, "0 0.5 0.5 0.2 0.4 0.875\n1 0.5 0.5 0.2 0.4\n"))
    assert dataset.boxes.score is not None
    assert dataset.boxes.score[0] == 0.875 and np.isnan(dataset.boxes.score[1])


def test_a_polygon_gives_its_bounds(folder: Any, rows: Any) -> None:
    """x from .4 to .6 of 200 and y from .3 to .7 of 100; boxes and polygons may share a file."""
    dataset = read_dataset(small(folder, "0 0.4 0.3 0.6 0.5 0.5 0.7\n1 0.5 0.5 0.2 0.4\n"))
    assert rows(dataset) == [("a.jpg", "cat", BOX), ("a.jpg", "dog", BOX)]
    assert dataset.boxes.flags.tolist() == [Flag.FROM_POLYGON, 0]


def test_four_corners_of_a_turned_box_give_their_bounds(read: Read) -> None:
    assert read("0 0.5 0.3 0.6 0.5 0.5 0.7 0.4 0.5\n") == [("a.jpg", "cat", BOX)]


def test_a_pose_row_keeps_its_box(folder: Any, rows: Any) -> None:
    """With kpt_shape [2, 3] a row has 5 + 6 numbers; they are no polygon."""
    path = small(folder, "0 0.5 0.5 0.2 0.4 0.1 0.1 2 0.9 0.9 2\n")
    folder.text("data.yaml", "train: images/train\nval: images/train\nkpt_shape: [2, 3]\nnames: [cat]\n")
    assert rows(read_dataset(path)) == [("a.jpg", "cat", BOX)]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("{1: dog, 0: cat}", ["cat", "dog"]),
        ('{"0": cat, "1": dog}', ["cat", "dog"]),
        ("[no, yes]", ["no", "yes"]),
        ("[007, 1.10]", ["007", "1.10"]),
        ("\n- Katze\n- 狗\n", ["Katze", "狗"]),
    ],
    ids=["mapping out of order", "text keys", "words YAML takes for booleans", "numbers stay text", "unicode"],
)
def test_names_keep_index_and_spelling(folder: Any, names: str, expected: list[str]) -> None:
    dataset = read_dataset(small(folder, "1 0.5 0.5 0.2 0.4\n", names=names))
    assert [category.name for category in dataset.categories] == expected
    assert dataset.categories[int(dataset.boxes.category[0])].name == expected[1]


def test_text_keys_sort_as_numbers(folder: Any) -> None:
    """c2 comes before c10, whatever order the text keys are in."""
    names = "{" + ", ".join(f'"{i}": c{i}' for i in sorted(range(12), key=str)) + "}"
    dataset = read_dataset(small(folder, "2 0.5 0.5 0.2 0.4\n", names=names))
    assert dataset.categories[int(dataset.boxes.category[0])].name == "c2"


def test_classes_without_objects_stay(folder: Any) -> None:
    dataset = read_dataset(small(folder, ""))
    assert [(c.name, c.source_id) for c in dataset.categories] == [("cat", 0), ("dog", 1)]


def test_nc_alone_names_the_classes(folder: Any) -> None:
    path = small(folder, "1 0.5 0.5 0.2 0.4\n")
    folder.text("data.yaml", "train: images/train\nval: images/train\nnc: 2\n")
    assert [category.name for category in read_dataset(path).categories] == ["class_0", "class_1"]


def test_an_empty_file_is_a_negative_and_no_file_is_unlabelled(folder: Any) -> None:
    folder.photo("images/train/nobody.png")
    dataset = read_dataset(small(folder, ""))
    assert [(image.key, image.labelled) for image in dataset.images] == [("a.jpg", True), ("nobody.png", False)]
    assert len(dataset.boxes) == 0


def test_fractions_are_of_the_photo_turned_upright(folder: Any, rows: Any) -> None:
    """Stored 200 x 100 with orientation 6, seen 100 x 200: .5 .5 .2 .4 is 40..60 by 60..140."""
    path = small(folder, "0 0.5 0.5 0.2 0.4\n")
    folder.photo("images/train/a.jpg", (200, 100), orientation=6)
    dataset = read_dataset(path)
    assert (dataset.images[0].width, dataset.images[0].height) == (100, 200)
    assert rows(dataset) == [("a.jpg", "cat", (40.0, 60.0, 60.0, 140.0))]


@pytest.mark.parametrize("photo", ["x.JPG", "a.b.c.jpg", "mit Leerzeichen.jpeg", "ünï.png"])
def test_any_photo_name_finds_its_label_file(read: Read, photo: str) -> None:
    assert read("0 0.5 0.5 0.2 0.4\n", photo=photo) == [(photo, "cat", BOX)]


def test_only_the_last_images_folder_becomes_labels(folder: Any, rows: Any) -> None:
    folder.photo("images/train/images/a.jpg")
    folder.text("images/train/labels/a.txt", "0 0.5 0.5 0.2 0.4\n")
    folder.text("data.yaml", "train: images/train\nval: images/train\nnames: [cat]\n")
    assert rows(read_dataset(folder.path)) == [("images/a.jpg", "cat", BOX)]


def test_roboflow_entries_that_climb_out_are_found_inside(folder: Any) -> None:
    for split in ("train", "valid"):
        folder.photo(f"{split}/images/{split}.jpg")
        folder.text(f"{split}/labels/{split}.txt", "0 0.5 0.5 0.2 0.4\n")
    folder.text(
        "data.yaml", "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnc: 1\nnames: ['cat']\n"
    )
    dataset = read_dataset(folder.path)
    assert [(image.key, image.split) for image in dataset.images] == [("train.jpg", "train"), ("valid.jpg", "val")]


def test_a_split_may_be_a_list_of_photos(folder: Any) -> None:
    for name in ("a", "b"):
        folder.photo(f"images/train/{name}.jpg")
        folder.text(f"labels/train/{name}.txt", "0 0.5 0.5 0.2 0.4\n")
    folder.text("train.txt", "./images/train/b.jpg\n\n./images/train/a.jpg\n")
    folder.text("data.yaml", "path: .\ntrain: train.txt\nvalidation: [images/train]\nnames: [cat]\n")
    assert [image.key for image in read_dataset(folder.path, split="train").images] == ["b.jpg", "a.jpg"]
    assert [image.key for image in read_dataset(folder.path, split="val").images] == ["a.jpg", "b.jpg"]


def test_one_folder_for_train_and_val_counts_once(folder: Any) -> None:
    dataset = read_dataset(small(folder, "0 0.5 0.5 0.2 0.4\n"))
    assert [(image.key, image.split) for image in dataset.images] == [("a.jpg", "train")]
    assert dataset.findings == ()


def test_without_a_yaml_file_folders_give_splits_and_classes_txt_names(folder: Any, rows: Any) -> None:
    for split in ("train", "val"):
        folder.photo(f"images/{split}/{split}.jpg")
        folder.text(f"labels/{split}/{split}.txt", "1 0.5 0.5 0.2 0.4\n")
    folder.text("classes.txt", "cat\ndog\n")
    dataset = read_dataset(folder.path)
    assert dataset.splits == ("train", "val")
    assert rows(dataset) == [("train.jpg", "dog", BOX), ("val.jpg", "dog", BOX)]


@pytest.mark.parametrize(
    ("label", "place", "fact"),
    [
        ("2 0.5 0.5 0.2 0.4\n", "line 1", "class 2, but data.yaml names 2 classes"),
        ("0 0.5 0.5 0.2 0.4\n-1 0.5 0.5 0.2 0.4\n", "line 2", "-1 is not a class index"),
        ("1.5 0.5 0.5 0.2 0.4\n", "line 1", "1.5 is not a class index"),
        ("cat 0.5 0.5 0.2 0.4\n", "line 1", "is not a row of numbers"),
        ("0 0.5 0.5 0.2\n", "line 1", "has 4 numbers, neither a box nor a polygon"),
        ("0 100 50 40 40\n", "line 1", "has pixels instead of fractions of the photo"),
        ("0 nan 0.5 0.2 0.4\n", "line 1", "a coordinate is not a finite number"),
    ],
)
def test_a_wrong_row_is_one_line_with_its_place(folder: Any, label: str, place: str, fact: str) -> None:
    with pytest.raises(DataError) as caught:
        read_dataset(small(folder, label))
    assert str(caught.value).startswith(f"labels/train/a.txt: {place}: ") and fact in str(caught.value)


def test_a_box_over_the_border_is_clipped_and_counted(folder: Any, rows: Any) -> None:
    """Centre .95 and width .2 of 200 px reach 210."""
    dataset = read_dataset(small(folder, "0 0.95 0.5 0.2 0.4\n"))
    assert rows(dataset) == [("a.jpg", "cat", (170.0, 30.0, 200.0, 70.0))]
    assert [(found.code, found.place, found.count) for found in dataset.findings] == [
        ("W101", "labels/train/a.txt: line 1", 1)
    ]


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        ("train: images/train\nnames: {0: cat, 2: dog}\n", "the keys of names are not 0 to 1"),
        ("train: images/train\nnames: {cat: 0}\n", "a key of names is not a number"),
        ("train: images/train\nnc: 3\nnames: [cat]\n", "nc is 3, but names has 1 entries"),
        ("names: [cat]\nnc: 1\n", "names no split"),
        ("- train\n", "is not a mapping of keys"),
        ("train: images/train\nnames: cat\n", "names is neither a list nor a mapping"),
    ],
)
def test_a_wrong_yaml_file_is_one_line(folder: Any, content: str, fact: str) -> None:
    small(folder, "")
    with pytest.raises(DataError, match=r"^data\.yaml: ") as caught:
        read_dataset(folder.text("data.yaml", content), format="yolo")
    assert fact in str(caught.value)


def test_an_entry_outside_the_data_set_is_refused_until_images_allows_it(folder: Any, tmp_path: Path) -> None:
    (tmp_path / "photos" / "images").mkdir(parents=True)
    folder.photo("../photos/images/a.jpg")
    folder.text("data.yaml", f"path: {tmp_path}/photos\ntrain: images\nval: images\nnames: [cat]\n")
    with pytest.raises(DataError, match="outside the data set, add --images"):
        read_dataset(folder.path)
    assert len(read_dataset(folder.path, images=tmp_path / "photos").images) == 1


def test_an_unknown_split_names_those_that_exist(folder: Any) -> None:
    with pytest.raises(UsageError, match="there is no split 'test', it has train"):
        read_dataset(small(folder, ""), split="test")


def test_it_is_recognised_by_its_yaml_file_before_its_folders(folder: Any) -> None:
    path = small(folder, "0 0.5 0.5 0.2 0.4\n")
    assert yolo.sniff(Peek(path)) == (Confidence.CONTENT, "data.yaml has the keys names, train, val")
    (path / "data.yaml").unlink()
    assert yolo.sniff(Peek(path)) == (Confidence.LAYOUT, "it has labels/train/a.txt and images/train/a.jpg")


def test_a_yaml_file_of_another_program_is_none_of_ours(folder: Any) -> None:
    folder.text("docker-compose.yaml", "services:\n  names: x\n")
    assert yolo.sniff(Peek(folder.path)) is None


# Writing


def written(folder: Any, tmp_path: Path, boxes: list[list[float]], size: tuple[int, int]) -> str:
    """Convert one COCO image with these x, y, width, height boxes; give its label file."""
    image = {"id": 1, "file_name": "a.jpg", "width": size[0], "height": size[1]}
    annotations = [{"id": i, "image_id": 1, "category_id": 7, "bbox": box} for i, box in enumerate(boxes, 1)]
    path = folder.json(
        "c.json", {"images": [image], "annotations": annotations, "categories": [{"id": 7, "name": "x"}]}
    )
    convert(read_dataset(path), tmp_path / "out", to="yolo")
    return (tmp_path / "out/labels/a.txt").read_text()


def test_ids_become_dense_indices_and_numbers_have_six_decimals(folder: Any, tmp_path: Path) -> None:
    assert written(folder, tmp_path, [[80, 30, 40, 40]], (200, 100)) == "0 0.500000 0.500000 0.200000 0.400000\n"


def test_no_written_box_leaves_the_photo_when_read_back(folder: Any, tmp_path: Path) -> None:
    """Boxes that touch the right and lower border on sizes that divide badly: x + w/2 must stay at most 1."""
    rng = np.random.default_rng(3)
    x = rng.uniform(0, 300, 500).round(2)
    text = written(folder, tmp_path, [[v, v / 2, 317 - v, 211 - v / 2] for v in x], (317, 211))
    for line in text.splitlines():
        _, cx, cy, w, h = map(float, line.split())
        assert cx + w / 2 <= 1 and cy + h / 2 <= 1 and cx - w / 2 >= 0 and cy - h / 2 >= 0


def test_a_box_far_under_a_millionth_at_the_border_keeps_one(folder: Any, tmp_path: Path) -> None:
    text = written(folder, tmp_path, [[299.9999, 0, 0.0001, 1e-9]], (300, 300))
    assert text == "0 0.999999 0.000001 0.000001 0.000001\n"


def test_data_yaml_always_has_train_and_val_and_no_path(folder: Any, tmp_path: Path) -> None:
    written(folder, tmp_path, [], (10, 10))
    assert yaml.safe_load((tmp_path / "out/data.yaml").read_text()) == {
        "train": "images",
        "val": "images",
        "names": {0: "x"},
    }


def test_names_that_yaml_would_bend_come_back_as_text(folder: Any, tmp_path: Path) -> None:
    path = small(folder, "1 0.5 0.5 0.2 0.4\n", names='[no, "007", "a: b", "\'q\'", "#h"]')
    convert(read_dataset(path), tmp_path / "out", to="yolo")
    names = yaml.safe_load((tmp_path / "out/data.yaml").read_text())["names"]
    assert names == {0: "no", 1: "007", 2: "a: b", 3: "'q'", 4: "#h"}
