"""Hugging Face imagefolder: boxes as COCO's, class names in the card, nothing read outside the folder."""

import json

import pytest

from focalcli.dataset.convert import convert
from focalcli.dataset.read import read_dataset
from focalcli.dataset.recognise import candidates
from focalcli.dataset.types import Flag
from focalcli.errors import DataError

CARD = """---
license: mit
dataset_info:
  features:
  - name: image
    dtype: image
  - name: label
    dtype:
      class_label:
        names: {'0': indoor, '1': outdoor}
  - name: objects
    sequence:
    - name: bbox
      sequence: float32
      length: 4
    - name: category
      dtype:
        class_label:
          names:
            '0': no
            '1': cat
---
# A data set
"""


def lines(*photos):
    return "".join(json.dumps(photo) + "\n" for photo in photos)


def photo(name, boxes=(), key="categories", classes=(), **more):
    return {"file_name": name, **more, "objects": {"bbox": [list(box) for box in boxes], key: list(classes)}}


def test_the_example_of_the_documentation(tree, told):
    """[302, 109, 73, 52] is 302, 109 to 375, 161. Numbers without a card are their own names, and that is said."""
    root = tree(
        {"metadata.jsonl": lines(photo("0001.png", [(302, 109, 73, 52)], "categories", [0])), "0001.png": (640, 480)}
    )
    dataset = read_dataset(root)
    assert told(dataset) == {"0001.png": [("0", 302, 109, 375, 161)]}
    assert [finding.code for finding in dataset.findings] == ["W122"]


def test_names_come_from_the_objects_of_the_card(tree, told):
    """Not from the label of the whole image; `no` stays a word and no truth value."""
    rows = lines(photo("a.png", [(1, 2, 3, 4), (0, 0, 2, 2)], "category", [1, 0]), photo("b.png", key="category"))
    root = tree({"train/metadata.jsonl": rows, "train/a.png": (9, 9), "train/b.png": (9, 9), "README.md": CARD})
    dataset = read_dataset(root)
    assert told(dataset) == {"a.png": [("cat", 1, 2, 4, 6), ("no", 0, 0, 2, 2)], "b.png": []}
    assert [(c.name, c.source_id) for c in dataset.categories] == [("no", 0), ("cat", 1)]
    assert dataset.splits == ("train",) and dataset.findings == ()


def test_names_may_stand_in_the_lines_and_objects_be_a_list(tree, told):
    entry = {
        "file_name": "a.png",
        "objects": [{"bbox": [1, 2, 3, 4], "label": "cat", "iscrowd": 1, "area": 7.5, "id": 9}],
    }
    dataset = read_dataset(tree({"metadata.jsonl": lines(entry), "a.png": (9, 9)}))
    assert told(dataset) == {"a.png": [("cat", 1, 2, 4, 6)]}
    assert (dataset.boxes.flags[0], dataset.boxes.area[0], dataset.boxes.source_id[0]) == (Flag.CROWD, 7.5, 9)


def test_splits_are_folders_also_below_one_file(tree):
    rows = lines(photo("train/a.png"), photo("validation/b.png"))
    dataset = read_dataset(tree({"metadata.jsonl": rows, "train/a.png": (9, 9), "validation/b.png": (9, 9)}))
    assert {image.key: image.split for image in dataset.images} == {"a.png": "train", "b.png": "val"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (lines(photo("../../etc/passwd")), "metadata.jsonl: line 1: the image name '../../etc/passwd' leads out"),
        (
            lines(photo("a.png"), photo("a.png", [(1, 1, 1, 1)])),
            "metadata.jsonl: line 2: the columns of objects differ",
        ),
        (lines(photo("a.png"))[:-3] + "\n", "metadata.jsonl: line 1: is not JSON"),
        (lines(photo("a.png", [(1, 1, 1)], classes=["x"])), "metadata.jsonl: line 1: has not the shape of its format"),
        (lines(photo("a.png", [(1, 1, 1, 1)], "kind", [1])), "metadata.jsonl: line 1: has no class"),
    ],
)
def test_damage_is_one_line(tree, text, message):
    with pytest.raises(DataError) as caught:
        read_dataset(tree({"metadata.jsonl": text, "a.png": (9, 9)}), format="hf")
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_a_number_the_card_does_not_name_is_an_error(tree):
    root = tree(
        {"metadata.jsonl": lines(photo("a.png", [(1, 1, 1, 1)], classes=[2])), "a.png": (9, 9), "README.md": CARD}
    )
    with pytest.raises(DataError, match=r"line 1: class 2, but README\.md names 2 classes"):
        read_dataset(root)


def test_a_card_with_aliases_is_not_walked(tree, codes):
    """Ten levels of ten aliases would be ten thousand million names."""
    bomb = (
        "---\na0: &a0 [x]\n"
        + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10))
        + "---\n"
    )
    root = tree(
        {"metadata.jsonl": lines(photo("a.png", [(1, 1, 1, 1)], classes=["x"])), "a.png": (9, 9), "README.md": bomb}
    )
    assert codes(read_dataset(root)) == {"W122": 1}


def test_lines_without_objects_are_another_task(tree):
    assert candidates(tree({"metadata.jsonl": lines({"file_name": "a.png", "text": "a cat"})})) == {}


def test_a_round_trip_keeps_boxes_ids_and_classes(round_trip, same):
    before, after = round_trip("hf")
    same(before, after, within=2e-9)
    assert sorted(after.boxes.source_id.tolist()) == sorted(before.boxes.source_id.tolist())
    assert [c.name for c in after.categories] == [c.name for c in before.categories]


def test_every_line_has_the_same_keys(tree, tmp_path):
    """A table has the same columns in every row, also of a photo without objects."""
    root = tree(
        {
            "metadata.jsonl": lines(photo("a.png", [(1, 2, 3, 4)], classes=["x"]), photo("b.png")),
            "a.png": (9, 9),
            "b.png": (9, 9),
        }
    )
    convert(read_dataset(root), tmp_path / "out", to="hf")
    written = [json.loads(line) for line in (tmp_path / "out/metadata.jsonl").read_text().splitlines()]
    assert [entry["file_name"] for entry in written] == ["a.png", "b.png"]
    assert written[0]["objects"] == {"bbox": [[1, 2, 3, 4]], "categories": [0], "area": [12], "iscrowd": [0]}
    assert written[1]["objects"] == {"bbox": [], "categories": [], "area": [], "iscrowd": []}


def test_a_single_file_names_its_classes_itself(tree, told, tmp_path):
    root = tree({"metadata.jsonl": lines(photo("a.png", [(1, 2, 3, 4)], classes=["x"])), "a.png": (9, 9)})
    convert(read_dataset(root), tmp_path / "out.jsonl", to="hf")
    assert told(read_dataset(tmp_path / "out.jsonl", images=root)) == {"a.png": [("x", 1, 2, 4, 6)]}
