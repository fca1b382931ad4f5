"""What all format tests share: data sets laid out from a mapping, read, told as plain values, and sent round."""

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Photo

from focalcli.dataset.convert import convert
from focalcli.dataset.read import read_dataset
from focalcli.dataset.recognise import candidates
from focalcli.dataset.types import Dataset

Content = str | bytes | tuple[int, int] | dict[str, object] | list[object]
Tree = Callable[[Mapping[str, Content]], Path]


def photo_bytes(width: int, height: int, suffix: str = "png", orientation: int = 0) -> bytes:
    out = io.BytesIO()
    options = {}
    if orientation:
        exif = Photo.Exif()
        exif[0x0112] = orientation
        options["exif"] = exif
    Photo.new("RGB", (width, height)).save(out, {"jpg": "JPEG", "jpeg": "JPEG"}.get(suffix, "PNG"), **options)
    return out.getvalue()


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Lay files out below a folder: text, bytes, JSON, or a photo as (width, height)."""

    def lay(files: Mapping[str, Content]) -> Path:
        root = tmp_path / "set"
        root.mkdir(exist_ok=True)
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, tuple):
                content = photo_bytes(*content, suffix=path.suffix[1:].lower())
            elif isinstance(content, dict | list):
                content = json.dumps(content)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return root

    return lay


@pytest.fixture
def told() -> Callable[[Dataset], dict[str, list[tuple[object, ...]]]]:
    """Tell a data set as {key: [(class, x0, y0, x1, y1), ...]}, to a billionth of a pixel."""

    def tell(dataset: Dataset) -> dict[str, list[tuple[object, ...]]]:
        bounds = dataset.row_bounds()
        boxes = dataset.boxes
        return {
            image.key: [
                (dataset.categories[boxes.category[row]].name, *np.round(boxes.xyxy[row], 9).tolist())
                for row in range(bounds[i], bounds[i + 1])
            ]
            for i, image in enumerate(dataset.images)
        }

    return tell


@pytest.fixture
def codes() -> Callable[[Dataset], dict[str, int]]:
    """Count the findings of a data set by code."""

    def count(dataset: Dataset) -> dict[str, int]:
        found: dict[str, int] = {}
        for finding in dataset.findings:
            found[finding.code] = found.get(finding.code, 0) + finding.count
        return found

    return count


@pytest.fixture
def coco(tree: Tree) -> Path:
    """Lay out a COCO set by hand: two splits, a sub-folder, Unicode, class ids with gaps, fractions of pixels."""
    photos = {"train": [(1, "a.png", 200, 100), (2, "sub/b.png", 64, 48)], "val": [(3, "é 1.png", 50, 80)]}
    boxes = {
        "train": [
            (1, 1, 7, [10, 20, 30, 40], {}),
            (2, 1, 90, [0, 0, 200, 100], {}),
            (3, 2, 3, [1.25, 2.5, 10.125, 20.0], {}),
        ],
        "val": [(4, 3, 7, [5, 6, 7, 8], {})],
    }
    categories = [{"id": 3, "name": "cat"}, {"id": 7, "name": "traffic light"}, {"id": 90, "name": 'čaj, "x" & <y>'}]
    files: dict[str, Content] = {}
    for split, rows in photos.items():
        files |= {f"images/{split}/{name}": (width, height) for _, name, width, height in rows}
        files[f"annotations/instances_{split}.json"] = {
            "images": [{"id": i, "file_name": name, "width": w, "height": h} for i, name, w, h in rows],
            "categories": categories,
            "annotations": [
                {"id": i, "image_id": image, "category_id": c, "bbox": bbox, "iscrowd": 0, **more}
                for i, image, c, bbox, more in boxes[split]
            ],
        }
    return tree(files)


@pytest.fixture
def round_trip(coco: Path, tmp_path: Path) -> Callable[..., tuple[Dataset, Dataset]]:
    """Send the hand-made COCO set through a format and back; give it before and after."""

    def send(name: str, **options: object) -> tuple[Dataset, Dataset]:
        before = read_dataset(coco)
        convert(before, tmp_path / "there", to=name, **options)
        claims = candidates(tmp_path / "there")
        assert list(claims) == [name], claims
        there = read_dataset(tmp_path / "there")
        assert there.format == name
        convert(there, tmp_path / "back", to="coco")
        return before, read_dataset(tmp_path / "back")

    return send


@pytest.fixture
def same() -> Callable[..., None]:
    """Hold two data sets to the same photos, splits, class names and boxes within `within` pixels."""

    def compare(before: Dataset, after: Dataset, *, within: float) -> None:
        facts = [sorted((i.split or "", i.key, i.width, i.height) for i in d.images) for d in (before, after)]
        assert facts[0] == facts[1]
        assert _boxes(before).keys() == _boxes(after).keys()
        for key, boxes in _boxes(before).items():
            mine, theirs = np.array(boxes), np.array(_boxes(after)[key])
            assert mine.shape == theirs.shape, key
            assert np.abs(mine - theirs).max() <= within, key

    def _boxes(dataset: Dataset) -> dict[tuple[str, str], list[list[float]]]:
        found: dict[tuple[str, str], list[list[float]]] = {}
        for row in range(len(dataset.boxes)):
            image = dataset.images[dataset.boxes.image[row]].key
            name = dataset.categories[dataset.boxes.category[row]].name
            found.setdefault((image, name), []).append(dataset.boxes.xyxy[row].tolist())
        return {key: sorted(boxes) for key, boxes in found.items()}

    return compare
