"""Boxes made sound: finite, upright, inside their photo, with an area; and masks of the rows that were not."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from focalcli.dataset.types import Floats

Mask = npt.NDArray[np.bool_]

ROUNDING = 0.5
"""Pixels a box may stick out by without a warning: what integer rounding does."""


class Repaired(NamedTuple):
    """xyxy (n, 4) after repair, and masks (n,) of the rows that needed it.

    `infinite` and `empty` rows hold no box; `swapped` had inverted corners; `clipped` stuck out by more than half a
    pixel and `rounded` by less.
    """

    xyxy: Floats
    infinite: Mask
    swapped: Mask
    empty: Mask
    clipped: Mask
    rounded: Mask


def repair(xyxy: Floats, size: Floats) -> Repaired:
    """Swap inverted corners and clip boxes (n, 4) to photos of `size` (n, 2) width and height.

    >>> import numpy as np
    >>> fixed = repair(np.array([[8.0, 2, -4, 5], [3, 3, 3, 9]]), np.array([[10.0, 10], [10, 10]]))
    >>> fixed.xyxy[0].tolist(), fixed.swapped.tolist(), fixed.empty.tolist()
    ([0.0, 2.0, 8.0, 5.0], [True, False], [False, True])
    """
    infinite = _any(~np.isfinite(xyxy))
    finite = np.where(infinite[:, None], 0.0, xyxy)
    low, high = finite[:, :2], finite[:, 2:]
    swapped = _any(low > high)
    low, high = np.minimum(low, high), np.maximum(low, high)
    inside_low, inside_high = np.clip(low, 0.0, size), np.clip(high, 0.0, size)
    out = np.maximum(np.abs(inside_low - low), np.abs(inside_high - high)).max(axis=1, initial=0.0)
    empty = _any(inside_high <= inside_low) & ~infinite
    held = ~(infinite | empty)
    return Repaired(
        np.hstack([inside_low, inside_high]),
        infinite,
        swapped & held,
        empty,
        (out > ROUNDING) & held,
        (out > 0) & (out <= ROUNDING) & held,
    )


def _any(mask: Mask) -> Mask:
    return np.asarray(mask.any(axis=1), dtype=np.bool_)
