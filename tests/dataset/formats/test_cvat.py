"""CVAT XML 1.1 for images: boxes that may be turned, shapes that are none, tracks refused."""

import math

import pytest

from focalcli.dataset.convert import convert
from focalcli.dataset.read import read_dataset
from focalcli.dataset.types import Flag
from focalcli.errors import DataError

META = (
    "<meta><job><labels><label><name>cat</name></label><label><name>dog</name></label>"
    "<label><name>tail</name><parent>dog</parent></label></labels></job></meta>"
)


def xml(*shapes, meta=META, image='id="0" name="a.png" width="100" height="80"'):
    head = "<?xml version='1.0'?><annotations><version>1.1</version>"
    return f"{head}{meta}<image {image}>{''.join(shapes)}</image></annotations>"


def box(label="cat", corners=(10, 20, 30, 40), more="", inner=""):
    x0, y0, x1, y1 = corners
    return f'<box label="{label}" xtl="{x0}" ytl="{y0}" xbr="{x1}" ybr="{y1}" {more}>{inner}</box>'


def test_boxes_are_edges_and_classes_those_of_the_task(tree, told):
    root = tree({"annotations.xml": xml(box("dog", (10.5, 20.25, 30.75, 40))), "images/a.png": (100, 80)})
    dataset = read_dataset(root)
    assert told(dataset) == {"a.png": [("dog", 10.5, 20.25, 30.75, 40)]}
    assert [c.name for c in dataset.categories] == ["cat", "dog"]
    assert (dataset.images[0].source_id, dataset.images[0].path) == (0, root / "images/a.png")
    assert dataset.findings == ()


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        # 20 x 10 about (20, 25), a quarter turn: 10 wide, 20 high.
        (box(corners=(10, 20, 30, 30), more='rotation="90"'), (15, 15, 25, 35)),
        (box(corners=(10, 20, 30, 30), more='rotation="270.0"'), (15, 15, 25, 35)),
        # A square of side 20 about (40, 40), an eighth turn: its diagonal, 20 x sqrt 2, each way.
        (
            box(corners=(30, 30, 50, 50), more='rotation="45"'),
            (40 - 10 * math.sqrt(2), 40 - 10 * math.sqrt(2), 40 + 10 * math.sqrt(2), 40 + 10 * math.sqrt(2)),
        ),
        ('<polygon label="cat" points="1.5,2;30,4.25;7,60"/>', (1.5, 2, 30, 60)),
        ('<ellipse label="cat" cx="50" cy="40" rx="20" ry="10"/>', (30, 30, 70, 50)),
        ('<ellipse label="cat" cx="50" cy="40" rx="20" ry="10" rotation="90"/>', (40, 20, 60, 60)),
        ('<mask label="cat" rle="3, 2" left="5" top="6" width="7" height="8"/>', (5, 6, 12, 14)),
    ],
)
def test_a_shape_is_the_box_around_it_and_says_so(tree, told, codes, shape, expected):
    dataset = read_dataset(tree({"annotations.xml": xml(shape), "a.png": (100, 80)}))
    [(name, *corners)] = told(dataset)["a.png"]
    assert name == "cat" and corners == pytest.approx(expected, abs=1e-8)
    assert codes(dataset) == {"I202": 1} and dataset.boxes.flags[0] == Flag.FROM_POLYGON


def test_a_polygon_keeps_its_outline_and_area(tree):
    dataset = read_dataset(tree({"a.xml": xml('<polygon label="cat" points="0,0;20,0;0,30"/>'), "a.png": (100, 80)}))
    assert dataset.boxes.segmentation[0] == b"[[0.0,0.0,20.0,0.0,0.0,30.0]]" and dataset.boxes.area[0] == 300


def test_shapes_without_a_box_are_reported(tree, codes):
    shapes = [f'<{tag} label="cat" points="1,1;2,2"/>' for tag in ("polyline", "points", "tag", "cuboid", "skeleton")]
    dataset = read_dataset(tree({"a.xml": xml(*shapes), "a.png": (100, 80)}))
    assert codes(dataset) == {"W121": 5} and dataset.images[0].labelled


