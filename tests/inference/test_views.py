import numpy as np
import pytest
from PIL import Image

from focalcli.errors import UsageError
from focalcli.images.fit import Fit
from focalcli.images.picture import Picture
from focalcli.inference.detector import Detector
from focalcli.inference.options import ViewConfig
from focalcli.inference.views import prepare
from tests.inference.mock_runtime import MockRuntime

FIT = Fit(64, 96, 32, (0, 0, 0))


def scene(height: int, width: int, *boxes: tuple[int, int, int, int], channel: int = 0) -> np.ndarray:
    image = np.zeros((height, width, 3), np.uint8)
    for x1, y1, x2, y2 in boxes:
        image[y1:y2, x1:x2, channel] = 255
    return image


def found(image: np.ndarray, views: ViewConfig) -> np.ndarray:
    """Boxes in reading order."""
    [answer] = Detector(MockRuntime(), views=views).detect([image])
    return answer.boxes[np.lexsort((answer.boxes[:, 0], answer.boxes[:, 1]))]


def test_the_default_is_one_view_of_all() -> None:
    [view] = prepare(scene(128, 150), FIT, ViewConfig()).views
    assert view.pixels.shape == (64, 75, 3) and view.origin == (0, 0) and not view.mirrored


@pytest.mark.parametrize("tile", [150, 151, 4000])
def test_a_tile_that_holds_the_photo_changes_nothing(tile: int) -> None:
    image = scene(128, 150, (10, 10, 37, 45), (100, 20, 149, 127))
    [plain] = Detector(MockRuntime()).detect([image])
    [tiled] = Detector(MockRuntime(), views=ViewConfig(tile=str(tile))).detect([image])
    for name in ("boxes", "scores", "classes"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(tiled, name))


@pytest.mark.parametrize("config", [ViewConfig(), ViewConfig(tile="64", tta=("flip", "scales"))])
@pytest.mark.parametrize("size", [(128, 150), (64, 96)])
def test_a_picture_gives_the_views_of_its_pixels(config: ViewConfig, size: tuple[int, int]) -> None:
    """Whether Pillow's image is resized, or an array of its pixels, changes no bit; also where nothing is resized."""
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    picture = Picture(Image.fromarray(pixels))
    assert picture.shape == pixels.shape and (picture[10:40, 5:9] == pixels[10:40, 5:9]).all()
    ours, theirs = (prepare(photo, FIT, config).views for photo in (picture, pixels))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
        assert (one.origin, one.crop_size, one.mirrored) == (other.origin, other.crop_size, other.mirrored)


def test_a_view_cut_at_an_edge_knows_which() -> None:
    views = list(prepare(scene(100, 160), FIT, ViewConfig(tile="100", overlap=0.2)).views)
    assert [view.origin for view in views] == [(0, 0), (60, 0)]
    boxes = np.array([[0, 0, 99, 99], [60, 10, 90, 90], [30, 30, 40, 40]], np.float32)
    # the left tile ends at x = 100 inside the photo; its other edges are the photo's own
    assert views[0].cut(boxes).tolist() == [[False, False, True, False], [False] * 4, [False] * 4]
    assert views[1].cut(boxes).tolist() == [[False] * 4, [True, False, False, False], [False] * 4]


@pytest.mark.parametrize("x", [5, 40, 52, 58, 62, 75, 95, 110, 140])
@pytest.mark.parametrize("y", [5, 45, 58, 70, 90])
def test_an_object_smaller_than_the_overlap_gives_one_box_wherever_it_lies(x: int, y: int) -> None:
    image = scene(128, 160, (x, y, x + 12, y + 12))
    assert found(image, ViewConfig(tile="64", overlap=0.25)).tolist() == [[x, y, x + 12, y + 12]]


@pytest.mark.parametrize(
    "box", [(10, 20, 150, 40), (30, 5, 50, 120), (4, 4, 156, 30)], ids=["wide", "high", "over three tiles"]
)
def test_an_object_longer_than_a_tile_gives_one_box(box: tuple[int, int, int, int]) -> None:
    assert found(scene(128, 160, box), ViewConfig(tile="64", overlap=0.25)).tolist() == [list(box)]


def test_neighbours_at_a_seam_stay_two() -> None:
    """Two objects of a class, one at each side of a seam, at different heights."""
    image = scene(64, 120, (40, 5, 54, 20), (66, 40, 80, 55))
    assert found(image, ViewConfig(tile="64", overlap=0.1)).tolist() == [[40, 5, 54, 20], [66, 40, 80, 55]]


def test_more_objects_than_one_view_can_give_are_found_in_tiles() -> None:
    """The mock finds one object of a class in a view; six tiles find six."""
    boxes = [(x, y, x + 10, y + 10) for y in (20, 90) for x in (20, 90, 160)]
    image = scene(130, 200, *boxes)
    assert found(image, ViewConfig(tile="64", overlap=0)).tolist() == [list(map(float, box)) for box in boxes]


@pytest.mark.parametrize("tta", [("flip",), ("scales",), ("flip", "scales")])
def test_looking_again_gives_one_box_an_object(tta: tuple[str, ...]) -> None:
    image = scene(64, 90, (10, 20, 30, 50)) + scene(64, 90, (50, 8, 70, 40), channel=2)
    [answer] = Detector(MockRuntime(), views=ViewConfig(tta=tta)).detect([image])
    assert sorted(answer.classes.tolist()) == [0, 2]
    rows = np.argsort(answer.classes)
    np.testing.assert_allclose(answer.boxes[rows], [[10, 20, 30, 50], [50, 8, 70, 40]], atol=1.6)


def test_scales_are_four_fifths_one_and_five_fourths_of_the_input() -> None:
    """64 x 90 fills an input of 64 pixels; 0.8 * 64 = 51.2, 1.25 * 64 = 80. Each gives its boxes back to the photo."""
    small, plain, large = prepare(scene(64, 90), FIT, ViewConfig(tta=("scales",))).views
    assert [view.pixels.shape[0] for view in (small, plain, large)] == [51, 64, 80]
    np.testing.assert_allclose(large.restore(np.array([[12.5, 25, 37.5, 62.5]], np.float32)), [[10, 20, 30, 50]], 0.01)


def test_a_mirrored_view_gives_the_boxes_of_the_photo() -> None:
    image = scene(64, 90, (10, 20, 30, 50))
    plain, mirrored = prepare(image, FIT, ViewConfig(tta=("flip",))).views
    assert (mirrored.pixels == plain.pixels[:, ::-1]).all()
    assert mirrored.restore(np.array([[60, 20, 80, 50]], np.float32)).tolist() == [[10, 20, 30, 50]]


def test_many_tiles_are_made_only_as_they_are_taken() -> None:
    assert isinstance(prepare(scene(64, 64), FIT, ViewConfig(tile="32")).views, tuple)
    views = prepare(np.zeros((2000, 2000, 3), np.uint8), FIT, ViewConfig(tile="64")).views
    assert iter(views) is views


@pytest.mark.parametrize("tile", ["big", "31", "-4", "", "3.5"])
def test_a_tile_is_a_number_of_pixels(tile: str) -> None:
    with pytest.raises(UsageError) as caught:
        ViewConfig(tile=tile)
    assert str(caught.value) == f"--tile: {tile!r} is no side of a tile, give auto, off, or 32 pixels or more"


def test_auto_tiles_show_pixels_as_they_are() -> None:
    views = prepare(scene(150, 150), FIT, ViewConfig(tile="auto")).views
    assert {view.pixels.shape for view in views} == {(64, 64, 3)}
