"""The synthetic bay: deterministic, imbalanced, partly hidden, and boxed exactly."""

import json
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from focalcli.errors import CannotWrite
from focalcli.images.synthetic import CLASSES, MIN_SIDE, MIN_VISIBLE, Scene, compose, deal, jpeg, paint
from focalcli.images.synthetic_set import Photo, coco, write_bay
from focalcli.images.synthetic_sprites import Sprite


@cache
def scenes() -> list[Scene]:
    return [compose(3, 0, index, names) for index, names in enumerate(deal(3, 0, 40))]


def seen(scene: Scene, target: Sprite, layers: tuple[Sprite, ...]) -> np.ndarray:
    """Give how much of each pixel shows `target`: paint it white and all else black, without light and noise."""
    black = [replace(s, rgb=np.full_like(s.rgb, 255 if s is target else 0), shadow=0) for s in layers]
    dark = replace(
        scene,
        water=np.zeros_like(scene.water),
        light=np.ones_like(scene.light),
        grain=np.zeros_like(scene.grain),
    )
    return paint(dark, black)[..., 0] / 255


def bounds(mask: np.ndarray) -> tuple[int, ...]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def targets(scene: Scene) -> list[Sprite]:
    return [sprite for sprite in scene.sprites if sprite.kind in CLASSES]


def test_no_photos_get_no_objects() -> None:
    assert deal(0, 0, 0) == []
    assert json.loads(coco([]))["images"] == []


def test_the_same_seed_split_and_index_give_the_same_bytes() -> None:
    names = ("buoy", "boat", "orca")
    assert jpeg(paint(compose(5, 1, 2, names))) == jpeg(paint(compose(5, 1, 2, names)))


@pytest.mark.parametrize("key", [(6, 1, 2), (5, 0, 2), (5, 1, 3)], ids=["seed", "split", "index"])
def test_another_seed_split_or_index_gives_another_photo(key: tuple[int, int, int]) -> None:
    assert jpeg(paint(compose(*key, ("buoy",)))) != jpeg(paint(compose(5, 1, 2, ("buoy",))))


def test_classes_have_their_share_and_some_photos_are_empty() -> None:
    hands = deal(0, 0, 240)
    counts = Counter(name for hand in hands for name in hand)
    for name, (share, _, _) in CLASSES.items():
        assert counts[name] / counts.total() == pytest.approx(share, abs=0.002)
    assert sum(not hand for hand in hands) == 36  # 15 % of 240


def test_a_tiny_split_still_has_every_class() -> None:
    assert {name for hand in deal(0, 2, 4) for name in hand} == set(CLASSES)


def test_a_larger_photo_holds_more_objects() -> None:
    few, many = (sum(map(len, deal(0, 0, 20, size=size))) for size in (320, 960))
    assert many > 6 * few  # nine times the area


def test_boxes_hug_what_is_seen_of_each_object() -> None:
    """Painting one object white and everything else black gives its visible pixels; the box is their bounds."""
    checked = 0
    for scene in scenes():
        assert [found.name for found in scene.objects] == [sprite.kind for sprite in targets(scene)]
        for found, sprite in zip(scene.objects, targets(scene), strict=True):
            assert found.box == bounds(seen(scene, sprite, scene.sprites) >= 0.5)
            checked += 1
    assert checked > 80


def test_an_object_alone_fills_its_box() -> None:
    """Rendered with only that object, its box is the same where nothing covers it, and never smaller."""
    same = 0
    for scene in scenes():
        for found, sprite in zip(scene.objects, targets(scene), strict=True):
            alone = bounds(seen(scene, sprite, (sprite,)) >= 0.5)
            assert alone[0] <= found.box[0] and alone[1] <= found.box[1]
            assert alone[2] >= found.box[2] and alone[3] >= found.box[3]
            same += alone == found.box
    assert same > 40


def test_some_objects_are_partly_hidden_but_none_too_much() -> None:
    shares = [
        seen(scene, sprite, scene.sprites).sum() / sprite.alpha.sum() for scene in scenes() for sprite in targets(scene)
    ]
    assert min(shares) > MIN_VISIBLE - 0.01
    assert 0.1 < np.mean(np.array(shares) < 0.9) < 0.6


def test_boxes_lie_inside_the_photo_and_are_large_enough_to_see() -> None:
    for scene in scenes():
        height, width = scene.light.shape
        for _, (x1, y1, x2, y2) in scene.objects:
            assert 0 <= x1 <= x2 - MIN_SIDE and 0 <= y1 <= y2 - MIN_SIDE and x2 <= width and y2 <= height
            assert max(x2 - x1, y2 - y1) <= 64


def test_photos_have_several_sizes() -> None:
    sizes = {scene.light.shape for scene in scenes()}
    assert (256, 320) in sizes and len(sizes) >= 3
    assert {max(size) for size in sizes} <= {320, 288}


def test_coco_boxes_are_x_y_width_height_with_ids_that_go_on() -> None:
    photo = Photo("a.jpg", 320, 256, scenes()[0].objects[:1])
    x1, y1, x2, y2 = photo.objects[0].box
    written = json.loads(coco([Photo("e.jpg", 320, 256, ()), photo], first_image=7, first_annotation=9))
    assert [image["id"] for image in written["images"]] == [7, 8]
    annotation = written["annotations"][0]
    assert annotation["bbox"] == [x1, y1, x2 - x1, y2 - y1]
    assert (annotation["id"], annotation["image_id"]) == (9, 8)
    assert [category["name"] for category in written["categories"]] == ["buoy", "boat", "orca"]


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CannotWrite, match="not an empty folder"):
        write_bay(tmp_path, 6, size=160, seed=0)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
