"""COCO to X and back keeps boxes within X's rounding and all that X carries, whatever the names and sizes."""

import tempfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from focalcli.dataset.convert import convert
from focalcli.dataset.features import Feature
from focalcli.dataset.formats import table
from focalcli.dataset.losses import features_used
from focalcli.dataset.names import portable
from focalcli.dataset.read import read_dataset
from focalcli.dataset.types import Dataset

ROUNDING = {"coco": (0.0, 1e-8), "voc": (0.5 + 1e-9, 0.0), "yolo": (0.0, 1.6e-6)}
"""Largest error of an edge: in pixels, and per pixel of the photo's side."""

letters = st.characters(codec="utf-8", exclude_categories=("C", "Z"))
words = st.text(letters, min_size=1, max_size=12)


def storable(name: str) -> bool:
    try:
        return portable(name) == name and len(name.encode()) < 100
    except ValueError:
        return False


stems = words.filter(storable)
sizes = st.tuples(st.integers(1, 300), st.integers(1, 300))


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Give a COCO document of a few photos, classes and boxes that all lie inside."""
    names = draw(st.lists(words, max_size=4, unique=True))
    ids = draw(st.lists(st.integers(0, 1000), min_size=len(names), max_size=len(names), unique=True))
    keys = draw(st.lists(stems, max_size=4, unique=True))
    images, annotations = [], []
    for number, key in enumerate(keys):
        width, height = draw(sizes)
        images.append({"id": number, "file_name": f"{key}.png", "width": width, "height": height})
        for _ in range(draw(st.integers(0, 3)) if names else 0):
            x, y = draw(st.floats(0, width - 1)), draw(st.floats(0, height - 1))
            w, h = draw(st.floats(1, width - x)), draw(st.floats(1, height - y))
            row = {"id": len(annotations) + 1, "image_id": number, "category_id": draw(st.sampled_from(ids))}
            annotations.append({**row, "bbox": [x, y, min(w, width - x), min(h, height - y)]})
    categories = [{"id": i, "name": name} for i, name in zip(ids, names, strict=True)]
    return {"images": images, "annotations": annotations, "categories": categories}


def named(dataset: Dataset) -> list[tuple[str, str, tuple[float, ...]]]:
    """Give rows of image, class and box by image and class, boxes of one class in the order of the source."""
    boxes = dataset.boxes
    rows = [
        (dataset.images[int(i)].key, dataset.categories[int(c)].name, tuple(box))
        for i, c, box in zip(boxes.image, boxes.category, boxes.xyxy.tolist(), strict=True)
    ]
    return sorted(rows, key=lambda row: row[:2])


@pytest.mark.parametrize("to", sorted(ROUNDING))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(document=documents())
def test_there_and_back(to: str, document: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for image in document["images"]:
            path = folder / "set/images" / image["file_name"]
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (image["width"], image["height"])).save(path)
        (folder / "set").mkdir(exist_ok=True)
        (folder / "set/c.json").write_bytes(msgspec.json.encode(document))
        source = read_dataset(folder / "set/c.json")
        report = convert(source, folder / "out", to=to)
        if to != "coco" and not source.images:
            return  # no photo, no file, nothing to recognise
        again = read_dataset(folder / "out", format=to)
        check(source, again, to, {new: old for old, new in report.renamed.items()})


def check(source: Dataset, again: Dataset, to: str, renamed: dict[str, str]) -> None:
    carries = table.load(to).INFO.carries
    back = sorted(((renamed.get(key, key), name, box) for key, name, box in named(again)), key=lambda row: row[:2])
    there = named(source)
    assert sorted(renamed.get(i.key, i.key) for i in again.images) == sorted(i.key for i in source.images)
    assert sorted(row[:2] for row in back) == sorted(row[:2] for row in there)
    pixels, fraction = ROUNDING[to]
    side = max((max(i.width, i.height) for i in source.images), default=1)
    if back:
        error = np.abs(np.array([row[2] for row in back]) - np.array([row[2] for row in there])).max()
        assert error <= pixels + fraction * side
    if Feature.CLASS_LIST in carries:
        assert [c.name for c in again.categories] == [c.name for c in source.categories]
    if Feature.SOURCE_IDS in carries:
        assert [c.source_id for c in again.categories] == [c.source_id for c in source.categories]
    kept = {feature for feature in features_used(source) if feature in carries} - {Feature.SUBPIXEL}
    if Feature.CLASS_LIST not in carries and not len(source.boxes):
        kept -= {Feature.NAMES}  # a class without objects is named nowhere, which is the loss of the class list
    assert kept - {Feature.SOURCE_IDS} <= set(features_used(again))


def test_a_photo_whose_name_begins_with_a_dot_is_a_photo(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    for name in (".a.png", "b.png"):
        Image.new("L", (8, 8)).save(tmp_path / "set" / name)
    images = [{"id": i, "file_name": name, "width": 8, "height": 8} for i, name in enumerate((".a.png", "b.png"))]
    document = {"images": images, "annotations": [], "categories": [{"id": 1, "name": "cat"}]}
    (tmp_path / "set/c.json").write_bytes(msgspec.json.encode(document))
    convert(read_dataset(tmp_path / "set/c.json"), tmp_path / "out", to="yolo")
    assert len(read_dataset(tmp_path / "out").images) == 2
