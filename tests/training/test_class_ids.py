"""Class ids and names of a data set travel unchanged: data set -> model -> file -> detections."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from focalcli.checkpoint import load_checkpoint, save_model
from focalcli.dataset.read import read_dataset
from focalcli.training.prepare import resolve_model
from tests.training.small import FAST

COCO = [i for i in range(1, 91) if i not in {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}]


def data_set(folder: Path, ids: list[int]) -> Path:
    """Write a COCO file with one photo and one object of each class, categories in the given order."""
    categories = [{"id": number, "name": f"class {number}"} for number in ids]
    boxes = [
        {"id": row + 1, "image_id": 7, "category_id": number, "bbox": [row, row, 9, 9], "area": 81, "iscrowd": 0}
        for row, number in enumerate(ids)
    ]
    image = {"id": 7, "file_name": "a.png", "width": 200, "height": 200}
    path = folder / "data.json"
    path.write_text(json.dumps({"images": [image], "annotations": boxes, "categories": categories}))
    return path


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ids=st.lists(st.integers(0, 10**9), min_size=1, max_size=12, unique=True))
def test_any_ids_come_back(tmp_path: Path, ids: list[int]) -> None:
    hold(tmp_path, ids)


@pytest.mark.parametrize(
    "ids", [[0, 1, 2], [1, 2, 3], [90, 3, 17], COCO, COCO[::-1]], ids=["0", "1", "gaps", "coco", "turned"]
)
def test_the_usual_ids_come_back(tmp_path: Path, ids: list[int]) -> None:
    hold(tmp_path, ids)


def hold(folder: Path, ids: list[int]) -> None:
    """Check that index, id and name belong together at every station."""
    dataset = read_dataset(data_set(folder, ids))
    config = resolve_model(FAST, dataset)
    save_model(folder / "model", {"weight": torch.zeros(1)}, config)
    stored, _ = load_checkpoint(folder / "model")
    assert [c.id for c in stored.classes] == sorted(ids)
    assert [c.name for c in stored.classes] == [f"class {number}" for number in sorted(ids)]
    for row, number in enumerate(ids):
        index = dataset.boxes.category[np.flatnonzero(dataset.boxes.xyxy[:, 0] == row)[0]]
        assert stored.classes[index].id == number
