"""Open Images: XMin, XMax, YMin, YMax, names without suffix, codes for classes, a part of the photos."""

import pytest

from focalcli.dataset.read import read_dataset
from focalcli.dataset.types import Flag
from focalcli.errors import DataError

HEADER = (
    "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside\n"
)
ROW = "000026e7ee790996,xclick,/m/07j7r,1,0.1,0.25,0.2,0.6,0,0,0,0,0\n"
PHOTO = {"train/000026e7ee790996.jpg": (200, 100)}
FILE = "oidv6-train-annotations-bbox.csv"


def test_corners_come_as_x_x_y_y(tree, told):
    """0.1 and 0.25 of 200 are 20 and 50, 0.2 and 0.6 of 100 are 20 and 60."""
    root = tree({FILE: HEADER + ROW, "class-descriptions-boxable.csv": "/m/0c9ph5,Flower\n/m/07j7r,Tree\n", **PHOTO})
    dataset = read_dataset(root)
    assert told(dataset) == {"000026e7ee790996.jpg": [("Tree", 20, 20, 50, 60)]}
    assert [category.name for category in dataset.categories] == ["Flower", "Tree"]
    assert dataset.images[0].source_id == "000026e7ee790996" and dataset.splits == ("train",)
    assert dataset.boxes.score is None and dataset.findings == ()


def test_codes_stand_where_no_file_names_them(tree, told):
    dataset = read_dataset(tree({FILE: HEADER + ROW, **PHOTO}))
    assert told(dataset) == {"000026e7ee790996.jpg": [("/m/07j7r", 20, 20, 50, 60)]}


def test_flags_are_set_by_one_and_not_by_unknown(tree):
    """IsGroupOf marks a crowd; -1 is unknown."""
    flags = ["1,0,0,0,0", "0,1,0,0,0", "0,0,1,0,0", "0,0,0,1,0", "0,0,0,0,1", "-1,-1,-1,-1,-1"]
    rows = "".join(ROW.replace("0,0,0,0,0", flag) for flag in flags)
    dataset = read_dataset(tree({FILE: HEADER + rows, **PHOTO}))
    assert dataset.boxes.flags.tolist() == [
        Flag.OCCLUDED,
        Flag.TRUNCATED,
        Flag.CROWD | Flag.GROUP,
        Flag.DEPICTION,
        Flag.INSIDE,
        0,
    ]


@pytest.mark.parametrize("delimiter", [";", "\t", ","])
def test_decimal_commas(tree, told, delimiter):
    fields = ["000026e7ee790996", "xclick", "/m/07j7r", "0,5", "0,1", "0,25", "0,2", "0,6", "0", "0", "0", "0", "0"]
    quoted = [f'"{field}"' if delimiter == "," else field for field in fields]
    text = HEADER.replace(",", delimiter) + delimiter.join(quoted) + "\n"
    dataset = read_dataset(tree({FILE: text, **PHOTO}))
    assert told(dataset) == {"000026e7ee790996.jpg": [("/m/07j7r", 20, 20, 50, 60)]}
    assert dataset.boxes.score.tolist() == [0.5]


def test_columns_are_taken_by_name(tree, told):
    text = "YMax,YMin,XMax,XMin,LabelName,ImageID,XClick1X\n0.6,0.2,0.25,0.1,/m/1,000026e7ee790996,0.3\n"
    assert told(read_dataset(tree({FILE: text, **PHOTO}))) == {"000026e7ee790996.jpg": [("/m/1", 20, 20, 50, 60)]}


def test_rows_of_photos_that_were_not_downloaded_are_counted_and_left_out(tree, told, codes):
    other = ROW.replace("000026e7ee790996", "ffff")
    dataset = read_dataset(
        tree({FILE: HEADER + other + ROW + other + ROW.replace("000026e7ee790996", "eeee"), **PHOTO})
    )
    assert len(dataset.boxes) == 1 and dataset.boxes.origin_line.tolist() == [3]
    assert codes(dataset) == {"W108": 2} and "(3 rows of 2 photos)" in dataset.findings[0].fact
    with pytest.raises(DataError, match="none of its photos is there, say where they are with --images"):
        read_dataset(tree({"val/validation-annotations-bbox.csv": HEADER + other}) / "val")


def test_splits_by_file_and_photos_by_split(tree):
    files = {FILE: HEADER + ROW, "validation-annotations-bbox.csv": HEADER + ROW, **PHOTO}
    root = tree({**files, "validation/000026e7ee790996.png": (50, 40)})
    dataset = read_dataset(root)
    assert [(i.key, i.split, i.width) for i in dataset.images] == [
        ("000026e7ee790996.jpg", "train", 200),
        ("000026e7ee790996.png", "val", 50),
    ]
    assert [i.split for i in read_dataset(root, split="val").images] == ["val"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (ROW.replace("0.25", "x"), f"{FILE}: line 2: ['0.1', '0.2', 'x', '0.6'] are not four numbers"),
        (ROW.replace("0.25", "inf"), f"{FILE}: line 2: a coordinate is not a finite number"),
        ("a,b\n", f"{FILE}: line 2: has 2 fields, not 13"),
        (
            ROW.replace("000026e7ee790996", "../../etc/passwd"),
            f"{FILE}: line 2: the image name '../../etc/passwd' leads out",
        ),
    ],
)
def test_damage_is_one_line(tree, row, message):
    with pytest.raises(DataError) as caught:
        read_dataset(tree({FILE: HEADER + row + ROW, **PHOTO}))
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)
