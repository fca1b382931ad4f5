"""COCO JSON: ids with gaps, splits by file, photos by convention; written so that pycocotools reads the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from focalcli.dataset.convert import convert
from focalcli.dataset.format import ReadOptions
from focalcli.dataset.formats import coco as format
from focalcli.dataset.peek import Peek
from focalcli.dataset.read import read_dataset
from focalcli.dataset.types import Flag
from focalcli.errors import DataError, UsageError

Coco = Callable[..., dict[str, Any]]
A = {"id": 1, "file_name": "a.jpg", "width": 200, "height": 100}


def on_a(number: int = 1, category: int = 1, bbox: Any = (10, 20, 30, 40), **more: Any) -> dict[str, Any]:
    """Give an annotation of image 1."""
    return {"id": number, "image_id": 1, "category_id": category, "bbox": list(bbox), **more}


def test_an_empty_data_set_is_one(folder: Any, document: Coco) -> None:
    dataset = read_dataset(folder.json("c.json", document([], [])))
    assert (len(dataset.images), len(dataset.boxes), dataset.categories) == (0, 0, ())


def test_boxes_are_corner_and_size_with_nothing_added(folder: Any, document: Coco, rows: Any) -> None:
    dataset = read_dataset(
        folder.json("c.json", document([A], [on_a(bbox=(0, 0, 200, 100)), on_a(2, bbox=(0.5, 1, 2, 3))], x=1))
    )
    assert [box for _, _, box in rows(dataset)] == [(0.0, 0.0, 200.0, 100.0), (0.5, 1.0, 2.5, 4.0)]


def test_classes_are_dense_in_the_order_of_their_ids(folder: Any, document: Coco, rows: Any) -> None:
    """COCO's own ids have ten gaps between 1 and 90, and 0 is an id as any other."""
    dataset = read_dataset(
        folder.json("c.json", document([A], [on_a(category=90), on_a(2, category=0)], z=90, a=13, m=0))
    )
    assert [(c.name, c.source_id) for c in dataset.categories] == [("m", 0), ("a", 13), ("z", 90)]
    assert [name for _, name, _ in rows(dataset)] == ["z", "m"]


def test_an_image_without_annotations_is_a_negative(folder: Any, document: Coco) -> None:
    dataset = read_dataset(folder.json("c.json", document([A], [], x=1)))
    assert len(dataset.images) == 1 and dataset.images[0].labelled


def test_area_crowd_scores_and_attributes_are_kept(folder: Any, document: Coco) -> None:
    first = on_a(iscrowd=1, area=77.5, segmentation={"counts": [1, 2], "size": [100, 200]}, score=0.25)
    second = on_a(2, attributes={"occluded": True, "colour": "red"}, ignore=1, segmentation=[[1, 2, 3, 4, 5, 6.5]])
    boxes = read_dataset(folder.json("c.json", document([A], [first, second], x=1))).boxes
    assert boxes.area.tolist() == [77.5, 1200.0]
    assert boxes.flags.tolist() == [Flag.CROWD, Flag.OCCLUDED | Flag.IGNORE]
    assert boxes.score is not None and boxes.score[0] == 0.25 and np.isnan(boxes.score[1])
    assert boxes.attributes is not None and boxes.attributes.tolist() == [None, {"colour": "red"}]
    assert boxes.segmentation is not None
    assert msgspec.json.decode(boxes.segmentation[0]) == {"counts": [1, 2], "size": [100, 200]}


def test_a_crowd_is_never_inferred_from_its_segmentation(folder: Any, document: Coco) -> None:
    """CVAT marks all run-length masks; only `iscrowd` counts."""
    rle = {"counts": [1, 2], "size": [100, 200]}
    assert read_dataset(folder.json("c.json", document([A], [on_a(segmentation=rle)], x=1))).boxes.flags.tolist() == [0]


def test_roboflows_root_class_is_left_out_and_reported(folder: Any, document: Coco) -> None:
    content = document([A], [on_a()], things=0, cat=1)
    content["categories"][0]["supercategory"], content["categories"][1]["supercategory"] = "none", "things"
    dataset = read_dataset(folder.json("c.json", content))
    assert [c.name for c in dataset.categories] == ["cat"]
    assert [found.code for found in dataset.findings if found.code != "W108"] == ["W119"]


@pytest.mark.parametrize("change", ["annotated", "no child", "has a parent"])
def test_a_class_0_that_is_no_root_stays(folder: Any, document: Coco, change: str) -> None:
    content = document([A], [on_a(category=0 if change == "annotated" else 1)], things=0, cat=1)
    content["categories"][0]["supercategory"] = "all" if change == "has a parent" else "none"
    content["categories"][1]["supercategory"] = "animal" if change == "no child" else "things"
    assert len(read_dataset(folder.json("c.json", content)).categories) == 2


