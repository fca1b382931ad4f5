"""The water of a synthetic photo, seen from a drone: depth, waves, glints, sometimes a beach; and its light and noise.

All fields are (H, W) float32; all colours 0 to 255. Nothing here knows of objects: `synthetic_sprites` draws those.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image

Plane = npt.NDArray[np.float32]
Colour = tuple[int, int, int]

# (deep, shallow) water
WATERS: tuple[tuple[Colour, Colour], ...] = (
    ((24, 84, 118), (86, 176, 182)),
    ((34, 92, 104), (120, 178, 160)),
    ((44, 96, 134), (112, 164, 190)),
    ((40, 88, 92), (98, 146, 128)),
)
SAND, WET_SAND, FOAM = (216, 196, 152), (170, 148, 112), (236, 244, 242)


def clouds(rng: np.random.Generator, image_size: tuple[int, int], cell: int, *, octaves: int = 3) -> Plane:
    """Give smooth random values, mean 0 and about -1 to 1: `octaves` layers, the coarsest changing every `cell` px."""
    height, width = image_size
    total = np.zeros(image_size, np.float32)
    for octave in range(octaves):
        step = max(cell >> octave, 2)
        grid = rng.uniform(-1, 1, (height // step + 4, width // step + 4)).astype(np.float32)
        inner = (1.0, 1.0, 1 + width / step, 1 + height / step)
        smooth = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC, inner)
        total += np.asarray(smooth) / np.float32(2**octave)
    return total


def ramp(rng: np.random.Generator, image_size: tuple[int, int]) -> Plane:
    """Give a plane that rises from -1 to 1 across the photo in a random direction."""
    height, width = image_size
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.linspace(-1, 1, height, dtype=np.float32)[:, None], np.linspace(-1, 1, width, dtype=np.float32)
    plane = np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y
    return np.asarray(plane / np.abs(plane).max(), np.float32)


def sea(rng: np.random.Generator, image_size: tuple[int, int]) -> tuple[Plane, npt.NDArray[np.bool_]]:
    """Give (H, W, 3) water with waves, glints and, for every third photo, a beach; and (H, W), where the land is."""
    deep, shallow = WATERS[rng.integers(len(WATERS))]
    slope = ramp(rng, image_size)
    depth = np.clip(0.5 + 0.35 * slope + 0.3 * clouds(rng, image_size, 96), 0, 1)
    colour = _mix(deep, shallow, depth)
    swell = _swell(rng, image_size)
    colour += (13 * swell + 10 * clouds(rng, image_size, 10, octaves=2))[..., None]
    glints = np.clip(swell + 0.7 * clouds(rng, image_size, 6, octaves=2) - rng.uniform(1.35, 1.8), 0, 1)
    colour += 150 * glints[..., None]
    land = np.zeros(image_size, np.bool_)
    if rng.random() < 1 / 3:
        land = _beach(rng, colour, slope)
    return colour, land


def light(rng: np.random.Generator, image_size: tuple[int, int]) -> Plane:
    """Give the factor by which the sun lights each pixel: a gradient, and the shadows of clouds nobody sees."""
    gradient = 1 + rng.uniform(0.05, 0.22) * ramp(rng, image_size)
    shadow = np.clip(2.5 * (clouds(rng, image_size, 128, octaves=2) - rng.uniform(0.1, 0.7)), 0, 1)
    return np.asarray(gradient * (1 - rng.uniform(0.15, 0.4) * shadow), np.float32)


def grain(rng: np.random.Generator, image_size: tuple[int, int]) -> Plane:
    """Give (H, W, 3) sensor noise, of one strength a photo."""
    return rng.standard_normal((*image_size, 3), np.float32) * np.float32(rng.uniform(3, 9))


def _swell(rng: np.random.Generator, image_size: tuple[int, int]) -> Plane:
    """Give waves that run in one direction, bent by noise so that no two crests are alike."""
    height, width = image_size
    angle, length = rng.uniform(0, np.pi), rng.uniform(12, 22)
    y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)
    along = (np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y) * np.float32(2 * np.pi / length)
    bent = along + 3.5 * clouds(rng, image_size, 40, octaves=2)
    return np.asarray(np.sin(bent) * np.clip(0.6 + clouds(rng, image_size, 56, octaves=2), 0, 1), np.float32)


def _beach(rng: np.random.Generator, colour: Plane, slope: Plane) -> npt.NDArray[np.bool_]:
    """Paint sand over the shallow end, with a wet rim and a line of foam; give where the sand is."""
    image_size = slope.shape[0], slope.shape[1]
    height = 14 * (slope - rng.uniform(0.45, 0.7)) + 1.6 * clouds(rng, image_size, 48)
    sand = _mix(WET_SAND, SAND, np.clip(height / 2, 0, 1)) + (9 * clouds(rng, image_size, 4, octaves=1))[..., None]
    _blend(colour, sand, np.clip(3 * height, 0, 1))
    _blend(colour, np.full_like(colour, FOAM), np.float32(0.85) * np.exp(-((3 * height + 0.4) ** 2)))
    return np.asarray(height > -1, np.bool_)


def _mix(low: Colour, high: Colour, share: Plane) -> Plane:
    start, end = np.array(low, np.float32), np.array(high, np.float32)
    return np.asarray(start + (end - start) * share[..., None], np.float32)


def _blend(colour: Plane, over: Plane, alpha: Plane) -> None:
    colour += (over - colour) * alpha[..., None]
