"""CreateML JSON: boxes by their centre, sizes only in the photos."""

import pytest

from focalcli.dataset.convert import convert
from focalcli.dataset.read import read_dataset
from focalcli.errors import DataError


def entry(name, *boxes, **keys):
    annotations = [
        {"label": label, "coordinates": dict(zip(("x", "y", "width", "height"), box, strict=True))}
        for label, *box in boxes
    ]
    return {keys.get("image", "image"): name, keys.get("annotations", "annotations"): annotations}


def test_boxes_are_given_by_their_centre(tree, told):
    """Centre (20, 30), 20 x 10: from 10, 25 to 30, 35; the size comes from the photo."""
    root = tree(
        {"a.json": [entry("a.png", ("cat", 20, 30, 20, 10)), entry("b.png")], "a.png": (100, 80), "b.png": (9, 8)}
    )
    dataset = read_dataset(root)
    assert told(dataset) == {"a.png": [("cat", 10, 25, 30, 35)], "b.png": []}
    assert [(i.width, i.height, i.labelled) for i in dataset.images] == [(100, 80, True), (9, 8, True)]


def test_the_keys_of_apples_first_examples_are_known(tree, told):
    first = entry("a.png", ("cat", 20, 30, 20, 10), image="imagefilename", annotations="annotation")
    assert told(read_dataset(tree({"a.json": [first], "a.png": (100, 80)}))) == {"a.png": [("cat", 10, 25, 30, 35)]}


def test_every_folder_of_a_split_has_its_file(tree, told):
    root = tree(
        {
            "train/_annotations.createml.json": [entry("a.png", ("cat", 20, 30, 20, 10))],
            "train/a.png": (100, 80),
            "valid/_annotations.createml.json": [entry("a.png", ("dog", 5, 5, 2, 2))],
            "valid/a.png": (100, 80),
        }
    )
    dataset = read_dataset(root)
    assert {image.key: image.split for image in dataset.images} == {"train/a.png": "train", "val/a.png": "val"}
    assert told(read_dataset(root, split="val")) == {"a.png": [("dog", 4, 4, 6, 6)]}


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([entry("c.png", ("x", 1, 1, 1, 1))], "c.png: has no size in the annotations and no photo to read it from"),
        ([{"image": "a.png", "annotations": [{"label": 3}]}], "a.json: has not the shape of its format"),
        ([entry("../../a.png")], "a.json: image 1: the image name '../../a.png' leads out of its folder"),
        ([entry("")], "a.json: image 1: the image name '' is empty"),
    ],
)
def test_damage_is_one_line(tree, entries, message):
    with pytest.raises(DataError) as caught:
        read_dataset(tree({"a.json": entries, "a.png": (9, 9)}), format="createml")
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_a_box_that_sticks_out_is_found_by_its_number(tree):
    """Centre (1, 30), 20 wide: from -9."""
    root = tree({"a.json": [entry("a.png", ("x", 9, 9, 2, 2), ("x", 1, 30, 20, 10))], "a.png": (100, 80)})
    [finding] = read_dataset(root).findings
    assert (finding.code, finding.place) == ("W101", "a.json: annotation 2")


def test_a_round_trip_keeps_boxes(round_trip, same):
    before, after = round_trip("createml")
    same(before, after, within=2e-9)


def test_negatives_survive_and_one_file_loses_splits(tree, told, tmp_path):
    root = tree(
        {"a.json": [entry("a.png", ("cat", 20, 30, 20, 10)), entry("b.png")], "a.png": (100, 80), "b.png": (9, 8)}
    )
    dataset = read_dataset(root)
    convert(dataset, tmp_path / "out.json", to="createml")
    assert told(read_dataset(tmp_path / "out.json", images=root)) == told(dataset)
