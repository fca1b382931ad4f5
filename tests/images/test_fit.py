import numpy as np
import pytest

from focalcli.config import ClassInfo, FitConfig, ModelConfig
from focalcli.images.fit import Fit
from tests.images.make import scene

FIT = Fit(min_size=320, max_size=544, divisor=32, fill=(128, 128, 128))


@pytest.mark.parametrize(
    ("image_size", "shape"),
    [
        ((480, 640), (320, 427)),  # scale 320/480; 640 * 2/3 = 426.67
        ((640, 480), (427, 320)),
        ((1000, 4000), (136, 544)),  # the longer side limits: 544/4000
        ((320, 320), (320, 320)),
        ((1, 10_000), (1, 544)),  # 0.05 rows are still one
        ((1, 1), (320, 320)),
    ],
)
def test_shape_follows_the_shorter_side_unless_the_longer_is_too_long(image_size: tuple, shape: tuple) -> None:
    assert FIT.shape(image_size) == shape


def test_padded_shape_is_the_next_multiple() -> None:
    assert FIT.padded_shape((480, 640)) == (320, 448)
    assert FIT.padded_shape((1, 10_000)) == (32, 544)


def test_a_model_gives_its_fit_and_its_mean_colour() -> None:
    config = ModelConfig(classes=(ClassInfo("a", 1),), mean=(0.485, 0.456, 0.406), fit=FitConfig(800, 1333, 32))
    # 0.485 * 255 = 123.7, 0.456 * 255 = 116.3, 0.406 * 255 = 103.5
    assert Fit.of(config) == Fit(800, 1333, 32, (124, 116, 104))


def test_apply_gives_the_shape_and_keeps_flat_colour() -> None:
    flat = np.full((480, 640, 3), (10, 120, 250), np.uint8)
    fitted = FIT.apply(flat)
    assert fitted.shape == (320, 427, 3) and fitted.dtype == np.uint8
    assert (fitted == (10, 120, 250)).all()


def test_apply_leaves_a_photo_of_the_right_size_alone() -> None:
    photo = scene(320, 400)
    assert FIT.apply(photo) is photo


def test_apply_is_antialiased() -> None:
    """One-pixel stripes shrink to grey, not to whichever stripe a sample hits."""
    stripes = np.zeros((1280, 1280, 3), np.uint8)
    stripes[:, ::2] = 200
    inner = FIT.apply(stripes)[:, 4:-4].astype(int)
    assert np.abs(inner - 100).max() <= 2


def test_boxes_go_there_and_back() -> None:
    size = (480, 641)  # 320 x 427: x and y ratios differ
    boxes = np.array([[0, 0, 641, 480], [10.25, 20.5, 30, 44.75], [5, 5, 5, 5]])
    there = FIT.forward_boxes(boxes, size)
    assert there.dtype == np.float64
    assert there[0].tolist() == [0, 0, 427, 320]
    back = FIT.undo(there, size)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, boxes, atol=1e-4)


def test_undo_clips_to_the_photo() -> None:
    back = FIT.undo(np.array([[-5.0, -5.0, 448.0, 320.0]], np.float32), (480, 640))
    assert back.tolist() == [[0, 0, 640, 480]]


def test_no_boxes_stay_no_boxes() -> None:
    none = np.zeros((0, 4), np.float32)
    assert FIT.forward_boxes(none, (5, 5)).shape == FIT.undo(none, (5, 5)).shape == (0, 4)
    assert FIT.forward_boxes(none, (5, 5)).dtype == np.float32


def test_pad_fills_right_and_bottom_with_the_mean_colour() -> None:
    fit = Fit(8, 8, 4, (1, 2, 3))
    small, wide = np.full((2, 3, 3), 9, np.uint8), np.full((1, 5, 3), 7, np.uint8)
    batch = fit.pad([small, wide])
    assert batch.shape == (2, 3, 4, 8) and batch.dtype == np.uint8
    assert (batch[0, :, :2, :3] == 9).all() and (batch[1, :, :1, :5] == 7).all()
    padding = batch.copy()
    padding[0, :, :2, :3] = padding[1, :, :1, :5] = 0
    assert padding[0, :, 3, 7].tolist() == padding[1, :, 1, 0].tolist() == padding[0, :, 0, 3].tolist() == [1, 2, 3]
    assert sorted(np.unique(padding)) == [0, 1, 2, 3]


def test_pad_lies_in_memory_as_channels_last() -> None:
    import torch

    tensor = torch.from_numpy(FIT.pad([scene(320, 427)] * 2))
    assert tensor.is_contiguous(memory_format=torch.channels_last)


def test_enlarge_pads_further_with_the_same_colour() -> None:
    """As if the photos had been padded to that size at once, down to how they lie in memory."""
    fit, wider = Fit(8, 8, 4, (1, 2, 3)), Fit(8, 8, 12, (1, 2, 3))
    photos = [np.full((2, 3, 3), 9, np.uint8), np.full((1, 5, 3), 7, np.uint8)]
    batch, expected = fit.enlarge(fit.pad(photos), (12, 12)), wider.pad(photos)
    assert (batch == expected).all() and batch.strides == expected.strides
    assert fit.enlarge(batch, (12, 12)) is batch
    assert fit.enlarge(fit.pad([]), (4, 4)).shape == (0, 3, 4, 4)


def test_no_photos_make_an_empty_batch() -> None:
    assert FIT.pad([]).shape == (0, 3, 0, 0)
