import numpy as np
import pytest

from focalcli.errors import DataError, FocalError
from focalcli.inference.detections import Detections, RawDetections
from focalcli.inference.detector import Detector
from focalcli.inference.options import ViewConfig
from tests.inference.mock_runtime import CONFIG, MockRuntime


def photo(height: int, width: int, box: tuple[int, int, int, int], *, channel: int = 0, value: int = 255) -> np.ndarray:
    image = np.zeros((height, width, 3), np.uint8)
    x1, y1, x2, y2 = box
    image[y1:y2, x1:x2, channel] = value
    return image


def test_no_photos_give_no_detections() -> None:
    assert list(Detector(MockRuntime()).detect([])) == []


def test_boxes_come_back_in_pixels_of_the_photo() -> None:
    # 64 x 64 is shown as it is; 128 x 128 at half its size
    [small, large] = Detector(MockRuntime()).detect(
        [photo(64, 64, (10, 20, 30, 50)), photo(128, 128, (20, 40, 60, 100), channel=2)]
    )
    assert small.boxes.tolist() == [[10, 20, 30, 50]] and small.classes.tolist() == [0]
    assert large.boxes.tolist() == [[20, 40, 60, 100]] and large.classes.tolist() == [2]


def test_a_photo_without_objects_gives_empty_detections() -> None:
    [found] = Detector(MockRuntime()).detect([np.zeros((50, 70, 3), np.uint8)])
    assert len(found) == 0 and found.boxes.shape == (0, 4)


def test_photos_of_one_shape_share_batches_and_answers_keep_the_order() -> None:
    runtime = MockRuntime()
    shapes = [(64, 64), (64, 90), (64, 64), (64, 96), (64, 64), (90, 64)]
    photos = [photo(h, w, (i, 0, i + 20, 30)) for i, (h, w) in enumerate(shapes)]
    answers = list(Detector(runtime, batch=2).detect(photos))
    assert [round(float(a.boxes[0, 0])) for a in answers] == [0, 1, 2, 3, 4, 5]
    # 64 x 90 and 64 x 96 are both padded to 64 x 96
    assert sorted(runtime.shapes) == [(1, 3, 64, 64), (1, 3, 96, 64), (2, 3, 64, 64), (2, 3, 64, 96)]


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 100])
def test_the_batch_size_changes_nothing(batch: int) -> None:
    random = np.random.default_rng(0)
    photos = [
        photo(int(h), int(w), (5, 5, 30, 40), channel=i % 3, value=200 + i)
        for i, (h, w) in enumerate(random.integers(40, 200, (40, 2)))
    ]
    singles = [found for image in photos for found in Detector(MockRuntime(), batch=1).detect([image])]
    for one, other in zip(singles, Detector(MockRuntime(), batch=batch).detect(photos), strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.scores, other.scores)
        np.testing.assert_array_equal(one.classes, other.classes)


def test_errors_pass_through_in_their_place() -> None:
    detector, error = Detector(MockRuntime(), batch=4), DataError("b.jpg", "is empty")
    good = photo(64, 64, (0, 0, 9, 9))
    answers = list(detector.stream([detector.prepare(good), error, detector.prepare(good)]))
    assert [isinstance(answer, FocalError) for answer in answers] == [False, True, False]
    assert answers[1] is error


def test_detect_raises_what_a_photo_met() -> None:
    def photos():
        yield photo(64, 64, (0, 0, 9, 9))
        raise DataError("b.jpg", "is empty")

    with pytest.raises(DataError):
        list(Detector(MockRuntime()).detect(photos()))


def test_none_asks_for_the_answers_that_are_due() -> None:
    """A slow source must not hold back what it has already given."""
    detector = Detector(MockRuntime(), batch=100)
    seen = []

    def source():
        for _ in range(3):
            yield detector.prepare(photo(64, 64, (0, 0, 9, 9)))
        yield None
        assert len(seen) == 3

    for answer in detector.stream(source()):
        seen.append(answer)


def test_few_photos_wait_however_many_shapes_there_are() -> None:
    detector = Detector(MockRuntime(), batch=2)
    given = 0

    def source():
        nonlocal given
        for i in range(200):
            given += 1
            yield detector.prepare(np.zeros((40 + i, 300 - i, 3), np.uint8))

    for received, _ in enumerate(detector.stream(source())):
        assert given - received <= 2 * 8 + 1


