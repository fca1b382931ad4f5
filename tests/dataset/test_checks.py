"""Each check finds what it is for, once, at its record, and is silent on a clean set."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from focalcli.dataset.checks import all_findings, check
from focalcli.dataset.copies import check_copies
from focalcli.dataset.findings import FindingLog
from focalcli.dataset.fix import fixed
from focalcli.dataset.format import ReadOptions
from focalcli.dataset.pairs import close_pairs
from focalcli.dataset.photo_checks import check_photos
from focalcli.dataset.read import read_dataset
from focalcli.dataset.types import Boxes, Dataset, Finding, no_boxes
from focalcli.dataset.types import Image as Photo
from focalcli.images.condition import condition
from focalcli.images.likeness import small_grey

Found = list[tuple[str, str, int]]
BCCD = Path(__file__).parents[2].parent / "shared/data/bccd"


def found_in(dataset: Dataset, *, photos: bool = False, deep: bool = False) -> Found:
    """Give code, place and count of all findings but those of rare classes and photos that a test left out."""
    return [(f.code, f.place, f.count) for f in findings(dataset, photos, deep) if f.code not in ("W116", "W108")]


def findings(dataset: Dataset, photos: bool, deep: bool) -> tuple[Finding, ...]:
    log = FindingLog()
    check(dataset, log)
    if photos:
        check_photos(dataset, partial(condition, deep=deep), log)
        check_copies(dataset, small_grey, log)
    return all_findings(dataset, log)


Make = Callable[..., Dataset]


@pytest.fixture
def boxes(folder: Any, document: Callable[..., dict[str, Any]]) -> Make:
    """Read (image, class, xywh) rows over two photos of 200 x 100 pixels and the classes 1 cat and 2 dog."""

    def make(*rows: tuple[int, int, list[float]]) -> Dataset:
        images = [{"id": n, "file_name": f"{n}.jpg", "width": 200, "height": 100} for n in (1, 2)]
        listed = [{"id": n, "image_id": i, "category_id": c, "bbox": b} for n, (i, c, b) in enumerate(rows, 1)]
        path = folder.json("a.json", document(images, listed, cat=1, dog=2))
        return read_dataset(path, options=ReadOptions(lenient=True))

    return make


def test_a_clean_set_has_no_findings(boxes: Make) -> None:
    assert found_in(boxes((1, 1, [0, 0, 20, 30]), (1, 1, [50, 0, 40, 40]), (2, 2, [0, 0, 20, 30]))) == []


def test_reading_goes_on_after_errors_and_tells_each(boxes: Make) -> None:
    """Annotation 1 has no such photo, 2 no such class, 3 no area, 4 a width below zero, 5 sticks out by 10 pixels."""
    nowhere, nameless = (9, 1, [0, 0, 20, 20]), (1, 9, [0, 0, 20, 20])
    read = boxes(nowhere, nameless, (1, 1, [5, 5, 0, 9]), (1, 1, [60, 5, -20, 9]), (2, 1, [190, 5, 20, 9]))
    assert found_in(read) == [
        ("E002", "a.json: annotation id 1", 1),
        ("E003", "a.json: annotation id 2", 1),
        ("E007", "a.json: annotation id 4", 1),
        ("E008", "a.json: annotation id 3", 1),
        ("W101", "a.json: annotation id 5", 1),
    ]


@pytest.mark.parametrize(
    ("code", "rows"),
    [
        ("W102", [(1, 1, [0, 0, 3.5, 30])]),
        ("W103", [(1, 1, [0, 0, 20, 30]), (1, 1, [0, 0, 20, 30])]),
        ("W104", [(1, 1, [0, 0, 20, 30]), (1, 1, [0, 0, 19, 30])]),  # IoU 19 / 20
        ("W105", [(1, 1, [0, 0, 20, 30]), (1, 2, [0, 0, 20, 27])]),  # IoU 27 / 30
        ("W113", [(1, 1, [0, 0, 200, 96])]),  # 96 % of the photo
        ("W113", [(1, 1, [0, 50, 101, 5])]),  # 20.2 times as long as high
    ],
    ids=["small", "repeated", "near", "conflict", "whole-photo", "long"],
)
def test_a_suspicious_box_is_found_at_its_record(boxes: Make, code: str, rows: list[Any]) -> None:
    assert found_in(boxes(*rows)) == [(code, f"a.json: annotation id {len(rows)}", 1)]


def test_boxes_just_within_the_limits_are_not_found(boxes: Make) -> None:
    """4 pixels; IoU 17.9 / 20; 95 % of the photo; 20 times as long as high; the same box in two photos."""
    near = [(1, 1, [0.0, 0, 20, 30]), (1, 1, [0, 0, 17.9, 30])]
    assert found_in(boxes(*near, (1, 1, [60, 10, 80, 4]), (2, 2, [0, 0, 190, 100]), (2, 1, [0, 0, 20, 30]))) == []


def test_a_class_whose_boxes_are_all_the_same_is_found(boxes: Make) -> None:
    same = [0, 0, 20, 30]
    assert ("W113", "class 'cat'", 1) not in found_in(boxes((1, 1, same), (2, 1, same)))
    again = boxes((1, 1, same), (2, 1, same), (2, 1, same))
    assert found_in(again) == [("W103", "a.json: annotation id 3", 1), ("W113", "class 'cat'", 1)]


def test_rare_classes_and_absent_photos_are_told_with_counts(boxes: Make) -> None:
    told = {(f.code, f.place, f.fact) for f in findings(boxes((1, 1, [0, 0, 20, 30])), False, False)}
    assert ("W116", "class 'cat'", "has 1 object") in told
    assert ("W116", "class 'dog'", "has no objects") in told
    assert [code for code, _, _ in told].count("W108") == 1


def test_a_pair_is_found_as_comparing_all_with_all_finds_it() -> None:
    random = np.random.default_rng(3)
    low = random.integers(0, 6, (400, 2)).astype(float)
    xyxy = np.hstack([low, low + random.integers(18, 24, (400, 2))])
    ints = np.zeros(400, np.int64)
    image = np.sort(random.integers(0, 3, 400))
    first, second = close_pairs(Boxes(xyxy, image, ints, ints, ints * 1.0, ints, ints, ints))
    inside = np.clip(
        np.minimum(xyxy[:, None, 2:], xyxy[None, :, 2:]) - np.maximum(xyxy[:, None, :2], xyxy[None, :, :2]), 0, None
    ).prod(axis=2)
    area = (xyxy[:, 2:] - xyxy[:, :2]).prod(axis=1)
    near = (inside / (area[:, None] + area[None, :] - inside) >= 0.9) & (image[:, None] == image[None, :])
    expected = {(int(a), int(b)) for a, b in np.argwhere(near) if a < b}
    assert len(expected) > 20
    assert {(min(p), max(p)) for p in zip(first.tolist(), second.tolist(), strict=True)} == expected


@pytest.fixture
def yolo(folder: Any) -> Any:
    """Give a YOLO folder of one train and one val photo with a cat each."""
    folder.text("data.yaml", "train: images/train\nval: images/val\nnames: [cat, dog]\n")
    for number, name in enumerate(("train/a", "val/b")):
        folder.photo(f"images/{name}.jpg", (200, 100 + number))
        folder.text(f"labels/{name}.txt", "0 0.5 0.5 0.1 0.2\n")
    return folder


def test_names_that_clash_are_found(yolo: Any) -> None:
    yolo.photo("images/train/A.jpg", (30, 30))
    yolo.photo("images/train/a.png", (31, 30))
    found = {(code, place) for code, place, _ in found_in(read_dataset(yolo.path))}
    assert found >= {("W111", "a.png"), ("W112", "a.jpg")}


def test_a_photo_nobody_labelled_and_a_class_only_in_val_are_found(yolo: Any) -> None:
    yolo.photo("images/train/c.jpg", (40, 30))
    yolo.text("labels/val/b.txt", "1 0.5 0.5 0.1 0.2\n")
    found = found_in(read_dataset(yolo.path))
    assert [(code, count) for code, _, count in found] == [("W110", 1), ("W114", 1)]
    assert [place for _, place, _ in found] == ["c.jpg", "class 'dog'"]


def test_a_copy_in_another_split_is_found_by_its_bytes(yolo: Any) -> None:
    assert found_in(read_dataset(yolo.path), photos=True) == []
    (yolo / "images/val/b.jpg").write_bytes((yolo / "images/train/a.jpg").read_bytes())
    ((code, place, count),) = found_in(read_dataset(yolo.path), photos=True)
    assert (code, count) == ("W115", 1) and "in train" in place and "in val" in place


def noise(folder: Any, name: str, seed: int, *, size: tuple[int, int] = (200, 100), quality: int = 90) -> None:
    """Write a photo of coarse noise; the same seed is the same picture."""
    blocks = np.random.default_rng(seed).integers(0, 255, (10, 20, 3), dtype=np.uint8)
    Image.fromarray(blocks).resize(size, Image.Resampling.BICUBIC).save(folder / name, quality=quality)


def test_a_picture_in_another_split_is_found_though_its_bytes_differ(yolo: Any) -> None:
    noise(yolo, "images/train/a.jpg", 1)
    noise(yolo, "images/val/b.jpg", 2)
    assert found_in(read_dataset(yolo.path), photos=True) == []
    noise(yolo, "images/val/b.jpg", 1, size=(420, 202), quality=40)
    assert found_in(read_dataset(yolo.path), photos=True) == [("W115", "b.jpg in val, a.jpg in train", 1)]


def test_a_photo_turned_by_exif_is_like_its_upright_copy_and_a_flat_one_like_nothing(tmp_path: Path) -> None:
    from focalcli.dataset.copies import alike, picture_steps

    noise(tmp_path, "up.png", 5)
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(tmp_path / "up.png") as photo:
        photo.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.jpg", exif=exif)
    for name in ("flat.png", "flat too.png"):
        Image.new("L", (9, 9), 7).save(tmp_path / name)
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    names = ("flat.png", "flat too.png", "torn.jpg", "up.png", "turned.jpg", "absent.jpg")
    photos = tuple(Photo(name, tmp_path / name, 9, 9) for name in names)
    found = [
        (a.tolist(), b.tolist()) for a, b in alike(picture_steps(Dataset((), photos, no_boxes(), tmp_path), small_grey))
    ]
    assert found == [([3], [4])]
    assert list(alike(picture_steps(Dataset((), (), no_boxes(), tmp_path), small_grey))) == []


def test_a_photo_cut_in_half_is_found_by_its_end_and_hidden_damage_by_decoding(yolo: Any) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (100, 200, 3), dtype=np.uint8)
    path = yolo / "images/train/a.jpg"
    Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    ((code, place, _),) = found_in(read_dataset(yolo.path), photos=True)
    assert (code, place) == ("W109", "a.jpg")
    Image.fromarray(noise).save(yolo / "images/train/a.png")
    path.unlink()
    png = bytearray((yolo / "images/train/a.png").read_bytes())
    png[len(png) // 2] ^= 0xFF
    (yolo / "images/train/a.png").write_bytes(bytes(png))
    assert found_in(read_dataset(yolo.path), photos=True) == []
    assert [code for code, _, _ in found_in(read_dataset(yolo.path), photos=True, deep=True)] == ["W109"]


def test_another_size_and_the_frame_before_the_turn_are_told_apart(
    folder: Any, document: Callable[..., dict[str, Any]]
) -> None:
    folder.photo("1.jpg", (200, 100), orientation=6)
    folder.photo("2.jpg", (64, 64))
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 200, "height": 100} for n in (1, 2)]
    folder.json("a.json", document(images, [], cat=1))
    assert found_in(read_dataset(folder.path), photos=True) == [
        ("W106", "2.jpg: 64 x 64, annotated 200 x 100", 1),
        ("W107", "1.jpg: 100 x 200, annotated 200 x 100", 1),
    ]


def test_unusual_pixels_are_told(tmp_path: Path) -> None:
    Image.new("CMYK", (9, 9)).save(tmp_path / "c.jpg")
    Image.fromarray(np.zeros((9, 9), np.uint16)).save(tmp_path / "d.png")
    frames = [Image.new("L", (9, 9), shade) for shade in (0, 200)]
    frames[0].save(tmp_path / "e.gif", save_all=True, append_images=frames[1:])
    said = {name: condition(tmp_path / name).unusual for name in ("c.jpg", "d.png", "e.gif")}
    assert said == {
        "c.jpg": "has CMYK colours",
        "d.png": "has more than 8 bits a sample",
        "e.gif": "is an animation, only its first frame is used",
    }


def test_a_repair_lists_every_change_and_nothing_is_left_to_repair(boxes: Make) -> None:
    twice = [(1, 1, [0, 0, 20, 30])] * 30
    read = boxes(*twice, (1, 1, [60, 5, -20, 9]))
    repaired, changes = fixed(read)
    assert [(c.code, c.place) for c in changes] == [
        ("E007", "a.json: annotation id 31"),
        *(("W103", f"a.json: annotation id {n}") for n in range(2, 31)),
    ]
    assert repaired.boxes.xyxy.tolist() == [[0, 0, 20, 30], [40, 5, 60, 14]]
    assert fixed(repaired)[0].boxes.xyxy.tolist() == repaired.boxes.xyxy.tolist()


@pytest.mark.skipif(not BCCD.is_dir(), reason=f"the BCCD photos are not at {BCCD}")
def test_real_photos_are_whole_and_their_annotations_nearly() -> None:
    """Of 38,859 pairs across BCCD's own splits one is alike: the same cells, photographed twice."""
    found = found_in(read_dataset(BCCD, options=ReadOptions(lenient=True)), photos=True)
    assert [(code, count) for code, _, count in found] == [("E008", 2), ("W104", 7), ("W115", 1)]
    assert found[-1][1] == "BloodImage_00037.jpg in val, BloodImage_00038.jpg in train"


def test_a_column_of_text_lines_does_not_take_all_day() -> None:
    """3,000 boxes with one left edge are compared with each other in vectors, not one by one."""
    low = np.stack([np.zeros(3000), np.arange(3000) * 10.0], axis=1)
    ints = np.zeros(3000, np.int64)
    first, _ = close_pairs(Boxes(np.hstack([low, low + 9]), ints, ints, ints, ints * 1.0, ints, ints, ints))
    assert len(first) == 0
