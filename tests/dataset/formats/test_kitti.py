"""KITTI: 15 or 16 fields a line, DontCare ignored, photos in the folder beside."""

import pytest

from focalcli.dataset.read import read_dataset
from focalcli.dataset.recognise import candidates, recognise
from focalcli.dataset.types import Flag
from focalcli.errors import DataError

DEVKIT = """Truck 0.00 0 -1.57 599.41 156.40 629.75 189.25 2.85 2.63 12.34 0.47 1.49 69.44 -1.56
Car 0.88 3 -0.69 0.00 192.37 402.31 374.00 1.60 1.57 3.23 -2.70 1.74 3.68 -1.29
Cyclist 0.00 1 -1.65 676.60 163.95 688.98 193.93 1.86 0.60 2.02 4.59 1.32 45.84 -1.55
DontCare -1 -1 -10 503.89 169.71 590.61 190.13 -1 -1 -1 -1000 -1000 -1000 -10
"""
FLAT = "-10 1 2 3 4 -1 -1 -1 -1000 -1000 -1000 -10"


def test_a_file_of_the_devkit(tree, told):
    """Corners stand as they are; `training` is the split; -1 is neither truncated nor occluded, 3 is unknown."""
    root = tree({"training/label_2/000001.txt": DEVKIT, "training/image_2/000001.png": (1242, 375)})
    dataset = read_dataset(root)
    assert told(dataset) == {
        "000001.png": [
            ("Truck", 599.41, 156.4, 629.75, 189.25),
            ("Car", 0, 192.37, 402.31, 374),
            ("Cyclist", 676.6, 163.95, 688.98, 193.93),
            ("DontCare", 503.89, 169.71, 590.61, 190.13),
        ]
    }
    assert dataset.splits == ("train",)
    assert dataset.boxes.flags.tolist() == [0, Flag.TRUNCATED, Flag.OCCLUDED, Flag.IGNORE]
    assert dataset.boxes.attributes[1] == {
        "alpha": -0.69,
        "dimensions": [1.6, 1.57, 3.23],
        "location": [-2.7, 1.74, 3.68],
        "rotation_y": -1.29,
        "truncation": 0.88,
        "occlusion": 3,
    }
    assert dataset.boxes.attributes[3] is None
    assert dataset.findings == () and dataset.boxes.origin_line.tolist() == [1, 2, 3, 4]


def test_the_sixteenth_field_is_a_score(tree):
    root = tree({"label_2/a.txt": f"Car 0 0 {FLAT} 0.75\n", "image_2/a.png": (9, 9)})
    dataset = read_dataset(root)
    assert dataset.boxes.score.tolist() == [0.75] and dataset.boxes.attributes is None


def test_an_empty_file_is_a_negative_and_a_photo_without_file_unlabelled(tree):
    files = {"label_2/a.txt": f"Car 0 0 {FLAT}\n", "label_2/b.txt": ""}
    root = tree({**files, **{f"image_2/{name}.png": (9, 9) for name in "abc"}})
    assert {i.key: i.labelled for i in read_dataset(root).images} == {"a.png": True, "b.png": True, "c.png": False}


def test_labels_beside_images_are_kitti_and_not_yolo(tree):
    """YOLO claims the folders, KITTI the lines: content beats layout."""
    root = tree({"labels/a.txt": f"Car 0 0 {FLAT}\n", "images/a.png": (9, 9)})
    assert recognise(root)[0] == "kitti" and set(candidates(root)) <= {"kitti", "yolo"}


def test_photos_may_be_elsewhere_and_jpg(tree):
    root = tree({"label_2/a.txt": f"Car 0 0 {FLAT}\n", "photos/a.JPG": (9, 9)})
    assert read_dataset(root, images=root / "photos").images[0].path == root / "photos/a.JPG"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Car 0 0 -10 1 2 3 4", "label_2/b.txt: line 2: is no class with 14 or 15 numbers, but has 8 fields"),
        (f"Car 0 0 {FLAT.replace('2', 'two')}", "label_2/b.txt: line 2: is no class with 14 or 15 numbers"),
        (f"Car 0 0 {FLAT.replace(' 2 ', ' nan ')}", "label_2/b.txt: line 2: a coordinate is not a finite number"),
        (f"Sitting person 0 0 {FLAT} 1", "label_2/b.txt: line 2: is no class with 14 or 15 numbers, but has 17 fields"),
    ],
)
def test_damage_is_one_line(tree, line, message):
    files = {"label_2/a.txt": f"Car 0 0 {FLAT}\n", "label_2/b.txt": f"Car 0 0 {FLAT}\n{line}\n"}
    with pytest.raises(DataError) as caught:
        read_dataset(tree({**files, "image_2/a.png": (9, 9), "image_2/b.png": (9, 9)}))
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)
