"""Splits keep every class in its ratio and groups whole, and depend on the seed and the names alone."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Photo

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
    data = replace(data, images=tuple(i.but(key=k) for i, k in zip(data.images, keys, strict=True)))
    assert groups_by(data, []) is None
    assert groups_by(data, ["dir"]) == ["a", "a", "b"]
    assert groups_by(data, [r"_(\d)"]) == ["match 1", "match 1", "key b/z.png"]
    with pytest.raises(UsageError, match="is no pattern"):
        groups_by(data, ["("])
    with pytest.raises(UsageError, match="'near-duplicates' is in no name, use `dir`, `near-duplicate`"):
        groups_by(data, ["near-duplicates"])


def test_the_verb_writes_the_splits(tmp_path, capsys):
    rows = "".join(f"{i}.png,9,9,cat,1,1,5,5\n" for i in range(10))
    (tmp_path / "a").mkdir()
    (tmp_path / "a/a.csv").write_text("filename,width,height,class,xmin,ymin,xmax,ymax\n" + rows)
    assert run(["split", str(tmp_path / "a"), str(tmp_path / "out"), "--ratio", "80/20"]) == 0
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'out'}\n" and err.endswith("train: 8 images\nval: 2 images\n")
    again = read_dataset(tmp_path / "out")
    assert again.format == "coco" and sizes(again) == {"train": 8, "val": 2}


def test_by_image_only_the_number_of_images_counts():
    """The rare class is on 10 of 100 images: by class val has one of them, by image what its ten happen to show."""
    data = dataset(*([0, 1] if index % 10 == 3 else [0] for index in range(100)))
    found = set()
    for seed in range(8):
        done = resplit(data, parse_ratio("90/10"), by="image", seed=seed)
        assert sizes(done) == {"train": 90, "val": 10}
        found.add(share(done, "val", 1))
    assert len(found) > 1


def test_ways_to_group_are_joined_where_they_share_an_image():
    """Folder a holds 1 and 2, the pattern joins 2 and 3: one group; 4 is alone, whatever the order."""
    data = dataset([0], [0], [0], [0])
    keys = ["a/1_x.png", "a/2_day1.png", "b/3_day1.png", "c/4_y.png"]
    data = replace(data, images=tuple(i.but(key=k) for i, k in zip(data.images, keys, strict=True)))
    assert groups_by(data, ["dir", r"(day\d)"]) == ["like a/1_x.png"] * 3 + ["like c/4_y.png"]
    turned = data.take_images(np.arange(4)[::-1])
    assert groups_by(turned, ["dir", r"(day\d)"]) == ["like c/4_y.png"] + ["like a/1_x.png"] * 3


def pictures(folder: Path) -> None:
    """Write 8 photos of noise in blocks, each with a copy that is smaller, brighter and compressed, as a CSV set."""
    random = np.random.default_rng(1)
    names = []
    for number in range(8):
        blocks = random.integers(0, 200, (12, 16, 3), dtype=np.uint8)
        photo = Photo.fromarray(blocks).resize((320, 240), Photo.Resampling.BICUBIC)
        photo.save(folder / f"{number}.png")
        darker = photo.resize((150, 112)).point(lambda value: value * 0.8 + 30)
        darker.save(folder / f"copy{number}.jpg", quality=40)
        names += [(f"{number}.png", 320, 240), (f"copy{number}.jpg", 150, 112)]
    rows = "".join(f"{name},{width},{height},cat,1,1,50,50\n" for name, width, height in names)
    (folder / "a.csv").write_text("filename,width,height,class,xmin,ymin,xmax,ymax\n" + rows)


@pytest.mark.parametrize("seed", ["0", "1"])
def test_copies_of_a_photo_stay_on_one_side(tmp_path, capsys, seed):
    (tmp_path / "a").mkdir()
    pictures(tmp_path / "a")
    words = [
        "split",
        str(tmp_path / "a"),
        str(tmp_path / "out"),
        "--ratio",
        "50/50",
        "--seed",
        seed,
        "--images",
        "none",
    ]
    assert run([*words, "--group", "near-duplicate"]) == 0
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'out'}\n"
    assert err.endswith("train: 8 images\nval: 8 images\n") and "16 images in 8 groups" in err
    split = {Path(image.key).stem: image.split for image in read_dataset(tmp_path / "out").images}
    assert all(split[f"copy{number}"] == split[str(number)] for number in range(8))


def test_without_photos_near_duplicates_are_refused(tmp_path, capsys):
    (tmp_path / "a.csv").write_text("filename,width,height,class,xmin,ymin,xmax,ymax\na.png,9,9,cat,1,1,5,5\n")
    assert run(["split", str(tmp_path / "a.csv"), str(tmp_path / "out"), "--group", "near-duplicate"]) == 2
    assert "none of the photos is there to look at, say where they are with --images" in capsys.readouterr().err


def test_a_split_that_loses_crowds_says_so_and_obeys_the_policy(tmp_path, capsys):
    image = {"id": 1, "file_name": "a.png", "width": 9, "height": 9}
    row = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5], "iscrowd": 1}
    content = {"images": [image], "annotations": [row], "categories": [{"id": 1, "name": "cat"}]}
    (tmp_path / "a.json").write_text(json.dumps(content))
    words = ["split", str(tmp_path / "a.json"), str(tmp_path / "out"), "--to", "yolo", "--ratio", "1/1"]
    assert run(words) == 2 and "--crowd keep or drop" in capsys.readouterr().err
    assert run([*words, "--crowd", "drop", "--dry-run"]) == 0 and not (tmp_path / "out").exists()
