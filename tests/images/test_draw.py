import numpy as np
import pytest

from focalcli.images.draw import BLACK, WHITE, class_colour, draw_boxes, text_colour


def grey(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), 90, np.uint8)


def boxes(*rows: tuple) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def test_no_boxes_leave_the_photo_as_it_is() -> None:
    photo = grey(480, 640)
    drawn = draw_boxes(photo, boxes(), [], [])
    assert (drawn == photo).all() and drawn is not photo


def test_the_photo_given_is_not_changed() -> None:
    photo = grey(480, 640)
    draw_boxes(photo, boxes((10, 10, 100, 100)), ["cat"], [0])
    assert (photo == 90).all()


def test_a_frame_lies_on_the_first_and_last_pixel_of_its_box() -> None:
    drawn = draw_boxes(grey(480, 640), boxes((100, 150, 200.0, 300.5)), [""], [3])
    for y, x in [(150, 100), (150, 199), (300, 100), (300, 199), (220, 100), (150, 150)]:
        assert tuple(drawn[y, x]) == class_colour(3)
    assert tuple(drawn[149, 150]) == BLACK and tuple(drawn[301, 150]) == BLACK
    assert (drawn[200:250, 110:190] == 90).all(), "the inside stays visible"


def test_a_label_is_written_in_contrast_on_its_colour() -> None:
    drawn = draw_boxes(grey(480, 640), boxes((100, 150, 300, 300)), ["cat 0.87"], [0])
    above = drawn[125:149, 101:180].reshape(-1, 3).tolist()
    assert above.count(list(class_colour(0))) > 500
    assert above.count(list(text_colour(class_colour(0)))) > 20


@pytest.mark.parametrize("size", [(16, 16), (32, 48), (480, 640), (3000, 4000), (60, 2000), (2000, 60)])
@pytest.mark.parametrize("corner", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_labels_stay_inside_at_any_size(size: tuple[int, int], corner: tuple[int, int]) -> None:
    """All of a label's ground is in the picture, and letters are at least 13 pixels high."""
    height, width = size
    y, x = corner[0] * (height - 6), corner[1] * (width - 6)
    blank = draw_boxes(grey(*size), boxes(), [], [])
    drawn = draw_boxes(grey(*size), boxes((x, y, x + 6, y + 6)), ["a"], [4])
    ground = (drawn == class_colour(4)).all(axis=2)
    rows, columns = np.nonzero(ground)
    assert rows.max() - rows.min() >= 13 and columns.max() - columns.min() >= 8
    assert drawn.shape == blank.shape and max(drawn.shape) >= 480
    assert (drawn == text_colour(class_colour(4))).all(axis=2).any()


def test_labels_of_neighbours_do_not_cover_each_other() -> None:
    pair = boxes((200, 200, 300, 300), (204, 204, 304, 304))
    drawn = draw_boxes(grey(480, 640), pair, ["first 0.9", "second 0.8"], [0, 1])
    for colour, name in ((class_colour(0), "first"), (class_colour(1), "second")):
        alone = draw_boxes(grey(480, 640), boxes((200, 200, 300, 300)), [f"{name} 0.9"], [0 if name == "first" else 1])
        area = (drawn == colour).all(axis=2).sum()
        assert area > 0.8 * (alone == colour).all(axis=2).sum(), name


def test_the_first_box_lies_on_top() -> None:
    same = boxes((100, 100, 300, 300), (100, 100, 300, 300))
    assert tuple(draw_boxes(grey(480, 640), same, ["", ""], [2, 7])[200, 100]) == class_colour(2)


def test_colours_are_stable_and_distinct() -> None:
    assert class_colour(0) == (255, 51, 38)
    colours = np.array([class_colour(index) for index in range(18)], float)
    distances = np.linalg.norm(colours[:, None] - colours[None], axis=2) + 1000 * np.eye(18)
    assert distances.min() > 25
    assert np.linalg.norm(np.diff(colours, axis=0), axis=1).min() > 150, "neighbours are far apart"


def test_text_stands_out() -> None:
    assert text_colour((255, 255, 0)) == BLACK and text_colour((0, 0, 160)) == WHITE
