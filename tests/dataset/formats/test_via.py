"""VIA JSON: regions as a list or a map, the class among free attributes, sizes only in the photos."""

import pytest

from focalcli.dataset.read import read_dataset
from focalcli.errors import DataError


def rect(x, y, width, height, **attributes):
    return {
        "shape_attributes": {"name": "rect", "x": x, "y": y, "width": width, "height": height},
        "region_attributes": attributes,
    }


def photo(*regions, name="a.png", as_map=False):
    held = {str(i): region for i, region in enumerate(regions)} if as_map else list(regions)
    return {f"{name}123": {"filename": name, "size": 123, "regions": held, "file_attributes": {}}}


@pytest.mark.parametrize("as_map", [False, True])
@pytest.mark.parametrize("project", [False, True])
def test_regions_as_list_or_map_bare_or_in_a_project(tree, told, as_map, project):
    """x, y, width, height: 10, 20, 30, 40 is 10, 20 to 40, 60."""
    photos = {
        **photo(rect(10, 20, 30, 40, kind="cat"), rect(1, 1, 2, 2, kind="dog"), as_map=as_map),
        **photo(name="b.png"),
    }
    content = {"_via_settings": {}, "_via_img_metadata": photos, "_via_attributes": {}} if project else photos
    dataset = read_dataset(tree({"via.json": content, "a.png": (100, 80), "b.png": (9, 9)}))
    assert told(dataset) == {"a.png": [("cat", 10, 20, 40, 60), ("dog", 1, 1, 3, 3)], "b.png": []}
    assert dataset.findings == () and (dataset.images[0].width, dataset.images[0].height) == (100, 80)


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        ({"name": "circle", "cx": 50, "cy": 40, "r": 10}, (40, 30, 60, 50)),
        ({"name": "ellipse", "cx": 50, "cy": 40, "rx": 20, "ry": 10}, (30, 30, 70, 50)),
        ({"name": "polygon", "all_points_x": [5, 25, 5], "all_points_y": [6, 6, 36]}, (5, 6, 25, 36)),
    ],
)
def test_shapes_are_the_boxes_around_them(tree, told, codes, shape, box):
    region = {"shape_attributes": shape, "region_attributes": {"class": "x"}}
    dataset = read_dataset(tree({"via.json": photo(region), "a.png": (100, 80)}))
    assert told(dataset) == {"a.png": [("x", *box)]} and codes(dataset) == {"I202": 1}


def test_points_and_lines_are_reported(tree, codes):
    regions = [
        {"shape_attributes": {"name": "point", "cx": 1, "cy": 2}, "region_attributes": {"class": "x"}},
        {
            "shape_attributes": {"name": "polyline", "all_points_x": [1, 2, 3], "all_points_y": [1, 2, 3]},
            "region_attributes": {},
        },
    ]
    assert codes(read_dataset(tree({"via.json": photo(*regions), "a.png": (100, 80)}))) == {"W121": 2}


def test_of_several_attributes_the_usual_name_is_the_class_and_flags_are_flags(tree, told, codes):
    region = rect(1, 1, 5, 5, colour="red", Label="cat", difficult="true")
    dataset = read_dataset(tree({"via.json": photo(region), "a.png": (9, 9)}))
    assert told(dataset) == {"a.png": [("cat", 1, 1, 6, 6)]} and codes(dataset) == {"W122": 1}
    assert dataset.boxes.attributes.tolist() == [{"colour": "red"}] and dataset.boxes.flags.tolist() == [2]


def test_ticked_boxes_are_classes_and_no_attributes_are_one_class(tree, told):
    root = tree({"via.json": photo(rect(1, 1, 5, 5, kind={"cat": True, "dog": False})), "a.png": (9, 9)})
    assert told(read_dataset(root)) == {"a.png": [("cat", 1, 1, 6, 6)]}
    assert told(read_dataset(tree({"via.json": photo(rect(1, 1, 5, 5))}))) == {"a.png": [("object", 1, 1, 6, 6)]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (photo(rect(1, 1, 5, 5, a="x", b="y")), "no telling which attribute is the class (a, b)"),
        (photo(rect(1, 1, 5, 5, kind="")), "via.json: region 1: has no kind"),
        (photo(name="../a.png"), "via.json: image 1: the image name '../a.png' leads out of its folder"),
        (photo({"shape_attributes": {"name": "rect", "x": "1"}}), "via.json: has not the shape of its format"),
        (photo(rect(1, 1, 5, 5), name="c.png"), "c.png: has no size in the annotations and no photo to read it from"),
    ],
)
def test_damage_is_one_line(tree, content, message):
    with pytest.raises(DataError) as caught:
        read_dataset(tree({"via.json": content, "a.png": (9, 9)}), format="via")
    assert message in str(caught.value) and "\n" not in str(caught.value)
