"""How a big photo is cut into overlapping tiles of one size."""

import math

Tile = tuple[int, int, int, int]
"""(y, x, height, width) in pixels of the photo."""


def tiles(image_size: tuple[int, int], side: int, *, overlap: float = 0.2) -> list[Tile]:
    """Cut (height, width) into the fewest evenly spread tiles of `side` that overlap by at least this fraction.

    All have the same size; a photo shorter than `side` in a direction is one tile in it. In reading order.

    >>> tiles((100, 250), 100, overlap=0.2)
    [(0, 0, 100, 100), (0, 75, 100, 100), (0, 150, 100, 100)]
    >>> tiles((80, 90), 100)
    [(0, 0, 80, 90)]
    """
    height, width = image_size
    rows, columns = _starts(height, side, overlap), _starts(width, side, overlap)
    return [(y, x, min(side, height), min(side, width)) for y in rows for x in columns]


def _starts(length: int, side: int, overlap: float) -> list[int]:
    """Give where the tiles begin along one direction; the first at 0, the last ends with the photo."""
    room = length - side
    if room <= 0:
        return [0]
    steps = math.ceil(room / max(1, math.floor(side * (1 - overlap))))
    return [room * step // steps for step in range(steps + 1)]
