"""Splits keep every class in its ratio and groups whole, and depend on the seed and the names alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from focalcli.cli.console import run
from focalcli.dataset.read import read_dataset
from focalcli.dataset.splits import groups_by, parse_ratio, resplit
from focalcli.dataset.types import Boxes, Category, Dataset, Image, no_boxes
from focalcli.errors import UsageError


def dataset(*classes: list[int], names=("common", "rare")) -> Dataset:
    """Give one image for each list of classes, with a box for each class in it."""
    images = tuple(Image(f"{index:04}.png", None, 9, 9) for index in range(len(classes)))
    image = np.repeat(np.arange(len(classes)), [len(own) for own in classes])
    n = len(image)
    ints = np.zeros(n, dtype=np.int64)
    category = np.array([c for own in classes for c in own], dtype=np.int64)
    boxes = Boxes(np.tile([0.0, 0, 5, 5], (n, 1)), image, category, ints, np.full(n, 25.0), ints - 1, ints - 1, ints)
    return Dataset(tuple(Category(name, i) for i, name in enumerate(names)), images, boxes, Path())


def share(data: Dataset, split: str, category: int) -> int:
    inside = np.array([image.split == split for image in data.images])
    return int((inside[data.boxes.image] & (data.boxes.category == category)).sum())


def sizes(data: Dataset) -> dict[str, int]:
    found: dict[str, int] = {}
    for image in data.images:
        found[image.split] = found.get(image.split, 0) + 1
    return found


@pytest.mark.parametrize("seed", range(4))
def test_a_rare_class_is_in_every_split_in_its_ratio(seed):
    """100 images, 10 of them with the rare class: 8, 1 and 1 of those, 80, 10 and 10 of all."""
    data = dataset(*([0, 1] if index % 10 == 3 else [0] for index in range(100)))
    done = resplit(data, parse_ratio("80/10/10"), seed=seed)
    assert [share(done, name, 1) for name in ("train", "val", "test")] == [8, 1, 1]
    assert sizes(done) == {"train": 80, "val": 10, "test": 10}


def test_images_without_objects_are_spread_too():
    done = resplit(dataset(*([] if index < 20 else [0] for index in range(100))), parse_ratio("50/50"))
    empty = [image.split for image in done.images[:20]]
    assert empty.count("train") == empty.count("val") == 10


def test_groups_stay_whole():
    groups = [f"day {index // 10}" for index in range(100)]
    done = resplit(dataset(*([0] for _ in range(100))), parse_ratio("80/20"), groups=groups)
    for group in set(groups):
        assert len({image.split for image, own in zip(done.images, groups, strict=True) if own == group}) == 1
    assert sizes(done) == {"train": 80, "val": 20}


def test_the_seed_and_the_names_decide_not_the_order():
    data = dataset(*([index % 2] for index in range(40)))
    first = {image.key: image.split for image in resplit(data, parse_ratio("3/1")).images}
    turned = data.take_images(np.arange(40)[::-1])
    assert {image.key: image.split for image in resplit(turned, parse_ratio("3/1")).images} == first
    assert {image.key: image.split for image in resplit(data, parse_ratio("3/1"), seed=1).images} != first


def test_this_machine_gives_what_every_machine_gives():
    """By `sha256sum` of `7<tab>NAME` the sixth is 0001 and the eighth 0006: val gets those, when 6 and 2 are owed

    and train has the first of equals: 5 4 3 2, then 1 (a tie), val 1, train 0 (a tie), val 0.
    """
    done = resplit(dataset(*([0] for _ in range(8))), parse_ratio("train=6,val=2"), seed=7)
    assert sorted(image.key for image in done.images if image.split == "val") == ["0001.png", "0006.png"]


def test_nothing_splits_into_nothing():
    empty = Dataset((), (), no_boxes(), Path())
    assert resplit(empty, parse_ratio("80/20")).images == ()


@pytest.mark.parametrize("text", ["", "80", "a/b", "1/0", "-1/2", "1/2/3/4", "train=1,train=2", "=1", "nan/1", "inf/1"])
def test_a_ratio_that_is_none_is_refused(text):
    if text == "80":
        assert parse_ratio(text) == {"train": 1.0}
        return
    with pytest.raises(UsageError, match="is no ratio of splits"):
        parse_ratio(text)


def test_groups_are_folders_or_what_a_pattern_finds():
    data = dataset([0], [0], [0])
    keys = ["a/x_1.png", "a/y_1.png", "b/z.png"]
    data = replace(data, images=tuple(replace(i, key=k) for i, k in zip(data.images, keys, strict=True)))
    assert groups_by(data, None) is None
    assert groups_by(data, "dir") == ["a", "a", "b"]
    assert groups_by(data, r"_(\d)") == ["match 1", "match 1", "key b/z.png"]
    with pytest.raises(UsageError, match="is no pattern"):
        groups_by(data, "(")


def test_the_verb_writes_the_splits(tmp_path, capsys):
    rows = "".join(f"{i}.png,9,9,cat,1,1,5,5\n" for i in range(10))
    (tmp_path / "a").mkdir()
    (tmp_path / "a/a.csv").write_text("filename,width,height,class,xmin,ymin,xmax,ymax\n" + rows)
    assert run(["split", str(tmp_path / "a"), str(tmp_path / "out"), "--ratio", "80/20"]) == 0
    assert capsys.readouterr().out == "train: 8 images\nval: 2 images\n"
    again = read_dataset(tmp_path / "out")
    assert again.format == "coco" and sizes(again) == {"train": 8, "val": 2}
