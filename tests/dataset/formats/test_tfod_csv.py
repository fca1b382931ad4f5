"""TensorFlow Object Detection CSV: pixels or fractions, any order of columns, one row a box."""

import pytest

from focalcli.dataset.read import read_dataset
from focalcli.dataset.recognise import candidates
from focalcli.errors import DataError, UsageError

HEADER = "filename,width,height,class,xmin,ymin,xmax,ymax\n"


def test_pixels_are_edges_as_they_stand(tree, told):
    """The raccoon set's own rows: whole numbers in the thousands of the photo, no shift."""
    root = tree({"train_labels.csv": HEADER + "r-1.png,650,417,raccoon,81,88,522,408\n", "images/r-1.png": (650, 417)})
    dataset = read_dataset(root)
    assert told(dataset) == {"r-1.png": [("raccoon", 81, 88, 522, 408)]}
    assert dataset.splits == ("train",)
    assert "pixels because one is 522" in dataset.info["read_as"]


def test_fractions_are_scaled_by_the_photo(tree, told):
    """0.25 x 200 = 50, 0.5 x 100 = 50, 1.0 x 200 = 200, 0.75 x 100 = 75."""
    root = tree({"a.csv": HEADER + "a.png,200,100,cat,0.25,0.5,1.0,0.75\n", "a.png": (200, 100)})
    dataset = read_dataset(root)
    assert told(dataset) == {"a.png": [("cat", 50, 50, 200, 75)]}
    assert "fractions of the photo because none is over 1" in dataset.info["read_as"]


def test_one_convention_holds_for_all_files(tree, told):
    """A split whose only box is in the first pixel stays in pixels when another split shows pixels."""
    root = tree(
        {
            "train.csv": HEADER + "a.png,200,100,cat,10,20,30,40\n",
            "val.csv": HEADER + "b.png,20,10,cat,0,0,0.5,1\n",
            "images/a.png": (200, 100),
            "images/b.png": (20, 10),
        }
    )
    assert told(read_dataset(root)) == {"a.png": [("cat", 10, 20, 30, 40)], "b.png": [("cat", 0, 0, 0.5, 1)]}


def test_whole_numbers_up_to_one_are_pixels(tree, told):
    root = tree({"a.csv": HEADER + "a.png,200,100,cat,0,0,1,1\n", "a.png": (200, 100)})
    assert told(read_dataset(root)) == {"a.png": [("cat", 0, 0, 1, 1)]}


def test_columns_come_in_any_order_and_sizes_may_be_missing(tree, told):
    root = tree({"a.csv": "Class,XMin,YMin,XMax,YMax,Filename\ncat,1,2,3,4,a.png\n", "a.png": (9, 8)})
    dataset = read_dataset(root)
    assert told(dataset) == {"a.png": [("cat", 1, 2, 3, 4)]}
    assert (dataset.images[0].width, dataset.images[0].height) == (9, 8)


def test_rows_of_one_image_need_not_be_neighbours(tree, told):
    rows = "b.png,9,9,x,1,1,2,2\na.png,9,9,y,1,1,3,3\nb.png,9,9,y,2,2,4,4\n"
    dataset = read_dataset(tree({"a.csv": HEADER + rows, "a.png": (9, 9), "b.png": (9, 9)}))
    assert told(dataset) == {"b.png": [("x", 1, 1, 2, 2), ("y", 2, 2, 4, 4)], "a.png": [("y", 1, 1, 3, 3)]}
    assert [category.name for category in dataset.categories] == ["x", "y"]
    assert dataset.boxes.origin_line.tolist() == [2, 4, 3]


def test_quotes_line_breaks_and_marks_are_csv(tree, told):
    """RFC 4180: doubled quotes, commas in fields, CRLF, a byte order mark."""
    text = "\ufeff" + HEADER.strip() + '\r\n"a, b.png",9,9,"the ""x""",1,1,2,2\r\n'
    dataset = read_dataset(tree({"a.csv": text, "a, b.png": (9, 9)}))
    assert told(dataset) == {"a, b.png": [('the "x"', 1, 1, 2, 2)]}


def test_roboflow_keeps_a_file_beside_the_photos_of_every_split(tree, told):
    root = tree(
        {
            "train/_annotations.csv": HEADER + "a.png,9,9,x,1,1,2,2\n",
            "train/a.png": (9, 9),
            "valid/_annotations.csv": HEADER + "b.png,9,9,y,1,1,2,2\n",
            "valid/b.png": (9, 9),
        }
    )
    dataset = read_dataset(root)
    assert [(image.key, image.split) for image in dataset.images] == [("a.png", "train"), ("b.png", "val")]
    only = read_dataset(root, split="val")
    assert told(only) == {"b.png": [("y", 1, 1, 2, 2)]}
    assert [category.name for category in only.categories] == ["x", "y"]
    with pytest.raises(UsageError, match="there is no split 'test', it has train, val"):
        read_dataset(root, split="test")


