"""Pictures show class names to the letter, whatever they are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from focalcli.config import ClassInfo, model_config
from focalcli.dataset.types import Boxes, Category, Dataset
from focalcli.dataset.types import Image as Photo
from focalcli.insight.anchor_picture import draw_anchors
from focalcli.insight.anchors import study
from focalcli.insight.pictures import figure, named


@pytest.mark.parametrize("name", [r"$\frac{$", "$a$$", "_hidden", "猫", "\x1b[31m", "", "{", "\\", "x" * 10_000])
def test_any_class_name_is_drawn(name: str, tmp_path: Path) -> None:
    """Nothing is raised and nothing is left out; warnings are errors in tests."""
    zero = np.zeros(1, np.int64)
    boxes = Boxes(np.array([[1.0, 1, 40, 40]]), zero, zero, zero, np.array([1521.0]), zero, zero, zero)
    data = Dataset((Category(name, 1),), (Photo("a.png", None, 100, 100),), boxes, tmp_path)
    draw_anchors(study(data, model_config("lite0", (ClassInfo("any", 1),))), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_leading_underscore_does_not_hide_a_class() -> None:
    _, (axis,) = figure(1)
    axis.plot([0, 1], label=named("_a"))
    assert axis.get_legend_handles_labels()[1] == [" _a"]


def test_of_many_classes_the_most_frequent_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Class 8 has two objects and the others one: it is among the seven."""
    drawn = []
    monkeypatch.setattr("focalcli.insight.anchor_picture.save", lambda figure, path: drawn.append(figure))
    category = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 8])
    zero, some = np.zeros(10, np.int64), np.full(10, 400.0)
    boxes = Boxes(np.tile([[1.0, 1, 21, 21]], (10, 1)), zero, category, zero, some, zero, zero, zero)
    names = tuple(Category(f"c{i}", i) for i in range(9))
    data = Dataset(names, (Photo("a.png", None, 100, 100),), boxes, tmp_path)
    draw_anchors(study(replace(data), model_config("lite0", (ClassInfo("any", 1),))), tmp_path / "a.png")
    axis = drawn[0].axes[0]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == [*(f"c{i} (1)" for i in range(6)), "c8 (2)"]
    assert axis.get_title() == "the 7 most frequent of 9 classes"
