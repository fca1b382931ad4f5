"""What floats on the synthetic sea: the three classes, what looks a bit like them, and what hides them.

Everything is polygons in units of the sprite's radius, drawn four times too large and averaged down, so that the
alpha of a sprite is the share of each pixel that it covers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from focalcli.images.synthetic_sea import Colour, Plane, clouds

OVERSAMPLING = 4

Points = Sequence[tuple[float, float]] | npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sprite:
    """A painted patch: rgb (h, w, 3) and alpha (h, w) float32, its upper left pixel, and how dark a shadow it casts."""

    kind: str
    rgb: Plane
    alpha: Plane
    left: int
    top: int
    shadow: float = 0.0


class Brush:
    """A square canvas around (0, 0), turned by a random angle; 1 is the sprite's radius."""

    def __init__(self, rng: np.random.Generator, radius: float) -> None:
        angle = rng.uniform(0, 2 * np.pi)
        self.turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        self.side = 2 * int(np.ceil(radius + 1)) + 1
        self.scale = radius * OVERSAMPLING
        size = (self.side * OVERSAMPLING, self.side * OVERSAMPLING)
        self.image, self.mask = Image.new("RGB", size), Image.new("L", size)
        self.draw, self.cover = ImageDraw.Draw(self.image), ImageDraw.Draw(self.mask)

    def polygon(self, points: Points, colour: Colour) -> None:
        """Fill a polygon of (n, 2) points."""
        corners = np.asarray(points, np.float64) @ self.turn * self.scale + self.side * OVERSAMPLING / 2
        flat = corners.ravel().tolist()
        self.draw.polygon(flat, fill=colour)
        self.cover.polygon(flat, fill=255)

    def ellipse(self, centre: tuple[float, float], radii: tuple[float, float], colour: Colour) -> None:
        """Fill an ellipse whose axes turn with the sprite."""
        angles = np.linspace(0, 2 * np.pi, 28, endpoint=False)
        self.polygon(np.stack([np.cos(angles), np.sin(angles)], 1) * radii + centre, colour)

    def sprite(self, kind: str, centre: tuple[float, float], *, opacity: float = 1.0, shadow: float = 0.35) -> Sprite:
        """Average down to pixels and lay the middle of the canvas at `centre` (x, y)."""
        alpha = np.asarray(self.mask.reduce(OVERSAMPLING), np.float32) / np.float32(255)
        paint = np.asarray(self.image.reduce(OVERSAMPLING), np.float32)
        # The canvas is black where nothing is drawn: undo its share in the pixels at the rim.
        rgb = np.minimum(paint / np.maximum(alpha, 1e-3)[..., None], 255)
        left, top = (round(at - self.side / 2) for at in centre)
        return Sprite(kind, rgb, alpha * np.float32(opacity), left, top, shadow)


Draw = Callable[[np.random.Generator, float, tuple[float, float]], Sprite]


def buoy(rng: np.random.Generator, radius: float, centre: tuple[float, float]) -> Sprite:
    """Draw a mooring buoy: a red, orange or yellow float with a pale ring and a dark pole top."""
    colour = _vary(rng, ((206, 48, 40), (228, 110, 30), (236, 190, 40))[rng.integers(3)], 14)
    brush = Brush(rng, radius)
    tilt = rng.uniform(0.88, 1.0)
    brush.ellipse((0, 0), (1, tilt), _darker(colour, 0.72))
    brush.ellipse((-0.07, -0.07), (0.84, 0.84 * tilt), colour)
    brush.ellipse((-0.05, -0.05), (0.52, 0.52 * tilt), (240, 236, 226))
    brush.ellipse((-0.05, -0.05), (0.26, 0.26 * tilt), _darker(colour, 0.45))
    return brush.sprite("buoy", centre)


