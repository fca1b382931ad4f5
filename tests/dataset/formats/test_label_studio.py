"""Label Studio JSON: percent of the photo, rotation about the top-left corner, annotators, addresses of photos."""

import pytest

from focalcli.dataset.read import read_dataset
from focalcli.dataset.recognise import candidates
from focalcli.dataset.types import Flag
from focalcli.errors import DataError, UsageError


def region(x, y, width, height, label="cat", rotation=0, kind="rectanglelabels", **more):
    value = {"x": x, "y": y, "width": width, "height": height, "rotation": rotation, kind: [label]}
    return {"type": kind, "original_width": 200, "original_height": 100, "image_rotation": 0, "value": value, **more}


def task(*regions, image="a.png", number=1, **more):
    return {"id": number, "data": {"image": image}, "annotations": [{"id": 1, "result": list(regions), **more}]}


def read_one(tree, told, *regions, **more):
    root = tree({"export.json": [task(*regions, **more)], "a.png": (200, 100)})
    return told(read_dataset(root))["a.png"]


def test_percent_of_each_side(tree, told):
    """10 % of 200 = 20, 20 % of 100 = 20, 30 % of 200 = 60, 40 % of 100 = 40."""
    assert read_one(tree, told, region(10, 20, 30, 40)) == [("cat", 20, 20, 80, 60)]


@pytest.mark.parametrize(
    ("rotation", "box"),
    [
        (0, (100, 20, 160, 60)),  # 50 %, 20 %, 30 %, 40 % of 200 x 100: 60 x 40 pixels at (100, 20)
        (90, (60, 20, 100, 80)),  # clockwise about (100, 20): the width goes down, the height to the left
        (180, (40, -20, 100, 20)),  # back over the corner, cut off at the top
        (360, (100, 20, 160, 60)),
    ],
)
def test_rotation_turns_about_the_top_left_corner_in_pixels(tree, told, rotation, box):
    [(_, *found)] = read_one(tree, told, region(50, 20, 30, 40, rotation=rotation))
    assert found == [box[0], max(box[1], 0), box[2], box[3]]


def test_rotation_by_an_angle(tree, told):
    """60 x 0 after 30 degrees: 60 cos 30 = 51.96 wide, 60 sin 30 = 30 high; 40 down goes 20 left and 34.64 down."""
    [(_, *found)] = read_one(tree, told, region(50, 20, 30, 40, rotation=30))
    assert found == pytest.approx([80, 20, 100 + 51.961524227, 20 + 30 + 34.641016151])


def test_polygons_and_ellipses_are_the_boxes_around_them(tree, told):
    polygon = region(0, 0, 0, 0, kind="polygonlabels")
    polygon["value"] = {"points": [[10, 10], [50, 20], [20, 90]], "polygonlabels": ["cat"]}
    ellipse = region(0, 0, 0, 0, kind="ellipselabels")
    ellipse["value"] = {"x": 50, "y": 50, "radiusX": 10, "radiusY": 20, "rotation": 0, "ellipselabels": ["dog"]}
    assert read_one(tree, told, polygon, ellipse) == [("cat", 20, 10, 100, 90), ("dog", 80, 30, 120, 70)]


def test_what_has_no_box_is_reported(tree, codes):
    brush = {
        "type": "brushlabels",
        "original_width": 9,
        "original_height": 9,
        "value": {"rle": [1], "brushlabels": ["x"]},
    }
    choice = {"type": "choices", "value": {"choices": ["x"]}}
    bare = region(1, 1, 5, 5)
    del bare["value"]["rectanglelabels"]
    root = tree({"export.json": [task(brush, choice, bare)], "a.png": (200, 100)})
    dataset = read_dataset(root)
    assert codes(dataset) == {"W121": 3} and dataset.images[0].labelled


def test_cancelled_annotations_and_tasks_nobody_did_leave_the_photo_unlabelled(tree, codes):
    skipped = task(region(1, 1, 5, 5), was_cancelled=True)
    fresh = {"id": 2, "data": {"image": "b.png"}, "annotations": [], "predictions": [{"result": [region(1, 1, 5, 5)]}]}
    empty = task(image="c.png", number=3)
    root = tree({"e.json": [skipped, fresh, empty], "a.png": (200, 100), "b.png": (9, 9), "c.png": (9, 9)})
    dataset = read_dataset(root)
    assert {i.key: i.labelled for i in dataset.images} == {"a.png": False, "b.png": False, "c.png": True}
    assert codes(dataset) == {"W110": 1} and len(dataset.boxes) == 0