@pytest.mark.parametrize(
    ("annotations", "images", "line"),
    [
        ([on_a(7, category=5)], [A], "c.json: annotation id 7: category 5 is not in the file's categories"),
        ([{**on_a(7), "image_id": 9}], [A], "c.json: annotation id 7: its image 9 is not in the file"),
        ([{"id": 7, "image_id": 1, "category_id": 1}], [A], "c.json: annotation id 7: has no bbox"),
        ([on_a(7, bbox=(1, 2, 3))], [A], "c.json: has not the shape of its format"),
        ([on_a(7, bbox=(1, 2, 3, "4"))], [A], "c.json: has not the shape of its format"),
        ([on_a(7, bbox=(1, 2, 3, float("nan")))], [A], "c.json: is not JSON"),
        ([], [A, A], "c.json: image id 1: two images have this id"),
    ],
)
def test_damage_is_one_line_with_its_place(
    folder: Any, document: Coco, annotations: Any, images: Any, line: str
) -> None:
    with pytest.raises(DataError) as caught:
        read_dataset(folder.json("c.json", document(images, annotations, x=1)))
    assert str(caught.value).startswith(line)


def test_a_lenient_reader_reports_all_and_leaves_the_wrong_ones_out(folder: Any, document: Coco) -> None:
    wrong = [on_a(1), on_a(2, category=5), on_a(3, category=5), {**on_a(4), "image_id": 9}]
    path = folder.json("c.json", document([A], wrong, x=1))
    dataset = read_dataset(path, options=ReadOptions(lenient=True))
    assert len(dataset.boxes) == 1
    assert [(found.code, found.count) for found in dataset.findings] == [("E002", 1), ("E003", 2), ("W108", 1)]


def test_a_byte_order_mark_is_no_damage(folder: Any, document: Coco) -> None:
    content = b"\xef\xbb\xbf" + msgspec.json.encode(document([A], [on_a()], x=1))
    assert len(read_dataset(folder.text("c.json", content)).boxes) == 1


# Splits and photos


@pytest.mark.parametrize(
    ("annotations", "photo"),
    [
        ("annotations/instances_train2017.json", "train2017/a.jpg"),
        ("annotations/instances_train2017.json", "images/train2017/a.jpg"),
        ("annotations/train.json", "images/train/a.jpg"),
        ("annotations/instances_train.json", "images/a.jpg"),
        ("train/_annotations.coco.json", "train/a.jpg"),
        ("train.json", "a.jpg"),
        ("train.json", "data/a.jpg"),
        ("labels_train.json", "images/a.jpg"),
    ],
)
def test_photos_are_found_where_tools_put_them(folder: Any, document: Coco, annotations: str, photo: str) -> None:
    folder.json(annotations, document([A], [on_a()], x=1))
    path = folder.photo(photo)
    dataset = read_dataset(folder.path)
    assert [(image.path, image.split) for image in dataset.images] == [(path, "train")]
    assert read_dataset(folder / annotations).images[0].path == path


def test_photos_elsewhere_are_named_by_images(folder: Any, document: Coco, tmp_path: Path) -> None:
    path = folder.json("c.json", document([A], [on_a()], x=1))
    photo = folder.photo("../photos/a.jpg")
    assert read_dataset(path).findings[0].code == "W108"
    found = read_dataset(path, images=photo.parent)
    assert found.images[0].path == photo and found.findings == ()


def test_missing_sizes_come_from_the_upright_photo(folder: Any, document: Coco) -> None:
    folder.photo("a.jpg", (200, 100), orientation=8)
    path = folder.json("c.json", document([{"id": 1, "file_name": "a.jpg"}], [on_a()], x=1))
    image = read_dataset(path).images[0]
    assert (image.width, image.height) == (100, 200)


def test_every_split_has_all_classes(folder: Any, document: Coco) -> None:
    folder.json("annotations/instances_train2017.json", document([A], [on_a()], cat=1))
    folder.json("annotations/instances_val2017.json", document([A], [on_a(category=2)], dog=2))
    assert read_dataset(folder.path).splits == ("train", "val")
    for split in ("train", "val", "train2017"):
        dataset = read_dataset(folder.path, split=split)
        assert [c.name for c in dataset.categories] == ["cat", "dog"] and len(dataset.images) == 1


def test_one_name_in_two_splits_stays_two_images(folder: Any, document: Coco) -> None:
    folder.json("annotations/train.json", document([A], [on_a()], x=1))
    folder.json("annotations/val.json", document([A], [on_a()], x=1))
    assert [image.key for image in read_dataset(folder.path).images] == ["train/a.jpg", "val/a.jpg"]


def test_years_tell_splits_apart_where_they_must(folder: Any, document: Coco) -> None:
    folder.json("annotations/instances_val2014.json", document([A], [], x=1))
    folder.json("annotations/instances_val2017.json", document([A], [], x=1))
    assert read_dataset(folder.path).splits == ("val2014", "val2017")
    with pytest.raises(UsageError, match="it has val2014, val2017"):
        read_dataset(folder.path, split="val")


def test_other_tasks_beside_the_instances_are_passed_over(folder: Any, document: Coco) -> None:
    folder.json("annotations/instances_train2017.json", document([A], [on_a()], x=1))
    folder.json("annotations/person_keypoints_train2017.json", document([A], [on_a()], person=1))
    folder.json("annotations/captions_train2017.json", {"images": [A], "annotations": [{"image_id": 1, "caption": ""}]})
    assert [c.name for c in read_dataset(folder.path).categories] == ["x"]


