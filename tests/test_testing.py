"""The conformance kit holds every format of ours to its laws, and sees when one is broken."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from focalcli.dataset.formats import createml, table
from focalcli.testing import check_format

WITHIN = {"yolo": 5e-4, "cvat": 1e-4}
"""Pixels that rounding may move an edge of a 320 x 200 photo, where it is more than a millionth."""


@pytest.mark.parametrize("name", sorted(table.FORMATS))
def test_every_format_keeps_the_laws(name):
    check_format(table.load(name), within=WITHIN.get(name, 1e-6), examples=8)


def broken(**changes):
    parts = {name: getattr(createml, name) for name in ("INFO", "sniff", "read", "write")}
    return SimpleNamespace(**{**parts, **changes})


def test_a_writer_that_moves_boxes_is_caught():
    def write(dataset, sink):
        moved = replace(dataset.boxes, xyxy=dataset.boxes.xyxy * 0.99)
        createml.write(replace(dataset, boxes=moved), sink)

    with pytest.raises(AssertionError, match=r"a box of .* moved by"):
        check_format(broken(write=write), examples=2)


def test_a_writer_that_drops_negatives_is_caught():
    def write(dataset, sink):
        import numpy as np

        createml.write(dataset.take_images(np.flatnonzero(np.diff(dataset.row_bounds()))), sink)

    with pytest.raises(AssertionError, match=r"images .* came back as"):
        check_format(broken(write=write), examples=2)


def test_a_writer_whose_bytes_differ_from_run_to_run_is_caught():
    times = []

    def write(dataset, sink):
        times.append(1)
        createml.write(dataset, sink)
        sink.text("log.txt", str(len(times)))

    with pytest.raises(AssertionError, match="other bytes the second time"):
        check_format(broken(write=write), examples=2)


def test_a_format_that_claims_everything_is_caught():
    with pytest.raises(AssertionError, match="claims a folder of nonsense"):
        check_format(broken(sniff=lambda peek: (1, "why not")), examples=2)


def test_a_writer_that_goes_round_the_sink_is_caught():
    """Opening the sink's folder itself, it lets `../` through."""

    def write(dataset, sink):
        for image in dataset.images:
            if image.key.startswith("../"):
                (sink.place / image.key).write_bytes(b"x")

    with pytest.raises(AssertionError, match="wrote a photo called"):
        check_format(broken(write=write), examples=2)
