"""Small data sets on disk: photos with or without an EXIF turn, annotation files, and boxes as plain rows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from focalcli.dataset.types import Dataset

Row = tuple[str, str, tuple[float, ...]]


class Folder:
    """A folder to fill: `photo`, `text`, `json` make a file and the folders above it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def photo(self, name: str, size: tuple[int, int] = (200, 100), *, orientation: int = 1) -> Path:
        """Write a photo of `size` (width, height) as stored, to be turned as EXIF says."""
        path = self._place(name)
        exif = Image.Exif()
        exif[0x0112] = orientation
        kind = "PNG" if name.lower().endswith(".png") else "JPEG"
        Image.new("RGB", size, (90, 120, 30)).save(path, kind, exif=exif)
        return path

    def text(self, name: str, content: str | bytes) -> Path:
        """Write a file."""
        path = self._place(name)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def json(self, name: str, content: Any) -> Path:
        """Write a JSON file."""
        return self.text(name, json.dumps(content))

    def _place(self, name: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Give an empty folder, `data`, below which nothing else lies."""
    path = tmp_path / "data"
    path.mkdir()
    return Folder(path)


@pytest.fixture
def rows() -> Callable[[Dataset], list[Row]]:
    """Give the boxes of a data set as (image key, class name, xyxy rounded to a millionth) rows."""

    def of(dataset: Dataset) -> list[Row]:
        boxes = dataset.boxes
        return [
            (
                dataset.images[int(boxes.image[i])].key,
                dataset.categories[int(boxes.category[i])].name,
                tuple(round(float(value), 6) for value in boxes.xyxy[i]),
            )
            for i in range(len(boxes))
        ]

    return of


def coco(images: list[dict[str, Any]], annotations: list[dict[str, Any]], **categories: int) -> dict[str, Any]:
    """Give a COCO document; categories as name=id."""
    listed = [{"id": number, "name": name, "supercategory": "thing"} for name, number in categories.items()]
    return {"images": images, "annotations": annotations, "categories": listed}


@pytest.fixture(name="document")
def document_fixture() -> Callable[..., dict[str, Any]]:
    """Give the function that makes a COCO document."""
    return coco
