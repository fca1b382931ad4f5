"""Outputs of every kind as rows, image by image, whatever a file gives."""

import numpy as np
import pytest

from focalcli.export.rows import rows_of


def flat(*rows: tuple[float, ...]) -> dict[str, np.ndarray]:
    """Give rows (image, score, class) as `flat7` has them."""
    return {"detections": np.array([(i, 0, 0, 9, 9, s, c) for i, s, c in rows], np.float32).reshape(-1, 7)}


def test_no_rows_are_no_images() -> None:
    assert rows_of(flat(), "flat7") == []


def test_flat_rows_are_taken_apart_by_image_and_padding_is_left_out() -> None:
    found = rows_of(flat((0, 0.9, 1), (0, 0.5, 0), (1, 0, -1), (2, 0.4, 2), (2, 0, -1)), "flat7")
    assert [rows.labels.tolist() for rows in found] == [[1, 0], [], [2]]
    assert found[0].scores.tolist() == pytest.approx([0.9, 0.5])


@pytest.mark.parametrize("image", [1e30, np.inf, -5.0])
def test_a_number_of_an_image_asks_for_no_memory(image: float) -> None:
    """A file that says it answers for 1e30 images is one that answers for another number than it was asked."""
    assert len(rows_of(flat((0, 0.9, 1), (image, 0.5, 0)), "flat7")) == 2