def boat(rng: np.random.Generator, radius: float, centre: tuple[float, float]) -> Sprite:
    """Draw a sailing or a rowing boat: a pale or painted hull, a wooden deck, a sail or two benches."""
    hull = _vary(rng, ((238, 236, 230), (60, 84, 128), (168, 62, 54), (222, 214, 190))[rng.integers(4)], 10)
    wood = _vary(rng, (176, 128, 80), 12)
    brush = Brush(rng, radius)
    beam = rng.uniform(0.32, 0.42)
    brush.polygon(_hull(1.0, beam), hull)
    brush.polygon(_hull(0.84, beam * 0.72), wood)
    if rng.random() < 0.6:
        sail = _vary(rng, ((250, 248, 240), (240, 222, 190), (216, 90, 70))[rng.integers(3)], 5)
        side = rng.choice((-1.0, 1.0)) * rng.uniform(0.55, 0.75)
        brush.polygon([(0.5, 0), (0.35, side * 0.5), (0.0, side * 0.85), (-0.6, side), (-0.1, side * 0.2)], sail)
        brush.polygon([(0.5, 0), (-0.1, side * 0.2), (-0.6, side), (-0.25, side * 0.3)], _darker(sail, 0.75))
        brush.polygon([(0.55, -0.04), (0.55, 0.04), (-0.6, side + 0.03), (-0.6, side - 0.03)], _darker(wood, 0.55))
    else:
        for x in (-0.45, 0.0, 0.4):
            brush.polygon(_rectangle(x - 0.07, x + 0.07, beam * 0.68), _darker(wood, 0.6))
    return brush.sprite("boat", centre, shadow=0.45)


def orca(rng: np.random.Generator, radius: float, centre: tuple[float, float]) -> Sprite:
    """Draw an orca at the surface: a black body, two flippers, flukes, white eye patches and a grey saddle."""
    skin = _vary(rng, (32, 36, 48), 8)
    brush = Brush(rng, radius)
    bend = rng.uniform(-0.12, 0.12)
    for side in (-1.0, 1.0):
        brush.polygon([(0.4, side * 0.2), (0.22, side * 0.62), (0.02, side * 0.66), (0.16, side * 0.2)], skin)
        brush.polygon([(-0.72, bend), (-0.86, bend + side * 0.36), (-1.0, bend + side * 0.42), (-0.92, bend)], skin)
    x = np.linspace(-0.85, 1, 24)
    width = 0.33 * np.sqrt(np.clip(1 - ((x - 0.25) / 0.75) ** 2, 0, 1))
    width = np.where(x < 0.25, np.maximum(0.06, 0.33 * ((x + 0.85) / 1.1) ** 0.8), width)
    middle = bend * np.clip(-x / 0.85, 0, 1)
    brush.polygon(_outline(x, middle - width, middle + width), skin)
    brush.polygon(_outline(x, middle - 0.55 * width, middle + 0.25 * width), _darker(skin, 1.6))
    for side in (-1.0, 1.0):
        brush.ellipse((0.6, side * 0.16), (0.16, 0.07), (240, 244, 246))
    brush.ellipse((-0.12, 0), (0.14, 0.16), (150, 156, 166))
    return brush.sprite("orca", centre, shadow=0.3)


def jellyfish(rng: np.random.Generator, radius: float, centre: tuple[float, float]) -> Sprite:
    """Draw a translucent pale disc: round as a buoy, without its colours."""
    brush = Brush(rng, radius)
    brush.ellipse((0, 0), (1, 0.94), _vary(rng, (206, 188, 214), 14))
    for angle in np.arange(4) * np.pi / 2:
        brush.ellipse((0.36 * np.cos(angle), 0.36 * np.sin(angle)), (0.2, 0.2), (236, 222, 240))
    return brush.sprite("jellyfish", centre, opacity=rng.uniform(0.4, 0.7), shadow=0.0)


def rock(rng: np.random.Generator, radius: float, centre: tuple[float, float]) -> Sprite:
    """Draw a dark rock: the colours of an orca, without its shape."""
    angles = np.linspace(0, 2 * np.pi, 11, endpoint=False)
    rim = np.stack([np.cos(angles), np.sin(angles)], 1) * rng.uniform(0.65, 1, (11, 1)) * (1, rng.uniform(0.6, 1))
    colour = _vary(rng, (98, 92, 84), 8)
    brush = Brush(rng, radius)
    brush.polygon(rim, colour)
    brush.polygon(0.6 * rim - 0.1, _darker(colour, 1.25))
    return brush.sprite("rock", centre, shadow=0.3)


def log(rng: np.random.Generator, radius: float, centre: tuple[float, float]) -> Sprite:
    """Draw driftwood: long and brown as a boat's deck, without a hull."""
    colour = _vary(rng, (122, 92, 64), 12)
    brush = Brush(rng, radius)
    brush.polygon([(-1, -0.09), (0.9, -0.13), (1, 0.06), (-0.95, 0.12)], colour)
    brush.polygon([(0.1, 0), (0.35, 0.42), (0.45, 0.4), (0.3, 0)], _darker(colour, 0.85))
    brush.polygon([(-0.9, -0.05), (0.85, -0.08), (0.85, -0.02), (-0.9, 0.0)], _darker(colour, 1.2))
    return brush.sprite("log", centre, shadow=0.2)


