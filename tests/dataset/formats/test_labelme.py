"""LabelMe: shapes as points, parts joined by group_id, paths from Windows, megabytes of imageData skipped."""

import base64
import time

import pytest

from focalcli.dataset.convert import convert
from focalcli.dataset.read import read_dataset
from focalcli.dataset.types import Flag
from focalcli.errors import DataError


def shape(label, points, kind="rectangle", group=None, **flags):
    return {"label": label, "points": points, "group_id": group, "shape_type": kind, "flags": flags}


def file(*shapes, path="a.png", width=100, height=80, data=None):
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": list(shapes),
        "imagePath": path,
        "imageData": data,
        "imageHeight": height,
        "imageWidth": width,
    }


@pytest.mark.parametrize(
    ("kind", "points", "box"),
    [
        ("rectangle", [[10, 20], [30, 40]], (10, 20, 30, 40)),
        ("rectangle", [[30, 20], [10, 40]], (10, 20, 30, 40)),  # drawn from the top right: no finding
        ("rectangle", [[10, 20], [30, 20], [30, 40], [10, 40]], (10, 20, 30, 40)),
        ("polygon", [[10, 20], [30, 25], [15, 40.5]], (10, 20, 30, 40.5)),
        ("circle", [[50, 40], [53, 44]], (45, 35, 55, 45)),  # centre and a point of the rim: radius 5
        ("mask", [[10, 20], [29, 39]], (10, 20, 30, 40)),  # both corners are pixels of the mask
    ],
)
def test_every_shape_with_an_area_has_a_box(tree, told, kind, points, box):
    dataset = read_dataset(tree({"a.json": file(shape("cat", points, kind)), "a.png": (100, 80)}))
    assert told(dataset) == {"a.png": [("cat", *box)]}
    assert dataset.findings == ()
    assert bool(dataset.boxes.flags[0] & Flag.FROM_POLYGON) == (kind != "rectangle")


def test_a_polygon_keeps_its_outline_and_area(tree):
    """Half of 20 x 30 = 300."""
    dataset = read_dataset(
        tree({"a.json": file(shape("x", [[0, 0], [20, 0], [0, 30]], "polygon")), "a.png": (100, 80)})
    )
    assert dataset.boxes.segmentation.tolist() == [b"[[0.0,0.0,20.0,0.0,0.0,30.0]]"]
    assert dataset.boxes.area.tolist() == [300]


def test_parts_of_one_group_are_one_object_of_one_label(tree, told):
    parts = [
        shape("car", [[0, 0], [10, 0], [0, 10]], "polygon", 1),
        shape("car", [[40, 5], [50, 5], [50, 30]], "polygon", 1),
        shape("van", [[60, 60], [70, 70]], group=1),
        shape("car", [[20, 20], [30, 30]]),
        shape("car", [[20, 40], [30, 50]]),
    ]
    dataset = read_dataset(tree({"a.json": file(*parts), "a.png": (100, 80)}))
    assert told(dataset) == {
        "a.png": [("car", 0, 0, 50, 30), ("van", 60, 60, 70, 70), ("car", 20, 20, 30, 30), ("car", 20, 40, 30, 50)]
    }
    assert dataset.boxes.origin_line.tolist() == [1, 3, 4, 5]


def test_lines_and_points_have_no_box_and_are_reported(tree, codes):
    parts = [shape("x", [[0, 0], [9, 9]], "line"), shape("x", [[1, 1]], "point"), shape("x", [[1, 1]], "rectangle")]
    dataset = read_dataset(tree({"a.json": file(*parts), "a.png": (100, 80)}))
    assert codes(dataset) == {"W121": 3} and len(dataset.boxes) == 0
    assert str(dataset.findings[0]) == "W121 a.json: shape 1: a line has no box, left out"


@pytest.mark.parametrize(
    "path", ["images\\a.png", "..\\images\\a.png", "../images/a.png", "C:\\Users\\me\\a.png", "/home/me/a.png", "b.png"]
)
def test_paths_of_other_machines_lead_to_the_photo(tree, told, path):
    """Backslashes, a step up within the set; a stale path gives way to a photo of that name or stem."""
    photo = "labels/a.png" if path == "b.png" else "images/a.png"
    root = tree({"labels/a.json": file(shape("x", [[1, 1], [2, 2]]), path=path), photo: (100, 80)})
    dataset = read_dataset(root)
    assert [image.path for image in dataset.images] == [root / photo]
    assert dataset.findings == ()


@pytest.mark.parametrize("path", ["../../../etc/passwd", "/etc/passwd", "a\x1b[31m.png"])
def test_a_path_that_leads_out_is_refused(tree, path):
    with pytest.raises(DataError, match=r"^b\.json: the image name '.*' (leads out|is an absolute|has control)"):
        read_dataset(tree({"b.json": file(shape("x", [[1, 1], [2, 2]]), path=path)}))


def test_a_file_without_shapes_is_a_negative_and_a_photo_without_file_unlabelled(tree):
    dataset = read_dataset(tree({"a.json": file(), "a.png": (100, 80), "b.png": (100, 80)}))
    assert [(image.key, image.labelled) for image in dataset.images] == [("a.png", True), ("b.png", False)]


def test_image_data_is_skipped_not_decoded(tree):
    """30 MB of base64 that is not even valid: read at once, and nothing of it kept."""
    data = base64.b64encode(b"x" * 24).decode() * 1_000_000 + "!"
    root = tree({"a.json": file(shape("x", [[1, 1], [2, 2]]), data=data), "a.png": (100, 80)})
    start = time.process_time()
    assert len(read_dataset(root).boxes) == 1
    assert time.process_time() - start < 5


def test_flags_are_read_and_written(tree, told, tmp_path):
    marked = shape("x", [[1, 1], [20, 20]], difficult=True, occluded=True, iscrowd=False)
    dataset = read_dataset(tree({"a.json": file(marked), "a.png": (100, 80)}))
    assert dataset.boxes.flags.tolist() == [Flag.DIFFICULT | Flag.OCCLUDED]
    convert(dataset, tmp_path / "out", to="labelme")
    again = read_dataset(tmp_path / "out")
    assert again.boxes.flags.tolist() == dataset.boxes.flags.tolist() and told(again) == told(dataset)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"shapes": [', "b.json: is not JSON"),
        (
            '{"shapes": [{"label": "x", "points": [[1]]}], "imagePath": "a.png"}',
            "b.json: has not the shape of its format",
        ),
        ('{"shapes": [{"label": "é"}]}'.encode("gb18030"), "b.json: is not JSON"),
        ("[" * 200_000, "b.json: is nested too deeply"),
    ],
)
def test_damage_is_one_line(tree, content, message):
    root = tree({"a.json": file(shape("x", [[1, 1], [2, 2]])), "b.json": content, "a.png": (100, 80)})
    with pytest.raises(DataError) as caught:
        read_dataset(root, format="labelme")
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_other_json_beside_is_passed_over(tree, told):
    root = tree({"a.json": file(shape("x", [[1, 1], [2, 2]])), "a.png": (100, 80), "b.json": [], "c.json": {"k": 1}})
    assert told(read_dataset(root)) == {"a.png": [("x", 1, 1, 2, 2)]}


def test_a_round_trip_keeps_boxes_exactly_and_the_order_of_classes(round_trip, same):
    before, after = round_trip("labelme")
    same(before, after, within=0)
    assert [c.name for c in after.categories] == [c.name for c in before.categories]
