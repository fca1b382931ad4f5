"""Objects too small for the network in a big photo are found in its tiles, each once; at the size of the whole photo,
tiles change nothing."""

import json
from pathlib import Path

import numpy as np
import pytest

from focalcli.cli.console import run
from focalcli.config import ClassInfo, FitConfig, ModelConfig
from focalcli.inference.detections import RawDetections
from tests.images.make import encoded

CONFIG = ModelConfig(classes=(ClassInfo("dot", 1),), fit=FitConfig(min_size=400, max_size=672))
SIDE, DOT = 2000, 12


class Shortsighted:
    """Finds bright squares apart from each other, if they are at least `smallest` pixels in its input."""

    config, batch_pixels, smallest = CONFIG, 4 * 400 * 400, 8

    def using(self, postprocess: object) -> "Shortsighted":
        return self

    def run(self, images: np.ndarray) -> RawDetections:
        found = [self._squares(image[0] >= 128) for image in images]
        most = max(map(len, found))
        boxes, scores = np.zeros((len(images), most, 4), np.float32), np.zeros((len(images), most), np.float32)
        for row, squares in enumerate(found):
            boxes[row, : len(squares)], scores[row, : len(squares)] = np.reshape(squares, (-1, 4)), 0.9
        classes = np.where(scores > 0, 0, -1)
        return RawDetections(boxes, scores, classes, np.array([len(squares) for squares in found]))

    def _squares(self, bright: np.ndarray) -> list[tuple[int, int, int, int]]:
        found = []
        while bright.any():
            y, x = np.unravel_index(bright.argmax(), bright.shape)
            width = int(np.argmin(np.append(bright[y, x:], False)))
            height = int(np.argmin(np.append(bright[y:, x], False)))
            bright[y : y + height, max(0, x - 1) : x + width + 1] = False
            if min(width, height) >= self.smallest:
                found.append((int(x), int(y), int(x) + width, int(y) + height))
        return found


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo of 2,000 x 2,000 pixels with a hundred squares of 12 pixels, some on the seams of its tiles."""
    folder = tmp_path_factory.mktemp("scene")
    image, corners = np.zeros((SIDE, SIDE, 3), np.uint8), []
    random = np.random.default_rng(0)
    for row in range(10):
        for column in range(10):
            x, y = (200 * at + int(random.integers(0, 200 - 2 * DOT)) for at in (column, row))
            image[y : y + DOT, x : x + DOT] = 255
            corners.append((x, y))
    (folder / "a.png").write_bytes(encoded(image, "PNG"))
    rows = [
        {"id": n, "image_id": 1, "category_id": 1, "bbox": [x, y, DOT, DOT], "area": DOT * DOT, "iscrowd": 0}
        for n, (x, y) in enumerate(corners, 1)
    ]
    images = [{"id": 1, "file_name": "a.png", "width": SIDE, "height": SIDE}]
    content = {"images": images, "annotations": rows, "categories": [{"id": 1, "name": "dot"}]}
    (folder / "truth.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setattr("focalcli.inference.open.open_runtime", lambda path, **_: Shortsighted())
    path = tmp_path / "m.onnx"
    path.touch()
    return str(path)


def output_of(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(list(words)) == 0
    return capsys.readouterr().out


def test_tiles_find_what_is_too_small_in_the_whole_photo(
    scene: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """12 of 2,000 pixels are 2.4 of 400: nothing is found; in tiles of 400 pixels every square is, once."""
    words = ["evaluate", str(scene / "truth.json"), "--model", model, "--json"]
    whole, tiled = (json.loads(output_of(capsys, *words, *more)) for more in ([], ["--tile", "400"]))
    assert whole["AP50"] == 0
    assert tiled["AP50"] == tiled["AP"] == pytest.approx(1)
    [line] = output_of(capsys, "detect", str(scene / "a.png"), "--model", model, "--tile", "400").splitlines()
    assert len(json.loads(line)["detections"]) == 100


@pytest.mark.parametrize("tile", [SIDE, SIDE + 1, 2 * SIDE])
def test_a_tile_as_large_as_the_photo_changes_no_byte(
    tile: int, scene: Path, model: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Shortsighted, "smallest", 2)
    words = ["detect", str(scene / "a.png"), "--model", model]
    whole = output_of(capsys, *words)
    assert output_of(capsys, *words, "--tile", str(tile)) == whole and len(json.loads(whole)["detections"]) > 50