def gull(rng: np.random.Generator, radius: float, centre: tuple[float, float]) -> Sprite:
    """Draw a gull in flight, white with dark wing tips."""
    brush = Brush(rng, radius)
    brush.polygon(
        [(0.15, 0), (-0.05, -0.6), (-0.35, -1), (-0.2, -0.5), (-0.2, 0.5), (-0.35, 1), (-0.05, 0.6)], (244,) * 3
    )
    for side in (-1.0, 1.0):
        brush.polygon([(-0.17, side * 0.78), (-0.35, side), (-0.25, side * 0.7)], (70, 74, 80))
    brush.ellipse((0.05, 0), (0.42, 0.14), (250, 250, 248))
    return brush.sprite("gull", centre, shadow=0.25)


def parasol(rng: np.random.Generator, radius: float, centre: tuple[float, float]) -> Sprite:
    """Draw a beach parasol: the colours of a buoy in sectors, on land."""
    colour = _vary(rng, ((206, 60, 60), (60, 110, 180), (240, 190, 60))[rng.integers(3)], 14)
    brush = Brush(rng, radius)
    corners = np.linspace(0, 2 * np.pi, 9)
    for k, (start, end) in enumerate(pairwise(corners)):
        sector = [(0.0, 0.0), (np.cos(start), np.sin(start)), (np.cos(end), np.sin(end))]
        brush.polygon(sector, colour if k % 2 else (246, 242, 234))
    return brush.sprite("parasol", centre, shadow=0.5)


def kelp(rng: np.random.Generator, radius: float, centre: tuple[float, float]) -> Sprite:
    """Draw a mat of floating weed, which hides what is under it."""
    return _blob(rng, radius, centre, kind="kelp", colour=_vary(rng, (74, 82, 42), 10), soft=0.5)


def mist(rng: np.random.Generator, radius: float, centre: tuple[float, float]) -> Sprite:
    """Draw a low cloud, which hides what is under it."""
    return _blob(rng, radius, centre, kind="mist", colour=_vary(rng, (222, 228, 232), 6), soft=0.16 * radius)


def _blob(
    rng: np.random.Generator,
    radius: float,
    centre: tuple[float, float],
    *,
    kind: str,
    colour: Colour,
    soft: float,
) -> Sprite:
    """Draw an uneven textured patch with an edge `soft` pixels wide."""
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    phases = rng.uniform(0, 2 * np.pi, 3)
    rim = 0.8 + sum(0.07 * np.sin(k * angles + phase) for k, phase in zip((2, 3, 5), phases, strict=True))
    brush = Brush(rng, radius + 2 * soft)
    brush.polygon(np.stack([np.cos(angles), 0.7 * np.sin(angles)], 1) * np.asarray(rim)[:, None], colour)
    brush.mask = brush.mask.filter(ImageFilter.GaussianBlur(soft * OVERSAMPLING))
    brush.image.paste(colour, (0, 0, *brush.image.size))
    plain = brush.sprite(kind, centre, shadow=0.0)
    texture = 1 + 0.16 * clouds(rng, (brush.side, brush.side), 6, octaves=2)
    flat = np.array(colour, np.float32) * texture[..., None].astype(np.float32)
    return Sprite(kind, np.clip(flat, 0, 255), plain.alpha, plain.left, plain.top)


def _hull(length: float, beam: float) -> npt.NDArray[np.float64]:
    """Give the outline of a hull: pointed at the bow (+x), cut off at the stern."""
    x = np.linspace(-length, length, 16)
    half = beam * np.cos(np.clip((x / length + 0.25) / 1.25, -0.6, 1) * np.pi / 2) ** 0.8
    return _outline(x, -half, half)


def _outline(
    x: npt.NDArray[np.float64], low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Give the polygon between two curves over x."""
    return np.concatenate([np.stack([x, low], 1), np.stack([x, high], 1)[::-1]])


def _rectangle(left: float, right: float, half: float) -> list[tuple[float, float]]:
    return [(left, -half), (right, -half), (right, half), (left, half)]


def _vary(rng: np.random.Generator, colour: Colour, spread: int) -> Colour:
    red, green, blue = np.clip(np.array(colour) + rng.integers(-spread, spread + 1, 3), 0, 255).tolist()
    return red, green, blue


def _darker(colour: Colour, factor: float) -> Colour:
    """Give the colour at `factor` of its brightness; above 1, lighter."""
    red, green, blue = (min(round(value * factor), 255) for value in colour)
    return red, green, blue
