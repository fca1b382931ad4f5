"""darknet's obj.data, as CVAT exports it too, and LabelImg's classes.txt."""

import pytest

from focalcli.dataset.read import read_dataset
from focalcli.dataset.recognise import candidates
from focalcli.errors import DataError

DATA = "classes = 3\ntrain = data/train.txt\nvalid = data/valid.txt\nnames = data/obj.names\nbackup = backup/\n"
CVAT = {
    "obj.data": DATA,
    "obj.names": "cat\n\ndog\n",
    "train.txt": "data/obj_train_data/a.png\ndata/obj_train_data/sub/b.png\n",
    "valid.txt": "data/obj_valid_data/c.png\n",
    "obj_train_data/a.png": (200, 100),
    "obj_train_data/a.txt": "2 0.5 0.5 0.25 0.5\n",
    "obj_train_data/sub/b.png": (9, 9),
    "obj_valid_data/c.png": (9, 9),
    "obj_valid_data/c.txt": "",
}


def test_an_export_of_cvat(tree, told, codes):
    """Centre (100, 50), 50 x 50: from 75, 25 to 125, 75. The blank name is class 1, so that dog stays class 2."""
    root = tree(CVAT)
    dataset = read_dataset(root)
    assert told(dataset) == {"a.png": [("dog", 75, 25, 125, 75)], "sub/b.png": [], "c.png": []}
    assert [(c.name, c.source_id) for c in dataset.categories] == [("cat", 0), ("class_1", 1), ("dog", 2)]
    assert {i.key: (i.split, i.labelled) for i in dataset.images} == {
        "a.png": ("train", True),
        "sub/b.png": ("train", False),
        "c.png": ("val", True),
    }
    assert codes(dataset) == {"W122": 1} and str(dataset.findings[0]).startswith("W122 obj.names: line 2: is blank")
    assert list(candidates(root)) == ["darknet"]
    assert told(read_dataset(root / "obj.data", split="val")) == {"c.png": []}


def test_paths_of_the_machine_that_trained_lead_to_the_photos(tree, told):
    """Absolute, and relative to where darknet ran; labels for `images` in `labels`."""
    files = {
        "cfg/obj.data": "names=/home/me/darknet/cfg/obj.names\ntrain=../cfg/train.txt\n",
        "cfg/obj.names": "cat\n",
        "cfg/train.txt": "/home/me/darknet/build/x64/images/a.png\n",
        "images/a.png": (200, 100),
        "labels/a.txt": "0 0.5 0.5 0.25 0.5\n",
    }
    assert told(read_dataset(tree(files))) == {"a.png": [("cat", 75, 25, 125, 75)]}


def test_labelimg_keeps_labels_beside_photos(tree, told):
    files = {
        "classes.txt": "cat\ndog\n",
        "a.png": (200, 100),
        "a.txt": "1 0.5 0.5 0.25 0.5\n",
        "b.c.JPG": (9, 9),
    }
    root = tree(files)
    dataset = read_dataset(root)
    assert told(dataset) == {"a.png": [("dog", 75, 25, 125, 75)], "b.c.JPG": []}
    assert [i.labelled for i in dataset.images] == [True, False] and list(candidates(root)) == ["darknet"]


def test_lists_of_classes_that_differ_are_refused(tree):
    """labelImg #707: it rewrites the list in the order of each session."""
    files = {}
    for split, names in (("train", "cat\ndog\n"), ("valid", "dog\ncat\n")):
        files |= {f"{split}/classes.txt": names, f"{split}/a.png": (9, 9), f"{split}/a.txt": "1 0.5 0.5 0.2 0.2\n"}
    with pytest.raises(DataError, match=r"^valid/classes\.txt: names other classes than train/classes\.txt"):
        read_dataset(tree(files))
    dataset = read_dataset(tree({"valid/classes.txt": "cat\ndog\n"}))
    assert [(i.key, i.split) for i in dataset.images] == [("train/a.png", "train"), ("val/a.png", "val")]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"obj_train_data/a.txt": "3 0.5 0.5 0.1 0.1\n"},
            "obj_train_data/a.txt: line 1: class 3, but obj.names names 3",
        ),
        ({"obj_train_data/a.txt": "0 50 50 10 10\n"}, "obj_train_data/a.txt: line 1: has pixels instead of fractions"),
        ({"train.txt": "data/gone.png\n"}, "train.txt: line 1: there is no photo 'data/gone.png'"),
        ({"train.txt": "../../../../etc/passwd\n"}, "train.txt: line 1: there is no photo '../../../../etc/passwd'"),
        ({"obj.names": "cat\n"}, "obj.names: has 1 names, but obj.data says 3"),
        (
            {"obj.data": DATA.replace("obj.names", "gone.names")},
            "obj.data: there is no file 'data/gone.names' of names",
        ),
    ],
)
def test_damage_is_one_line(tree, files, message):
    with pytest.raises(DataError) as caught:
        read_dataset(tree({**CVAT, **files}))
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)
