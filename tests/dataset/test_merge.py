"""Merging joins classes by name, keeps every photo under a name of its own and notes where it came from."""

import json
from pathlib import Path

import numpy as np
from PIL import Image as Photo

from focalcli.cli.console import run
from focalcli.dataset.convert import convert
from focalcli.dataset.merge import merge
from focalcli.dataset.read import read_dataset
from focalcli.dataset.types import SOURCE


def lay(root: Path, classes: dict[int, str], photos: dict[str, list[tuple[int, list[int]]]]) -> Path:
    """Lay out a COCO file whose photos are 40 x 30: name to (class id, box)."""
    images, annotations = [], []
    for number, (name, boxes) in enumerate(photos.items(), 1):
        path = root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Photo.new("L", (40, 30), number).save(path)
        images.append({"id": number, "file_name": name, "width": 40, "height": 30})
        for category, bbox in boxes:
            row = {"id": len(annotations) + 1, "image_id": number, "category_id": category, "bbox": bbox}
            annotations.append({**row, "area": 1, "iscrowd": 0})
    content = {
        "images": images,
        "categories": [{"id": number, "name": name} for number, name in classes.items()],
        "annotations": annotations,
    }
    (root / "annotations.json").write_text(json.dumps(content))
    return root


def two(tmp_path: Path):
    first = lay(tmp_path / "a", {1: "cat", 2: "dog"}, {"x.png": [(1, [0, 0, 5, 5]), (2, [1, 1, 5, 5])], "y.png": []})
    second = lay(tmp_path / "b", {1: "dog", 2: "emu"}, {"X.png": [(1, [2, 2, 5, 5]), (2, [3, 3, 5, 5])]})
    return read_dataset(first), read_dataset(second)


def test_classes_are_joined_by_name_and_ids_stay_unique(tmp_path):
    """dog is 2 in the first and 1 in the second; emu's 2 is taken, so it becomes 3."""
    merged, _ = merge(two(tmp_path))
    assert [(c.name, c.source_id) for c in merged.categories] == [("cat", 1), ("dog", 2), ("emu", 3)]
    assert merged.boxes.category.tolist() == [0, 1, 1, 2]
    assert merged.boxes.xyxy[:, 0].tolist() == [0, 1, 2, 3]
    assert merged.boxes.image.tolist() == [0, 0, 2, 2]


def test_names_that_differ_only_in_case_clash(tmp_path):
    first, second = two(tmp_path)
    merged, renamed = merge([first, second])
    assert [image.key for image in merged.images] == ["x.png", "y.png", "X-1.png"]
    assert renamed == {(str(second.info["path"]), "X.png"): "X-1.png"}
    assert [Path(str(image.extra[SOURCE])).name for image in merged.images] == ["a", "a", "b"]


def test_ids_that_clash_are_given_anew_and_all_is_written(tmp_path):
    merged, _ = merge(two(tmp_path))
    assert (merged.boxes.source_id == -1).all() and all(image.source_id is None for image in merged.images)
    convert(merged, tmp_path / "out", to="coco")
    again = read_dataset(tmp_path / "out")
    assert [image.source_id for image in again.images] == [1, 2, 3]
    assert [image.extra[SOURCE] for image in again.images] == [str(tmp_path / name) for name in ("a", "a", "b")]
    assert np.array_equal(again.boxes.xyxy, merged.boxes.xyxy)
    assert len(list((tmp_path / "out/images").iterdir())) == 3


def test_origins_say_which_set(tmp_path):
    merged, _ = merge(two(tmp_path))
    places = [merged.files[number] for number in merged.boxes.origin_file]
    assert [Path(place.partition(": ")[0]).name for place in places] == ["a", "a", "b", "b"]


def test_a_column_only_one_has_is_filled(tmp_path):
    first, _ = two(tmp_path)
    outlined = json.loads((tmp_path / "b/annotations.json").read_text())
    outlined["annotations"][0]["segmentation"] = [[2, 2, 7, 2, 7, 7]]
    (tmp_path / "b/annotations.json").write_text(json.dumps(outlined))
    merged, _ = merge([first, read_dataset(tmp_path / "b")])
    assert merged.boxes.segmentation.tolist() == [None, None, b"[[2, 2, 7, 2, 7, 7]]", None]


def test_merging_with_nothing_changes_nothing(tmp_path):
    first, _ = two(tmp_path)
    (tmp_path / "c").mkdir()
    empty = read_dataset(lay(tmp_path / "c", {}, {}))
    merged, _ = merge([first, empty])
    assert merged.categories == first.categories and np.array_equal(merged.boxes.xyxy, first.boxes.xyxy)
    assert merged.boxes.source_id.tolist() == first.boxes.source_id.tolist()


def test_the_verb_merges_formats_and_says_what_it_renamed(tmp_path, capsys):
    _, second = two(tmp_path)
    convert(second, tmp_path / "yolo", to="yolo")
    assert run(["merge", str(tmp_path / "a"), str(tmp_path / "yolo"), str(tmp_path / "out"), "--to", "cvat"]) == 0
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'out'}\n"
    assert err.endswith(f"wrote {tmp_path / 'out'}: 3 images, 4 boxes, 3 classes as CVAT XML\n")
    assert f"{tmp_path / 'yolo'}: X.png is now X-1.png" in err
    assert len(read_dataset(tmp_path / "out").boxes) == 4


def test_neither_source_is_written_into(tmp_path, capsys):
    two(tmp_path)
    for inside in ("a/out", "b/out"):
        assert run(["merge", str(tmp_path / "a"), str(tmp_path / "b"), str(tmp_path / inside)]) == 73
        assert "lies inside the source" in capsys.readouterr().err