def test_tracks_of_a_video_are_refused(tree):
    track = (
        '<annotations><track id="0" label="cat"><box frame="0" xtl="1" ytl="1" xbr="2" ybr="2"/></track></annotations>'
    )
    with pytest.raises(
        DataError, match=r"^v\.xml: holds tracks of a video, export the task as `CVAT for images 1\.1`$"
    ):
        read_dataset(tree({"v.xml": track}))


def test_occlusion_and_attributes(tree):
    inner = '<attribute name="difficult">true</attribute><attribute name="colour">red</attribute>'
    shape = box(more='occluded="1" z_order="3"', inner=inner)
    dataset = read_dataset(tree({"a.xml": xml(shape), "a.png": (100, 80)}))
    assert dataset.boxes.flags.tolist() == [Flag.OCCLUDED | Flag.DIFFICULT]
    assert dataset.boxes.attributes.tolist() == [{"colour": "red", "z_order": "3"}]


def test_subsets_are_splits_and_default_is_none(tree):
    images = "".join(
        f'<image id="{i}" name="{name}.png" width="9" height="9" subset="{subset}"/>'
        for i, (name, subset) in enumerate([("a", "Train"), ("b", "Validation"), ("c", "default")])
    )
    root = tree({"annotations.xml": f"<annotations>{images}</annotations>", "images/Train/a.png": (9, 9)})
    dataset = read_dataset(root)
    assert {image.key: image.split for image in dataset.images} == {"a.png": "train", "b.png": "val", "c.png": None}
    assert [image.key for image in read_dataset(root, split="val").images] == ["b.png"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            xml(box(corners=(1, 2, "x", 4))),
            "a.xml: shape 1: the box is damaged (could not convert string to float: 'x')",
        ),
        (xml('<box label="cat" xtl="1"/>'), "a.xml: shape 1: the box is damaged"),
        (xml('<polygon label="cat" points="1,2;3"/>'), "a.xml: shape 1: the polygon is damaged"),
        (xml(box(), '<blob label="cat"/>'), "a.xml: shape 2: the blob is damaged (no such shape is known)"),
        (xml(box(label=" ")), "a.xml: shape 1: has no class name"),
        (xml(box(corners=(1, 2, "inf", 4))), "a.xml: shape 1: a coordinate is not a finite number"),
        (xml(image='id="0" name="../a.png"'), "a.xml: the image name '../a.png' leads out of its folder"),
        (xml(image='id="0" name=""'), "a.xml: the image name '' is empty"),
        (xml()[:-9], "a.xml: is not well-formed XML"),
        ('<!DOCTYPE a [<!ENTITY x "y">]>' + xml()[21:], "a.xml: has a document type or entities, which are refused"),
    ],
)
def test_damage_is_one_line(tree, text, message):
    with pytest.raises(DataError) as caught:
        read_dataset(tree({"a.xml": text}), format="cvat")
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_a_round_trip_keeps_boxes_and_the_order_of_classes(round_trip, same):
    before, after = round_trip("cvat")
    same(before, after, within=5e-5)
    assert [c.name for c in after.categories] == [c.name for c in before.categories]


def test_flags_and_attributes_survive(tree, told, tmp_path):
    inner = '<attribute name="iscrowd">true</attribute><attribute name="&lt;a&gt;">"b" &amp; c</attribute>'
    dataset = read_dataset(tree({"a.xml": xml(box(more='occluded="1" z_order="2"', inner=inner)), "a.png": (100, 80)}))
    convert(dataset, tmp_path / "out.xml", to="cvat")
    again = read_dataset(tmp_path / "out.xml")
    assert told(again) == told(dataset) and again.boxes.flags.tolist() == [Flag.OCCLUDED | Flag.CROWD]
    assert again.boxes.attributes.tolist() == [{"<a>": '"b" & c', "z_order": "2"}]
