"""A model's detections on a data set: classes meet by name, photos must be those that were annotated."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from focalcli.errors import DataError, InputNotFound
from focalcli.evaluation.coco import evaluate
from focalcli.evaluation.predict import predict
from tests.evaluation.cases import dataset
from tests.inference.mock_runtime import MockRuntime

LIMIT = 10**6


def scene(folder: Path, classes: tuple[str, ...]) -> object:
    """Two photos of 96 x 64 with a green and a red square, and their annotations."""
    data = dataset((0, classes.index("green"), 8, 8, 24, 24), images=2, classes=classes)
    for index, channel in enumerate((1, 0)):
        pixels = np.zeros((64, 96, 3), np.uint8)
        pixels[8:32, 8:32, channel] = 255
        Pillow.fromarray(pixels).save(folder / f"{index}.png")
    images = tuple(image.but(path=folder / f"{i}.png", width=96, height=64) for i, image in enumerate(data.images))
    return replace(data, images=images)


def test_classes_are_matched_by_name_and_the_rest_is_said(tmp_path: Path) -> None:
    data = scene(tmp_path, ("green", "violet"))
    loaded = predict(MockRuntime(), data, max_pixels=LIMIT)
    assert loaded.predictions.category.tolist() == [0]
    assert evaluate(data, loaded.predictions).ap == pytest.approx(1)
    [note] = loaded.notes
    assert "only the model has 'red', 'blue'; only the data set has 'violet'; left out 1 detections" in note


def test_without_a_shared_class_nothing_is_run(tmp_path: Path) -> None:
    data = replace(scene(tmp_path, ("green",)), categories=dataset(classes=("zebra",)).categories)
    with pytest.raises(DataError, match="no class of the model is in the data set"):
        predict(MockRuntime(), data, max_pixels=LIMIT)


def test_a_photo_of_another_size_than_annotated_is_refused(tmp_path: Path) -> None:
    data = scene(tmp_path, ("green",))
    turned = replace(data, images=tuple(image.but(width=64, height=96) for image in data.images))
    with pytest.raises(DataError, match=r"0\.png: is 96 x 64 pixels, but its annotations are of 64 x 96"):
        predict(MockRuntime(), turned, max_pixels=LIMIT)


def test_a_photo_that_is_not_there_is_named(tmp_path: Path) -> None:
    data = scene(tmp_path, ("green",))
    lost = replace(data, images=tuple(image.but(path=None) for image in data.images))
    with pytest.raises(InputNotFound, match=r"0\.jpg: the photo is not there"):
        predict(MockRuntime(), lost, max_pixels=LIMIT)