def test_the_threshold_keeps_equal_scores() -> None:
    image = photo(64, 64, (0, 0, 20, 20), value=204) + photo(64, 64, (30, 30, 50, 50), channel=1, value=203)
    [found] = Detector(MockRuntime(), threshold=float(np.float32(204 / 255))).detect([image])
    assert found.classes.tolist() == [0]


class FixedRuntime:
    """Gives the same raw detections for every image."""

    config, batch_pixels = CONFIG, 64 * 64

    def __init__(self, boxes: list) -> None:
        self.boxes = np.array(boxes, np.float32).reshape(-1, 4)

    def run(self, images: np.ndarray) -> RawDetections:
        n, k = len(images), len(self.boxes)
        scores = np.linspace(0.9, 0.5, k, dtype=np.float32)[None].repeat(n, 0)
        return RawDetections(self.boxes[None].repeat(n, 0), scores, np.zeros((n, k), np.int64), np.full(n, k))


def test_boxes_are_clipped_to_the_photo_and_dropped_when_nothing_is_left() -> None:
    # a 64 x 65 photo lies in a 64 x 96 canvas: columns from 65 are padding
    runtime = FixedRuntime([[60, 0, 80, 10], [70, 0, 90, 10], [5, 5, 5, 20], [0, 0, 96, 64]])
    [found] = Detector(runtime).detect([np.zeros((64, 65, 3), np.uint8)])
    assert found.boxes.tolist() == [[60, 0, 65, 10], [0, 0, 65, 64]]
    assert found.scores.tolist() == pytest.approx([0.9, 0.5])


def valid_raw() -> dict:
    return {
        "boxes": np.zeros((1, 2, 4), np.float32),
        "scores": np.zeros((1, 2), np.float32),
        "classes": np.zeros((1, 2), np.int64),
        "counts": np.array([1]),
    }


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ({"boxes": np.zeros((1, 3, 4), np.float32)}, "shapes"),
        ({"scores": np.zeros(2, np.float32)}, "shapes"),
        ({"counts": np.array([3])}, "shapes"),
        ({"counts": np.array([1, 1])}, "shapes"),
        ({"scores": np.array([[np.nan, 0]], np.float32)}, "not finite"),
        ({"boxes": np.full((1, 2, 4), np.inf, np.float32)}, "not finite"),
        ({"classes": np.array([[3, -1]])}, "outside its own 3"),
        ({"classes": np.array([[-1, -1]])}, "outside its own 3"),
    ],
)
def test_what_a_model_must_not_answer_is_refused(change: dict, fact: str) -> None:
    with pytest.raises(DataError, match=rf"m\.onnx: .*{fact}"):
        RawDetections(**(valid_raw() | change)).check("m.onnx", 1, 3)


def test_padding_may_hold_any_class() -> None:
    raw = RawDetections(**(valid_raw() | {"classes": np.array([[2, -1]])}))
    assert raw.check("m.onnx", 1, 3) is raw


def test_detections_must_descend() -> None:
    with pytest.raises(AssertionError, match="rise"):
        Detections(np.zeros((2, 4), np.float32), np.array([0.1, 0.2], np.float32), np.zeros(2, np.int64))


def test_without_a_number_the_pixels_of_a_batch_are_bounded() -> None:
    """4 x 64 x 64 pixels: four of 64 x 64, two of 64 x 96 or 96 x 64, and a lone one that is larger than all."""
    runtime = MockRuntime()
    photos = [photo(h, w, (1, 1, 20, 30)) for h, w in [(64, 64)] * 9 + [(64, 96)] * 5 + [(96, 64)] * 2]
    assert len(list(Detector(runtime).detect(photos))) == 16
    assert sorted(runtime.shapes) == [(1, 3, 64, 64), (1, 3, 64, 96), *[(2, 3, 64, 96)] * 2, (2, 3, 96, 64),
                                      *[(4, 3, 64, 64)] * 2]  # fmt: skip
    tight = MockRuntime()
    tight.batch_pixels = 1
    assert len(list(Detector(tight).detect(photos[:3]))) == 3 and {shape[0] for shape in tight.shapes} == {1}


@pytest.mark.parametrize("side", [64, 96, 200])
def test_a_tile_of_the_whole_photo_is_the_photo(side: int) -> None:
    """A tile as large as the photo, or larger, changes nothing."""
    image = photo(60, 64, (10, 20, 30, 50))
    [whole] = Detector(MockRuntime()).detect([image])
    [tiled] = Detector(MockRuntime(), views=ViewConfig(tile=str(side))).detect([image])
    for name in ("boxes", "scores", "classes"):
        assert getattr(whole, name).tolist() == getattr(tiled, name).tolist()
