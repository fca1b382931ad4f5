from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from focalcli.images.tiles import tiles


@pytest.mark.parametrize("side", [100, 101, 5000])
def test_a_photo_no_larger_than_a_tile_is_one_tile(side: int) -> None:
    assert tiles((80, 100), side) == [(0, 0, 80, 100)]


def test_tiles_are_spread_evenly_in_reading_order() -> None:
    # rows: room 60 in steps of at most 80 -> 1 step; columns: room 200 -> 3 steps of 66.7
    assert tiles((160, 300), 100, overlap=0.2) == [
        (0, 0, 100, 100), (0, 66, 100, 100), (0, 133, 100, 100), (0, 200, 100, 100),
        (60, 0, 100, 100), (60, 66, 100, 100), (60, 133, 100, 100), (60, 200, 100, 100),
    ]  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 1500), st.integers(1, 1500), st.integers(32, 800), st.floats(0, 0.9))
def test_tiles_cover_the_photo_inside_it_and_overlap_enough(height: int, width: int, side: int, overlap: float) -> None:
    found = tiles((height, width), side, overlap=overlap)
    for length, starts, size in (
        (height, sorted({y for y, _, _, _ in found}), min(side, height)),
        (width, sorted({x for _, x, _, _ in found}), min(side, width)),
    ):
        assert starts[0] == 0 and starts[-1] + size == length
        for first, second in pairwise(starts):
            assert first < second <= first + size - int(size * overlap) + 1
    assert len(found) == len(set(found))
