"""Boxes, names and scores on photos, legible at any size and on any ground."""

import colorsys
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from focalcli.images.decode import Pixels

Colour = tuple[int, int, int]
Rectangle = tuple[int, int, int, int]

# A smaller photo is drawn enlarged, for no label would fit on it.
SMALLEST_SIDE = 480

BLACK, WHITE = (0, 0, 0), (255, 255, 255)


def class_colour(index: int) -> Colour:
    """Give the colour of a class: always the same, neighbours far apart.

    The hue goes round by the golden angle; every six classes saturation and brightness change too.
    """
    hue = (0.01 + index * (math.sqrt(5) - 1) / 2) % 1
    saturation, value = [(0.85, 1.0), (0.55, 1.0), (1.0, 0.75)][index // 6 % 3]
    red, green, blue = (round(255 * part) for part in colorsys.hsv_to_rgb(hue, saturation, value))
    return red, green, blue


def text_colour(ground: Colour) -> Colour:
    """Give black or white, whichever stands out more from `ground` (WCAG 2.1 contrast ratio)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in ground)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return BLACK if (luminance + 0.05) ** 2 > 1.05 * 0.05 else WHITE


def draw_boxes(image: Pixels, boxes: npt.NDArray[np.floating], labels: Sequence[str], classes: Sequence[int]) -> Pixels:
    """Give the photo (H, W, 3) with `boxes` (n, 4) and their labels on it, the first on top.

    A small photo comes back enlarged by a whole number.
    """
    enlarged = -(-SMALLEST_SIDE // max(image.shape[:2]))
    picture = Image.fromarray(image)
    if enlarged > 1:
        picture = picture.resize((picture.width * enlarged, picture.height * enlarged), Image.Resampling.BICUBIC)
    canvas = _Canvas(picture)
    corners = [_rectangle(box) for box in boxes * enlarged]
    colours = [class_colour(index) for index in classes]
    for corner, colour in reversed(list(zip(corners, colours, strict=True))):
        canvas.box(corner, colour)
    places = canvas.places(corners, labels)
    for place, label, colour in reversed(list(zip(places, labels, colours, strict=True))):
        canvas.label(place, label, colour)
    return np.array(picture)


def _rectangle(box: npt.NDArray[np.floating]) -> Rectangle:
    """Give the pixels (first and last, x and y) that a box of continuous edges covers."""
    x1, y1, x2, y2 = (float(edge) for edge in box)
    left, top = math.floor(x1), math.floor(y1)
    return left, top, max(left, math.ceil(x2) - 1), max(top, math.ceil(y2) - 1)


class _Canvas:
    """A picture with the line width and font that suit its size."""

    def __init__(self, picture: Image.Image) -> None:
        side = math.sqrt(picture.width * picture.height)
        self.width, self.height = picture.size
        self.line = max(2, round(side / 250))
        self.margin = max(2, round(side / 300))
        self.font = ImageFont.load_default(max(13, round(side / 38)))
        self.draw = ImageDraw.Draw(picture)

    def box(self, corner: Rectangle, colour: Colour) -> None:
        """Draw a frame inside its box, with a dark edge that shows it on grounds of its own colour."""
        left, top, right, bottom = corner
        line = min(self.line, max(1, min(right - left, bottom - top) // 4))
        self.draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline=BLACK)
        self.draw.rectangle(corner, outline=colour, width=line)

    def places(self, corners: Sequence[Rectangle], labels: Sequence[str]) -> list[Rectangle]:
        """Choose where each label goes: above its box, else below, else inside; where no other label is, if it can."""
        taken: list[Rectangle] = []
        for corner, label in zip(corners, labels, strict=True):
            options = [self._inside(place) for place in self._around(corner, *self._extent(label))]
            free = (place for place in options if not any(_overlap(place, other) for other in taken))
            taken.append(next(free, options[0]))
        return taken

    def label(self, place: Rectangle, label: str, colour: Colour) -> None:
        """Write a label on a ground of its class's colour."""
        if label:
            self.draw.rectangle(place, fill=colour)
            middle = (place[1] + place[3] + 1) / 2
            self.draw.text((place[0] + self.margin, middle), label, text_colour(colour), self.font, anchor="lm")

    def _extent(self, label: str) -> tuple[int, int]:
        left, _, right, _ = self.font.getbbox(label)
        ascent, descent = self.font.getmetrics() if isinstance(self.font, ImageFont.FreeTypeFont) else (11, 0)
        return math.ceil(right - left) + 2 * self.margin, ascent + descent + self.margin

    def _around(self, corner: Rectangle, width: int, height: int) -> list[Rectangle]:
        left, top, right, bottom = corner
        starts = [
            (left, top - height),
            (right - width + 1, top - height),
            (left, bottom + 1),
            (right - width + 1, bottom + 1),
            (left, top),
            (left, bottom - height + 1),
        ]
        return [(x, y, x + width - 1, y + height - 1) for x, y in starts]

    def _inside(self, place: Rectangle) -> Rectangle:
        """Move a rectangle into the picture; what is larger than the picture begins at its edge."""
        left, top, right, bottom = place
        dx = max(-left, min(0, self.width - 1 - right))
        dy = max(-top, min(0, self.height - 1 - bottom))
        return left + dx, top + dy, right + dx, bottom + dy


def _overlap(one: Rectangle, other: Rectangle) -> bool:
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]
