"""Boxes around shapes that are no boxes: polygons, circles, ellipses, turned rectangles. Angles turn clockwise."""

import math
from collections.abc import Sequence

import msgspec

Point = tuple[float, float]
Box = tuple[float, float, float, float]


def around(points: Sequence[Point]) -> Box:
    """Give the xyxy box around at least one point.

    >>> around([(3, 1), (0, 5)])
    (0, 1, 3, 5)
    """
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)


def union(boxes: Sequence[Box]) -> Box:
    """Give the box around at least one box."""
    return around([point for x0, y0, x1, y1 in boxes for point in ((x0, y0), (x1, y1))])


def turned(x: float, y: float, width: float, height: float, *, degrees: float, pivot: Point) -> Box:
    """Give the box around a rectangle whose top-left corner is x, y before it turns about `pivot`.

    >>> [round(v, 9) for v in turned(10, 10, 4, 2, degrees=90, pivot=(10, 10))]
    [8.0, 10.0, 10.0, 14.0]
    """
    cos, sin = _cos_sin(degrees)
    corners = [(a - pivot[0], b - pivot[1]) for a in (x, x + width) for b in (y, y + height)]
    return around([(pivot[0] + a * cos - b * sin, pivot[1] + a * sin + b * cos) for a, b in corners])


def ellipse(centre: Point, radii: Point, degrees: float = 0.0) -> Box:
    """Give the box around an ellipse turned about its centre.

    >>> [round(v, 9) for v in ellipse((10, 10), (4, 2), 90)]
    [8.0, 6.0, 12.0, 14.0]
    """
    cos, sin = _cos_sin(degrees)
    half_width = math.hypot(radii[0] * cos, radii[1] * sin)
    half_height = math.hypot(radii[0] * sin, radii[1] * cos)
    return centre[0] - half_width, centre[1] - half_height, centre[0] + half_width, centre[1] + half_height


def area(points: Sequence[Point]) -> float:
    """Give the area of a polygon.

    >>> area([(0, 0), (4, 0), (0, 3)])
    6.0
    """
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(points, [*points[1:], *points[:1]], strict=True))) / 2


def coco_polygons(rings: Sequence[Sequence[Point]]) -> bytes:
    """Give rings as COCO's `segmentation`.

    >>> coco_polygons([[(0, 0), (4, 0), (0, 3)]])
    b'[[0,0,4,0,0,3]]'
    """
    return msgspec.json.encode([[value for point in ring for value in point] for ring in rings])


def _cos_sin(degrees: float) -> Point:
    """Give cosine and sine, exact at right angles."""
    if degrees % 90 == 0:
        quarter = int(degrees // 90) % 4
        return (1.0, 0.0, -1.0, 0.0)[quarter], (0.0, 1.0, 0.0, -1.0)[quarter]
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
