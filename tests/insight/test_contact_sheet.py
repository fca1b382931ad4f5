"""The contact sheet shows label and suggestion in their colours, whatever boxes and names are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from focalcli.dataset.types import Boxes, Category, Dataset
from focalcli.dataset.types import Image as Photo
from focalcli.insight.audit import Finding
from focalcli.insight.contact_sheet import write_contact_sheet

RED, GREEN, YELLOW, GREY = (230, 60, 40), (20, 160, 70), (250, 215, 60), (225, 225, 225)


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    """Give one black photo with two labels."""
    Image.new("RGB", (100, 100)).save(tmp_path / "a.png")
    xyxy = np.array([[0, 0, 40, 40], [30, 30, 60, 60]], np.float64)
    zero, one = np.zeros(2, np.int64), np.ones(2, np.int64)
    boxes = Boxes(xyxy, zero, zero, zero, np.array([1600.0, 900.0]), one, zero, one)
    return Dataset(
        (Category("cat", 1), Category("dog", 2)), (Photo("a.png", tmp_path / "a.png", 100, 100),), boxes, tmp_path
    )


def colours(path: Path) -> set[tuple[int, ...]]:
    with Image.open(path) as sheet:
        return {tuple(pixel) for pixel in np.unique(np.asarray(sheet).reshape(-1, 3), axis=0).tolist()}


def test_no_finding_gives_a_sheet_of_headings(data: Dataset, tmp_path: Path) -> None:
    write_contact_sheet(tmp_path / "c.png", data, [])
    assert not colours(tmp_path / "c.png") & {RED, GREEN, YELLOW}


def test_label_suggestion_and_neighbours_have_their_colours(data: Dataset, tmp_path: Path) -> None:
    write_contact_sheet(tmp_path / "c.png", data, [Finding("loose", 0, 0, (0.0, 0.0, 30.0, 40.0), 0, 2.0)])
    assert {RED, GREEN, YELLOW, GREY} <= colours(tmp_path / "c.png")  # grey: outside of the photo
    write_contact_sheet(tmp_path / "c.png", data, [Finding("spurious", 0, 0, (0.0, 0.0, 40.0, 40.0), 0, 2.0)])
    assert GREEN not in colours(tmp_path / "c.png")


def test_huge_boxes_and_any_name_can_be_drawn(data: Dataset, tmp_path: Path) -> None:
    names = (Category("x" * 100_000, 1), Category("\n\x1b[31m猫", 2))
    far = replace(data.boxes, xyxy=np.array([[0, 0, 1e9, 1e9], [0.0, 0.0, 1e-9, 1e-9]]))
    write_contact_sheet(
        tmp_path / "c.png",
        replace(data, categories=names, boxes=far),
        [Finding("class", 0, row, (0.0, 0.0, 1e-9, 1e-9), 1, 2.0) for row in (0, 1)] * 9,
    )
    with Image.open(tmp_path / "c.png") as sheet:
        assert sheet.width == 6 * 226  # twelve of the eighteen, in two rows
