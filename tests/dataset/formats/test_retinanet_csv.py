"""keras-retinanet CSV: no header, whole pixels, `path,,,,,` for an image without objects."""

import pytest

from focalcli.dataset.convert import convert
from focalcli.dataset.read import read_dataset
from focalcli.dataset.recognise import candidates
from focalcli.errors import DataError

README = "imgs/img_001.png,837,346,981,456,cow\nimgs/img_002.png,215,312,279,391,cat\nimgs/img_003.png,,,,,\n"
PHOTOS = {f"imgs/img_00{i}.png": (1000, 500) for i in (1, 2, 3)}


def test_the_example_of_the_keras_retinanet_readme(tree, told):
    """Numbers are edges: no shift; paths are relative to the CSV, `img_003` is a verified negative."""
    root = tree({"annotations.csv": README, "classes.csv": "cow,0\ncat,1\nbird,2\n", **PHOTOS})
    dataset = read_dataset(root)
    assert told(dataset) == {
        "imgs/img_001.png": [("cow", 837, 346, 981, 456)],
        "imgs/img_002.png": [("cat", 215, 312, 279, 391)],
        "imgs/img_003.png": [],
    }
    assert [(c.name, c.source_id) for c in dataset.categories] == [("cow", 0), ("cat", 1), ("bird", 2)]
    assert all(image.labelled and image.path for image in dataset.images)
    assert told(read_dataset(root / "annotations.csv")) == told(dataset)


def test_classes_are_ordered_by_id_else_as_first_seen(tree):
    root = tree({"a.csv": README, "classes.csv": "cow,5\ncat,2\n", **PHOTOS})
    assert [(c.name, c.source_id) for c in read_dataset(root).categories] == [("cat", 2), ("cow", 5)]
    (root / "classes.csv").unlink()
    assert [c.name for c in read_dataset(root).categories] == ["cow", "cat"]


def test_the_absolute_paths_of_the_readme_are_found_below_images(tree, told):
    root = tree({"imgs/a.png": (9, 9), "csv/a.csv": ""})
    (root / "csv/a.csv").write_text(f"{root}/imgs/a.png,1,2,3,4,cow\n")
    assert told(read_dataset(root / "csv", images=root / "imgs")) == {"a.png": [("cow", 1, 2, 3, 4)]}
    with pytest.raises(DataError, match=r"csv: line 1: the image name .* is an absolute path"):
        read_dataset(root / "csv")


def test_fractions_and_a_header_are_read_though_keras_retinanet_refuses_them(tree, told):
    root = tree({"a.csv": "path,x1,y1,x2,y2,class\na.png,1.5,2,3.25,4,cow\n", "a.png": (9, 9)})
    assert told(read_dataset(root)) == {"a.png": [("cow", 1.5, 2, 3.25, 4)]}


def test_the_example_of_roboflow_is_inverted_and_swapped(tree, told, codes):
    """`2694,1211,353,353` has x2 < x1 and y2 < y1: the box is between the same edges, and a finding says so."""
    dataset = read_dataset(tree({"a.csv": "a.png,2694,1211,353,353,cow\n", "a.png": (3000, 2000)}))
    assert told(dataset) == {"a.png": [("cow", 353, 353, 2694, 1211)]}
    assert codes(dataset) == {"E007": 1}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"a.csv": "a.png,1,2,3,4,dog\n", "classes.csv": "cow,0\n"},
            "a.csv: line 1: the class 'dog' is not in the list",
        ),
        ({"a.csv": "a.png,1,2,3,4,\n"}, "a.csv: line 1: has no class name"),
        ({"a.csv": "a.png,1,2,,4,cow\n"}, "a.csv: line 1: ['1', '2', '', '4'] are not four numbers"),
        ({"a.csv": "a.png,1,2,3,4,cow\n", "classes.csv": "cow,0\nox,0\n"}, "classes.csv: names a class or an id twice"),
        ({"a.csv": "a.png,1,2,3,4,cow\n", "notes.csv": "a,b\n"}, "notes.csv: is neither rows of boxes nor of classes"),
        ({"a.csv": "../a.png,1,2,3,4,cow\n"}, "a.csv: line 1: the image name '../a.png' leads out of its folder"),
    ],
)
def test_damage_is_one_line(tree, files, message):
    with pytest.raises(DataError) as caught:
        read_dataset(tree({**files, "a.png": (9, 9)}), format="retinanet")
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_of_classes_alone_is_not_claimed(tree):
    assert candidates(tree({"classes.csv": "cow,0\ncat,1\n"})) == {}


def test_a_round_trip_keeps_all_but_fractions_of_a_pixel(round_trip, same):
    """[1.25, 2.5, 11.375, 22.5] becomes [1, 3, 11, 23]: halves go up, half a pixel is the most that moves."""
    before, after = round_trip("retinanet")
    same(before, after, within=0.5)
    assert [1.0, 3.0, 11.0, 23.0] in after.boxes.xyxy.tolist()


def test_negatives_and_classes_without_objects_survive(tree, told, tmp_path):
    root = tree({"a.csv": README, "classes.csv": "ox,0\ncow,1\ncat,2\n", **PHOTOS})
    before = read_dataset(root)
    convert(before, tmp_path / "out", to="retinanet")
    after = read_dataset(tmp_path / "out")
    assert told(after) == told(before)
    assert after.categories == before.categories
    assert (tmp_path / "out/annotations.csv").read_text().endswith("images/imgs/img_003.png,,,,,\n")


def test_a_sliver_is_written_one_pixel_wide_within_the_photo(tree, told, tmp_path):
    """0.2 px at the right edge of a 10 px photo: keras-retinanet needs x2 > x1, so it becomes 9 to 10."""
    dataset = read_dataset(tree({"a.csv": "a.png,9.8,0,10,5,cow\n", "a.png": (10, 10)}))
    convert(dataset, tmp_path / "out", to="retinanet")
    assert told(read_dataset(tmp_path / "out")) == {"a.png": [("cow", 9, 0, 10, 5)]}