def test_of_several_annotators_the_ground_truth_counts_else_the_newest(tree, told, codes):
    def annotation(number, x, **more):
        return {"id": number, "result": [region(x, 0, 5, 5)], **more}

    old, new = (
        annotation(1, 10, updated_at="2026-01-01T00:00:00Z"),
        annotation(2, 20, updated_at="2026-02-01T00:00:00Z"),
    )
    newest_cancelled = annotation(3, 30, updated_at="2026-03-01T00:00:00Z", was_cancelled=True)
    entry = {"id": 1, "data": {"image": "a.png"}, "annotations": [new, old, newest_cancelled]}
    root = tree({"e.json": [entry], "a.png": (200, 100)})
    dataset = read_dataset(root)
    assert told(dataset) == {"a.png": [("cat", 40, 0, 50, 5)]} and codes(dataset) == {"W122": 1}
    truth = {**entry, "annotations": [new, {**old, "ground_truth": True}]}
    dataset = read_dataset(tree({"e.json": [truth]}))
    assert told(dataset) == {"a.png": [("cat", 20, 0, 30, 5)]} and dataset.findings == ()


@pytest.mark.parametrize(
    "image",
    [
        "/data/upload/7/0a1b2c3d-a.png",
        "/data/local-files/?d=photos/a.png",
        "https://example.org/x/a.png?size=9",
        "s3://bucket/deep/a.png",
        "C:\\photos\\a.png",
    ],
)
def test_addresses_lead_to_the_photo_by_its_name(tree, image):
    root = tree({"e.json": [task(region(1, 1, 5, 5), image=image)], "a.png": (200, 100)})
    assert read_dataset(root).images[0].path == root / "a.png"


def test_a_name_that_begins_like_an_upload_is_kept_where_it_is_the_photos_own(tree):
    root = tree(
        {"e.json": [task(image="/data/upload/7/0a1b2c3d-a.png")], "0a1b2c3d-a.png": (200, 100), "a.png": (9, 9)}
    )
    assert [image.key for image in read_dataset(root).images] == ["0a1b2c3d-a.png"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (task(image="../../.."), "e.json: task id 1: the image name '..' leads out of its folder"),
        (task(image="data:image/png;base64,AAAA"), "e.json: task id 1: its data name no photo"),
        (task(image="a\x1b[2J.png"), "e.json: task id 1: the image name"),
        ({**task(), "annotations": 3}, "e.json: has not the shape of its format"),
    ],
)
def test_damage_is_one_line(tree, entry, message):
    with pytest.raises(DataError) as caught:
        read_dataset(tree({"e.json": [entry], "a.png": (200, 100)}), format="label-studio")
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_flags_scores_and_a_turned_photo(tree, codes):
    turned = region(1, 1, 5, 5, rotation=10, image_rotation=90, score=0.5)
    turned["image_rotation"] = 90
    dataset = read_dataset(tree({"e.json": [task(turned)], "a.png": (200, 100)}))
    assert dataset.boxes.flags.tolist() == [Flag.FROM_POLYGON] and dataset.boxes.score.tolist() == [0.5]
    assert codes(dataset) == {"W122": 1, "I202": 1}


def test_json_min_is_not_claimed_and_the_remedy_says_so(tree):
    root = tree({"e.json": [{"id": 1, "image": "a.png", "label": [{"x": 1, "y": 1}]}], "a.png": (9, 9)})
    assert "label-studio" not in candidates(root)
    with pytest.raises(DataError, match="not as JSON-MIN"):
        read_dataset(root, format="label-studio")


def test_it_is_not_written(tree, tmp_path):
    from focalcli.dataset.convert import convert

    dataset = read_dataset(tree({"e.json": [task()], "a.png": (200, 100)}))
    with pytest.raises(UsageError, match="Label Studio JSON can be read but not written"):
        convert(dataset, tmp_path / "out", to="label-studio")