def test_one_id_for_two_names_is_an_error(folder: Any, document: Coco) -> None:
    folder.json("annotations/train.json", document([A], [], cat=1))
    folder.json("annotations/val.json", document([A], [], dog=1))
    with pytest.raises(DataError, match=r"category 1 is 'dog' here and 'cat' in train\.json"):
        read_dataset(folder.path)


@pytest.mark.parametrize(
    "content",
    [
        {"images": [], "annotations": [], "categories": []},
        {"info": {}, "licenses": [], "categories": [], "images": [A], "annotations": []},
        {"annotations": [on_a()], "images": [A], "categories": []},
    ],
)
def test_it_is_recognised_even_when_all_images_are_negatives(folder: Any, content: Any) -> None:
    folder.json("anything.json", content)
    assert format.sniff(Peek(folder.path)) is not None


def test_the_beginning_of_a_long_file_is_enough(folder: Any, document: Coco) -> None:
    many = [{"id": i, "file_name": f"{i}.jpg", "width": 9, "height": 9} for i in range(10_000)]
    folder.json("c.json", document(many, [], x=1))
    assert format.sniff(Peek(folder.path)) is not None


@pytest.mark.parametrize(
    "content", [[{"image_id": 1, "category_id": 1, "bbox": [], "score": 1}], {"shapes": []}, 3, []]
)
def test_other_json_is_none_of_ours(folder: Any, content: Any) -> None:
    folder.json("anything.json", content)
    assert format.sniff(Peek(folder.path)) is None


# Writing


def test_pycocotools_reads_what_was_written(folder: Any, document: Coco, tmp_path: Path) -> None:
    """It needs ids, areas and iscrowd, and takes an annotation id of 0 for none."""
    pycocotools = pytest.importorskip("pycocotools.coco")
    first = {k: v for k, v in on_a().items() if k != "id"}
    convert(
        read_dataset(folder.json("c.json", document([A], [first, on_a(0, iscrowd=1)], x=1))),
        tmp_path / "o.json",
        to="coco",
    )
    index = pycocotools.COCO(str(tmp_path / "o.json"))
    assert [ann["id"] for ann in index.loadAnns(index.getAnnIds())] == [1, 2]
    assert [ann["iscrowd"] for ann in index.loadAnns([1, 2])] == [0, 1]
    assert [ann["area"] for ann in index.loadAnns([1, 2])] == [1200.0, 1200.0]


def test_coco_to_coco_loses_nothing(folder: Any, document: Coco, tmp_path: Path) -> None:
    content = document(
        [{**A, "license": 3, "coco_url": "u"}, {"id": 9, "file_name": "b/c.jpg", "width": 3, "height": 4}],
        [
            on_a(
                5, category=90, bbox=(10.1, 20.2, 30.3, 40.4), area=1.5, iscrowd=1, segmentation=[[1, 2, 3, 4, 5, 6.25]]
            ),
            on_a(
                2,
                category=1,
                bbox=(0.1, 0.2, 0.3, 0.4),
                area=0.12,
                iscrowd=0,
                score=0.5,
                attributes={"difficult": True, "a": 1},
            ),
            on_a(8, category=1, bbox=(1, 2, 3, 4), area=12, iscrowd=1, ignore=1),
        ],
        a=1,
        b=13,
        z=90,
    )
    content["info"], content["licenses"] = {"year": 2026}, [{"id": 3, "name": "CC"}]
    convert(read_dataset(folder.json("c.json", content)), tmp_path / "o.json", to="coco")
    assert msgspec.json.decode((tmp_path / "o.json").read_bytes()) == content


def test_ignored_regions_are_written_so_that_pycocotools_ignores_them(
    folder: Any, document: Coco, tmp_path: Path
) -> None:
    """It overwrites `ignore` by `iscrowd`."""
    path = folder.json("c.json", document([A], [on_a(ignore=1), on_a(2)], x=1))
    report = convert(read_dataset(path), tmp_path / "o.json", to="coco")
    written = msgspec.json.decode((tmp_path / "o.json").read_bytes())["annotations"]
    assert [(ann["iscrowd"], ann.get("ignore", 0)) for ann in written] == [(1, 1), (0, 0)]
    assert [loss.what for loss in report.losses] == ["group and ignore regions are written as crowds"]


def test_splits_become_files_and_folders(folder: Any, document: Coco, tmp_path: Path) -> None:
    for split in ("train", "val"):
        folder.json(f"annotations/{split}.json", document([{**A, "file_name": f"{split}.jpg"}], [on_a()], x=1))
        folder.photo(f"images/{split}/{split}.jpg")
    convert(read_dataset(folder.path), tmp_path / "o", to="coco")
    assert sorted(p.relative_to(tmp_path / "o").as_posix() for p in (tmp_path / "o").rglob("*.*")) == [
        "annotations/instances_train.json",
        "annotations/instances_val.json",
        "images/train/train.jpg",
        "images/val/val.jpg",
    ]