def test_bad_boxes_are_found_with_file_and_line(tree, codes):
    rows = "a.png,9,9,x,5,1,2,2\na.png,9,9,x,1,1,1,2\na.png,9,9,x,1,1,20,2\n"
    dataset = read_dataset(tree({"a.csv": HEADER + rows, "a.png": (9, 9)}))
    assert codes(dataset) == {"E007": 1, "E008": 1, "W101": 1}
    assert [finding.place for finding in dataset.findings] == ["a.csv: line 2", "a.csv: line 3", "a.csv: line 4"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.png,9,9,x,1,1,2\n", "a.csv: line 2: has 7 fields, not 8"),
        ("a.png,9,9,x,1,1,two,2\n", "a.csv: line 2: ['1', '1', 'two', '2'] are not four numbers"),
        ("a.png,9,9,,1,1,2,2\n", "a.csv: line 2: has no class name"),
        ("a.png,9,9,x,1,nan,2,2\n", "a.csv: line 2: a coordinate is not a finite number"),
        ("../../etc/a.png,9,9,x,1,1,2,2\n", "the image name '../../etc/a.png' leads out of its folder"),
        ("/etc/passwd,9,9,x,1,1,2,2\n", "the image name '/etc/passwd' is an absolute path"),
        ("C:\\a.png,9,9,x,1,1,2,2\n", "has a drive letter"),
        ("a\x1b[31m.png,9,9,x,1,1,2,2\n", "has control characters"),
        ('"a.png,9,9,x,1,1,2,2\n', "a.csv: line 2: is not CSV"),
        ("a.png,9,9,x\x07,1,1,2,2\n", "has control characters"),
    ],
)
def test_damage_is_one_line(tree, row, message):
    root = tree({"a.csv": HEADER + row, "a.png": (9, 9)})
    with pytest.raises(DataError) as caught:
        read_dataset(root, format="tfod")
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_names_may_climb_or_be_absolute_within_the_data_set(tree, told):
    root = tree({"csv/a.csv": HEADER + "../images/a.png,9,9,x,1,1,2,2\n", "images/a.png": (9, 9)})
    assert told(read_dataset(root)) == {"a.png": [("x", 1, 1, 2, 2)]}
    (root / "csv/a.csv").write_text(f"{HEADER}{root}/images/a.png,9,9,x,1,1,2,2\n")
    assert told(read_dataset(root)) == {"a.png": [("x", 1, 1, 2, 2)]}
    assert read_dataset(root).images[0].path is not None


def test_a_file_without_rows_is_an_empty_data_set(tree):
    dataset = read_dataset(tree({"a.csv": HEADER}))
    assert (dataset.images, dataset.categories, len(dataset.boxes)) == ((), (), 0)


def test_other_csv_files_are_not_claimed(tree):
    assert not candidates(tree({"a.csv": "filename,label\na.png,cat\n", "b.csv": "a.png,1,2,3,4,cat\n"})).get("tfod")


def test_a_round_trip_keeps_what_the_format_carries(round_trip, same):
    before, after = round_trip("tfod")
    same(before, after, within=5e-7)
    assert after.images[0].path is not None


def test_images_without_objects_need_consent(tree, tmp_path):
    from focalcli.dataset.convert import convert

    root = tree({"a.csv": HEADER + "a.png,9,9,x,1,1,2,2\nb.png,9,9,,,,,\n", "a.png": (9, 9), "b.png": (9, 9)})
    dataset = read_dataset(root)
    assert [image.key for image in dataset.images] == ["a.png", "b.png"]
    with pytest.raises(UsageError, match="images without objects are lost \\(1\\)"):
        convert(dataset, tmp_path / "out", to="tfod")


def test_boxes_in_the_first_pixel_are_not_written_as_fractions(tree, told, tmp_path):
    from focalcli.dataset.convert import convert

    root = tree({"a.csv": "filename,class,xmin,ymin,xmax,ymax\na.png,x,0.02,0.02,0.04,0.04\n", "a.png": (10, 10)})
    report = convert(read_dataset(root), tmp_path / "out.csv", to="tfod")
    assert [loss.what for loss in report.losses if "whole" in loss.what] == [
        "boxes are widened to whole pixels, as all lie in the first"
    ]
    again = read_dataset(tmp_path / "out.csv", images=root)
    assert told(again) == {"a.png": [("x", 0, 0, 1, 1)]}
