"""Conversions: what is lost is known before, graded, and stops the work where it matters; photos are brought along."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from focalcli.dataset.convert import convert
from focalcli.dataset.edit import drop_unused_classes, map_classes, with_classes
from focalcli.dataset.features import Feature
from focalcli.dataset.fingerprint import fingerprint
from focalcli.dataset.losses import LEVELS, features_used, losses
from focalcli.dataset.read import read_dataset
from focalcli.dataset.sink import Loss, Sink
from focalcli.dataset.types import Dataset
from focalcli.errors import CannotWrite, DataError, InputNotFound, UsageError


def document(*annotations: dict[str, Any], images: int = 2) -> dict[str, Any]:
    """Give a COCO document with images 1.jpg, 2.jpg, ... of 200 x 100 and the classes cat 1, dog 2, bird 3."""
    listed = [{"id": i, "file_name": f"{i}.jpg", "width": 200, "height": 100} for i in range(1, images + 1)]
    names = [{"id": number, "name": name} for number, name in enumerate(["cat", "dog", "bird"], 1)]
    rows = [{"id": n, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], **a} for n, a in enumerate(annotations, 1)]
    return {"images": listed, "annotations": rows, "categories": names}


@pytest.fixture
def made(folder: Any) -> Any:
    """Read a data set with these annotations, its photos present."""

    def of(*annotations: dict[str, Any], images: int = 2) -> Dataset:
        for number in range(1, images + 1):
            folder.photo(f"{number}.jpg")
        return read_dataset(folder.json("c.json", document(*annotations, images=images)))

    return of


# Losses


def test_nothing_is_used_by_nothing(made: Any) -> None:
    assert features_used(made(images=0)) == {Feature.NAMES: 3, Feature.CLASS_LIST: 3}


def test_what_a_data_set_uses_is_counted(made: Any) -> None:
    dataset = made(
        {"iscrowd": 1},
        {"ignore": 1, "category_id": 2},
        {"attributes": {"difficult": True, "colour": "red"}, "bbox": [1, 2, 3.5, 4]},
        {"attributes": {"occluded": True, "truncated": True}, "score": 0.5, "segmentation": [[1, 2, 3, 4, 5, 6]]},
        images=3,
    )
    assert features_used(dataset) == {
        Feature.NAMES: 3,
        Feature.NEGATIVES: 2,
        Feature.CROWD: 2,
        Feature.DIFFICULT: 1,
        Feature.TRUNCATED: 1,
        Feature.SEGMENTATION: 1,
        Feature.SCORE: 1,
        Feature.ATTRIBUTES: 1,
        Feature.CLASS_LIST: 1,
        Feature.SOURCE_IDS: 7,
        Feature.SIZES: 3,
        Feature.SUBPIXEL: 1,
    }


def test_losses_are_what_is_used_and_not_carried(made: Any) -> None:
    dataset = made({"iscrowd": 1, "bbox": [0.5, 0, 1, 1]}, images=1)
    assert losses(dataset, frozenset(Feature)) == []
    carried = frozenset(Feature) - {Feature.CROWD, Feature.SUBPIXEL, Feature.SPLITS}
    assert [(loss.level, loss.count) for loss in losses(dataset, carried)] == [("high", 1), ("info", 1)]


def test_every_feature_has_a_level() -> None:
    assert set(LEVELS) == set(Feature)


@pytest.mark.parametrize(
    ("annotation", "stops"),
    [({"iscrowd": 1}, True), ({"attributes": {"difficult": True}}, True), ({"score": 0.5}, False), ({}, False)],
)
def test_only_what_changes_training_or_measuring_stops(made: Any, tmp_path: Path, annotation: Any, stops: bool) -> None:
    dataset = made(annotation)
    if stops:
        with pytest.raises(UsageError, match="--allow-lossy"):
            convert(dataset, tmp_path / "out", to="yolo")
        assert not (tmp_path / "out").exists()
    assert convert(dataset, tmp_path / "out", to="yolo", allow_lossy=True).boxes == 1


def test_a_dry_run_says_the_same_and_writes_nothing(made: Any, tmp_path: Path) -> None:
    dataset = made({"score": 0.5})
    dry = convert(dataset, tmp_path / "out", to="yolo", dry_run=True)
    assert not (tmp_path / "out").exists()
    assert convert(dataset, tmp_path / "out", to="yolo") == replace(dry, dry_run=False)
    assert dry.files == sum(path.is_file() for path in (tmp_path / "out").rglob("*")) == 5


def test_a_format_that_is_not_there_is_a_usage_error(made: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'tiff' is not known, known: coco, createml, "):
        convert(made(), tmp_path / "out", to="tiff")


# Photos


@pytest.mark.parametrize("transfer", ["copy", "link", "symlink", "none"])
def test_photos_come_along_as_asked(made: Any, folder: Any, tmp_path: Path, transfer: Any) -> None:
    convert(made(), tmp_path / "out", to="coco", transfer=transfer)
    photo, source = tmp_path / "out/images/1.jpg", folder / "1.jpg"
    assert photo.exists() == (transfer != "none")
    if transfer == "none":
        return
    assert photo.read_bytes() == source.read_bytes()
    assert photo.is_symlink() == (transfer == "symlink")
    assert (photo.stat().st_ino == source.stat().st_ino) == (transfer in ("link", "symlink"))


def test_symbolic_links_lead_to_the_photo_from_anywhere(
    folder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.photo("1.jpg")
    folder.json("c.json", document(images=1))
    monkeypatch.chdir(folder.path)
    convert(read_dataset(Path("c.json")), Path("../out"), to="coco", transfer="symlink")
    assert (tmp_path / "out/images/1.jpg").read_bytes() == (folder / "1.jpg").read_bytes()


def test_a_destination_of_one_file_holds_all_splits_and_no_photos(folder: Any, tmp_path: Path) -> None:
    for split in ("train", "val"):
        folder.json(f"annotations/{split}.json", document({}, images=1))
        folder.photo(f"images/{split}/1.jpg")
    report = convert(read_dataset(folder.path), tmp_path / "all.json", to="coco")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.json", "data"]
    assert Loss("medium", "images lose their split", 2) in report.losses
    assert [image.key for image in read_dataset(tmp_path / "all.json").images] == ["train/1.jpg", "val/1.jpg"]
    with pytest.raises(CannotWrite, match="exists, name another file or add --overwrite"):
        convert(read_dataset(folder.path), tmp_path / "all.json", to="coco")


def test_images_without_a_split_beside_others_get_one(made: Any, tmp_path: Path) -> None:
    dataset = made({}, images=2)
    half = replace(dataset, images=(dataset.images[0].but(split="train"), dataset.images[1]))
    for to in ("coco", "voc", "yolo"):
        convert(half, tmp_path / to, to=to)
        assert {image.key: image.split for image in read_dataset(tmp_path / to).images} == {
            "1.jpg": "train",
            "2.jpg": "unassigned",
        }


def test_unlabelled_images_stay_unlabelled_where_the_target_can(folder: Any, tmp_path: Path) -> None:
    folder.photo("images/a.jpg")
    folder.photo("images/b.jpg")
    folder.text("labels/b.txt", "")
    folder.text("data.yaml", "train: images\nval: images\nnames: [cat]\n")
    for to in ("voc", "yolo"):
        convert(read_dataset(folder.path), tmp_path / to, to=to)
    assert [image.labelled for image in read_dataset(tmp_path / "yolo").images] == [False, True]
    assert {image.key: image.labelled for image in read_dataset(tmp_path / "voc").images} == {
        "a.jpg": False,
        "b.jpg": True,
    }
    report = convert(read_dataset(folder.path), tmp_path / "coco", to="coco")
    assert Loss("medium", LEVELS[Feature.UNLABELLED][1], 1) in report.losses


# Classes


def names(dataset: Dataset) -> list[str]:
    return [category.name for category in dataset.categories]


def test_classes_are_kept_or_dropped_where_they_have_no_objects(made: Any) -> None:
    dataset = made({"category_id": 3}, {"category_id": 1})
    assert with_classes(dataset, "keep") is dataset
    fewer = drop_unused_classes(dataset)
    assert [(c.name, c.source_id) for c in fewer.categories] == [("cat", 1), ("bird", 3)]
    assert fewer.boxes.category.tolist() == [1, 0]


def test_classes_are_renamed_merged_and_dropped_by_a_file(made: Any, tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text("cat: animal\nbird: animal\ndog:\n")
    dataset = made({"category_id": 3}, {"category_id": 2}, {"category_id": 1})
    mapped = with_classes(dataset, str(tmp_path / "map.yaml"))
    assert names(mapped) == ["animal"]
    assert mapped.boxes.category.tolist() == [0, 0] and mapped.boxes.source_id.tolist() == [1, 3]


def test_a_class_may_take_the_name_of_one_that_stays(made: Any) -> None:
    mapped = map_classes(made({"category_id": 1}, {"category_id": 2}), {"dog": "cat"})
    assert names(mapped) == ["cat", "bird"] and mapped.boxes.category.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("content", "kind", "line"),
    [
        ("catt: x", UsageError, "there is no class 'catt', it has bird, cat, dog"),
        ("[cat]", DataError, "is not a mapping of class names"),
        ("cat: [x]", DataError, "is not a mapping of class names"),
        (None, InputNotFound, "is not there"),
    ],
)
def test_a_wrong_map_is_one_line(made: Any, tmp_path: Path, content: str | None, kind: Any, line: str) -> None:
    path = tmp_path / "map.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(kind, match=line):
        with_classes(made(), str(path))


# The sink


def test_a_sink_refuses_to_write_a_name_twice(tmp_path: Path) -> None:
    sink = Sink(tmp_path, tmp_path)
    sink.text("a/b.txt", "1")
    for again in ("a/b.txt", "a/B.TXT"):
        with pytest.raises(DataError, match="would be written twice"):
            sink.text(again, "2")
    assert (tmp_path / "a/b.txt").read_text() == "1" and sink.written == ["a/b.txt"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_destination_that_cannot_be_written_is_one_line(made: Any, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(CannotWrite, match="cannot write here"):
        convert(made(), tmp_path / "locked/out", to="coco")


# The fingerprint


def test_the_fingerprint_is_of_content_and_not_of_place(made: Any, tmp_path: Path) -> None:
    dataset = made({}, {"category_id": 2, "bbox": [0.5, 1, 2, 3]})
    convert(dataset, tmp_path / "out", to="coco")
    assert fingerprint(read_dataset(tmp_path / "out")) == fingerprint(dataset)


def test_any_change_of_content_changes_the_fingerprint(made: Any) -> None:
    dataset = made({}, {"category_id": 2})
    boxes, image, category = dataset.boxes, dataset.images[0], dataset.categories[0]
    moved = boxes.xyxy + np.array([[0, 0, 0, 1e-9], [0, 0, 0, 0]])
    changed = [
        replace(dataset, boxes=replace(boxes, xyxy=moved)),
        replace(dataset, boxes=replace(boxes, category=boxes.category[::-1])),
        replace(dataset, boxes=boxes.take(np.array([0]))),
        replace(dataset, images=(image.but(key="z.jpg"), *dataset.images[1:])),
        replace(dataset, images=(image.but(width=201), *dataset.images[1:])),
        replace(dataset, categories=(replace(category, name="kat"), *dataset.categories[1:])),
    ]
    prints = {fingerprint(each) for each in (dataset, *changed)}
    assert len(prints) == 1 + len(changed)
