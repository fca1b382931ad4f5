"""Mosaics and pasted objects: boxes by hand, pixels where the boxes say, and the same for the same seed."""

import numpy as np
import pytest

from focalcli.training.augment import Sample
from focalcli.training.mixtures import mixed, mosaic, pasted, resized


def photo(colour: int, *boxes: tuple[int, int, int, int], size: tuple[int, int] = (40, 60)) -> Sample:
    """Give a grey photo (height, width) with objects of one colour."""
    image = np.full((*size, 3), 100, np.uint8)
    for x1, y1, x2, y2 in boxes:
        image[y1:y2, x1:x2] = colour
    return Sample(image, np.array(boxes, float).reshape(-1, 4), np.full(len(boxes), colour))


class Told(np.random.Generator):
    """A generator whose numbers are given."""

    def __init__(self, *numbers: float) -> None:
        super().__init__(np.random.PCG64(0))
        self.numbers = list(numbers)

    def uniform(self, low: float = 0, high: float = 1, size: object = None) -> float:  # type: ignore[override]
        return self.numbers.pop(0)


def test_a_mosaic_by_hand() -> None:
    """Canvas 60 x 40, the point at (30, 20). All photos at half size, 30 x 20: their corners meet there and each fills
    its quarter. A box (10, 10, 30, 30) becomes (5, 5, 15, 15), moved by the quarter's corner.
    """
    photos = [photo(200 + i, (10, 10, 30, 30)) for i in range(4)]
    done = mosaic(photos, Told(0.5, 0.5, 0.5, 0.5, 0.5, 0.5), (1, 2, 3))
    assert done.boxes.tolist() == [[5, 5, 15, 15], [35, 5, 45, 15], [5, 25, 15, 35], [35, 25, 45, 35]]
    assert done.classes.tolist() == [200, 201, 202, 203]
    for (x1, y1, x2, y2), colour in zip(done.boxes.astype(int), done.classes, strict=True):
        assert (done.image[y1 + 1 : y2 - 1, x1 + 1 : x2 - 1] == colour).all()


def test_what_a_mosaic_cuts_off_is_no_object_any_more() -> None:
    """At full size the first photo's corner (60, 40) meets the point (30, 20): of x only 30 to 60 is to be seen, of y
    20 to 40. Of (20, 20, 40, 40) that is half: (0, 0, 10, 20) on the canvas; of (25, 25, 32, 40) it is 2/7: dropped.
    """
    first = photo(200, (20, 20, 40, 40), (25, 25, 32, 40))
    done = mosaic([first, photo(1), photo(2), photo(3)], Told(0.5, 0.5, 1, 1, 1, 1), (1, 2, 3))
    assert done.boxes.tolist() == [[0, 0, 10, 20]]


def test_small_photos_leave_the_fill() -> None:
    small = [photo(9, size=(40, 60)), *(photo(9, size=(1, 60)) for _ in range(3))]
    done = mosaic(small, Told(0.5, 0.5, 0.5, 0.5, 0.5, 0.5), (1, 2, 3))
    assert done.boxes.shape == (0, 4) and (done.image[0, 59] == (1, 2, 3)).all()


def test_boxes_follow_the_rounded_size() -> None:
    """60 x 41 to a longer side of 30: 30 x 20 (20.5 to even), so y shrinks by 20 / 41."""
    done = resized(photo(9, (6, 0, 12, 41), size=(41, 60)), 30)
    assert done.image.shape[:2] == (20, 30) and done.boxes.tolist() == [[3, 0, 6, 20]]


@pytest.mark.parametrize("seed", range(5))
def test_pasted_objects_hide_none_and_are_where_their_boxes_say(seed: int) -> None:
    """Of the source's four objects two overlap and stay behind."""
    own = photo(200, (0, 0, 20, 20))
    source = photo(50, (1, 1, 9, 9), (30, 5, 36, 12), (40, 20, 50, 30), (45, 25, 55, 35))
    done = pasted(own, source, np.random.default_rng(seed))
    assert (done.image[0:20, 0:20] == 200).all() and done.boxes[0].tolist() == [0, 0, 20, 20]
    assert set(done.classes[1:]) <= {50} and len(done.boxes) == 3
    sides = sorted(map(tuple, (done.boxes[1:, 2:] - done.boxes[1:, :2]).tolist()))
    assert sides == [(6, 7), (8, 8)]
    for x1, y1, x2, y2 in done.boxes[1:].astype(int):
        assert (done.image[y1:y2, x1:x2] == 50).all()
    assert (own.image[20:] == 100).all()


def test_nothing_is_pasted_where_there_is_nothing_or_no_room() -> None:
    own = photo(200, (0, 0, 60, 40))
    assert pasted(own, photo(50), np.random.default_rng(0)).boxes.tolist() == own.boxes.tolist()
    assert len(pasted(own, photo(50, (0, 0, 9, 9)), np.random.default_rng(0)).boxes) == 1
    assert len(pasted(photo(1, size=(5, 5)), photo(50, (0, 0, 9, 9)), np.random.default_rng(0)).boxes) == 0


def test_a_mixture_is_a_function_of_its_seed() -> None:
    photos = [photo(50 + i, (i, i, i + 9, i + 9)) for i in range(8)]
    kinds = set()
    for seed in range(12):
        one, other = (
            mixed(photos[0], photos.__getitem__, 8, generator=np.random.default_rng(seed), fill=(0, 0, 0))
            for _ in range(2)
        )
        assert (one.image == other.image).all() and (one.boxes == other.boxes).all()
        kinds.add(len(one.boxes))
    assert kinds >= {1, 2}
