"""Big photos in tiles: boxes by hand, and the same tiles when the model is used."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from focalcli.config import TileConfig
from focalcli.dataset.types import Boxes, Category, Dataset, Image
from focalcli.images.fit import Fit
from focalcli.inference.options import ViewConfig
from focalcli.training.augment import Augmentation
from focalcli.training.samples import Key, Samples
from focalcli.training.tiles import cut


def dataset(path: Path | None, *xyxy: tuple[float, float, float, float]) -> Dataset:
    """Give one photo of 250 x 100 with these objects."""
    n = len(xyxy)
    zeros = np.zeros(n, np.int64)
    boxes = Boxes(np.array(xyxy, float).reshape(-1, 4), zeros, zeros, zeros, np.zeros(n), zeros, zeros, zeros)
    return Dataset((Category("a", 1),), (Image("a.png", path, 250, 100),), boxes, Path())


def test_no_photo_is_no_tile() -> None:
    empty = Dataset((), (), dataset(None).boxes, Path())
    assert cut(empty, 100, overlap=0.2)[1] == ()


def test_boxes_at_the_edges_by_hand() -> None:
    """Tiles begin at x = 0, 75 and 150. A box from 70 to 90 is whole in the first and 15/20 of it is in the second;
    one from 95 to 105 is half in the first, whole in the second; one from 60 to 80 has 5/20 in the second: too little.
    """
    whole = dataset(None, (70, 10, 90, 20), (95, 0, 105, 10), (60, 50, 80, 60))
    tiles, places = cut(whole, 100, overlap=0.2)
    assert places == ((0, 0, 100, 100), (0, 75, 100, 100), (0, 150, 100, 100))
    assert [image.key for image in tiles.images] == ["a.png#0,0", "a.png#75,0", "a.png#150,0"]
    first = [[70, 10, 90, 20], [95, 0, 100, 10], [60, 50, 80, 60]]
    assert tiles.boxes.xyxy.tolist() == [*first, [0, 10, 15, 20], [20, 0, 30, 10]]
    assert tiles.boxes.image.tolist() == [0, 0, 0, 1, 1]
    assert tiles.boxes.area.tolist() == [200, 50, 200, 150, 100]


def test_a_photo_that_one_tile_holds_stays_as_it_is() -> None:
    whole = dataset(None, (70, 10, 90, 20))
    tiles, _ = cut(whole, 250, overlap=0.2)
    assert tiles.images == whole.images and tiles.boxes.xyxy.tolist() == whole.boxes.xyxy.tolist()


@pytest.mark.parametrize("kind", ["png", "tif"])
def test_pixels_and_boxes_belong_together(tmp_path: Path, kind: str) -> None:
    """A white object from x = 95 to 105 is white in each tile where its box says."""
    pixels = np.zeros((100, 250, 3), np.uint8)
    pixels[0:10, 95:105] = 255
    path = tmp_path / f"a.{kind}"
    Picture.fromarray(pixels).save(path)
    tiles, places = cut(dataset(path, (95, 0, 105, 10)), 100, overlap=0.2)
    plain = Augmentation("none", flip="none", fill=(0, 0, 0))
    samples = Samples(tiles, Fit(100, 100, 32, (0, 0, 0)), plain, 0, places)
    for position, white in ((0, 50), (1, 100), (2, 0)):
        sample = samples[Key(0, position)]
        assert sample.image.shape == (100, 100, 3) and (sample.image[..., 0] == 255).sum() == white
        for x1, y1, x2, y2 in sample.boxes.astype(int):
            assert (sample.image[y1:y2, x1:x2] == 255).all()


@pytest.mark.parametrize(
    ("said", "trained", "tile", "overlap"),
    [
        (ViewConfig(), None, None, 0.2),
        (ViewConfig(), TileConfig(512, 0.3), "512", 0.3),
        (ViewConfig(tile="auto"), TileConfig(512, 0.3), "512", 0.3),
        (ViewConfig(tile="auto"), None, "400", 0.2),
        (ViewConfig(tile="64", overlap=0.0), TileConfig(512, 0.3), "64", 0.0),
        (ViewConfig(tile="off"), TileConfig(512, 0.3), None, 0.3),
    ],
)
def test_a_model_is_used_on_the_tiles_it_was_trained_on(
    said: ViewConfig, trained: TileConfig | None, tile: str | None, overlap: float
) -> None:
    views = said.of_model(trained, 400)
    assert (views.tile, views.overlap) == (tile, overlap)
