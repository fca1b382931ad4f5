"""Synthetic photos to try things on: a bay seen from a drone, with many buoys, some boats and the odd orca.

It looks like the problem focal loss was made for: large textured backgrounds, few small objects, partly hidden, of
very unequal classes, and photos with none. A photo depends on (seed, split, index) and the names in it alone.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from focalcli.images import synthetic_sprites as sprites
from focalcli.images.synthetic_sea import Plane, grain, light, sea
from focalcli.images.synthetic_sprites import Draw, Sprite

# Share of all objects; the smallest and largest radius in pixels; how it is drawn.
CLASSES: dict[str, tuple[float, tuple[float, float], Draw]] = {
    "buoy": (0.79, (7.5, 13), sprites.buoy),
    "boat": (0.16, (16, 30), sprites.boat),
    "orca": (0.05, (22, 31), sprites.orca),
}
DECOYS: tuple[tuple[Draw, tuple[float, float]], ...] = (
    (sprites.jellyfish, (6, 14)),
    (sprites.rock, (6, 20)),
    (sprites.log, (10, 24)),
    (sprites.gull, (6, 11)),
    (sprites.kelp, (8, 22)),
    (sprites.mist, (10, 26)),
)
EMPTY_SHARE = 0.15
HIDDEN_SHARE = 0.4
MIN_VISIBLE = 0.4
MIN_SIDE = 8
JPEG_QUALITY = 92
SIZES = ((1.0, 0.8), (1.0, 0.8), (1.0, 0.75), (0.8, 1.0), (0.9, 0.9))
"""Width and height of a photo, in units of the longer side; 320 makes mostly 320 x 256."""

REFERENCE_AREA = 320 * 256


class Object(NamedTuple):
    """What there is to find: a class name, and the box (x1, y1, x2, y2) around its visible pixels."""

    name: str
    box: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Scene:
    """A photo before it is taken: (H, W, 3) water, sprites from bottom to top, light (H, W) and noise (H, W, 3)."""

    water: Plane
    sprites: tuple[Sprite, ...]
    light: Plane
    grain: Plane
    objects: tuple[Object, ...]


def deal(seed: int, split: int, num_images: int, *, size: int = 320) -> list[tuple[str, ...]]:
    """Give the names of the objects of each photo of a split: some have none, and each class has its share in all."""
    rng = _generator(seed, split)
    crowd = size * size * 0.8 / REFERENCE_AREA
    counts = 1 + rng.poisson(3.2 * crowd, num_images)
    counts[rng.permutation(num_images)[: round(EMPTY_SHARE * num_images)]] = 0
    total = int(counts.sum())
    rare = {name: max(round(share * total), 1) for name, (share, _, _) in CLASSES.items() if name != "buoy"}
    deck = np.array([name for name, count in rare.items() for _ in range(count)][:total], dtype=object)
    deck = rng.permutation(np.concatenate([deck, np.full(total - len(deck), "buoy", dtype=object)]))
    return [tuple(deck[end - count : end]) for end, count in zip(np.cumsum(counts), counts, strict=True)]


def compose(seed: int, split: int, index: int, names: Sequence[str], *, size: int = 320) -> Scene:
    """Lay out photo `index` of a split, with these objects in it; `size` is its longer side in pixels.

    An object of which less than 40 % would be seen, or less than 8 pixels across, is left out.
    """
    rng = _generator(seed, split, index)
    width, height = (round(size * side) for side in SIZES[rng.integers(len(SIZES))])
    water, land = sea(rng, (height, width))
    layers = _decoys(rng, land)
    objects: list[Sprite] = []
    for name in sorted(names, key=list(CLASSES).index, reverse=True):
        _, radii, draw = CLASSES[name]
        objects.append(_place(rng, draw, rng.uniform(*radii), ~land, objects))
    covers = [_cover(rng, hidden) for hidden in objects if rng.random() < HIDDEN_SHARE]
    drawn, found = _look(layers + objects + covers, (height, width))
    return Scene(water, drawn, light(rng, (height, width)), grain(rng, (height, width)), found)


def paint(scene: Scene, layers: Sequence[Sprite] | None = None) -> npt.NDArray[np.uint8]:
    """Take the photo: (H, W, 3) RGB, of all sprites or only of some."""
    canvas = scene.water.copy()
    for sprite in scene.sprites if layers is None else layers:
        if sprite.shadow:
            _shade(canvas, sprite)
        here, there = _overlap(sprite, canvas.shape)
        canvas[here] += (sprite.rgb[there] - canvas[here]) * sprite.alpha[there][..., None]
    canvas *= scene.light[..., None]
    return np.asarray(np.clip(np.rint(canvas + scene.grain), 0, 255), np.uint8)


def jpeg(photo: npt.NDArray[np.uint8]) -> bytes:
    """Give a photo as a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def _generator(*key: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))


def _decoys(rng: np.random.Generator, land: npt.NDArray[np.bool_]) -> list[Sprite]:
    """Draw what is not to be found: three or so at sea in a photo of the usual size, parasols on the beach."""
    placed: list[Sprite] = []
    for _ in range(rng.poisson(3 * land.size / REFERENCE_AREA)):
        draw, radii = DECOYS[rng.integers(len(DECOYS))]
        placed.append(_place(rng, draw, rng.uniform(*radii), ~land, placed))
    for _ in range(rng.poisson(12 * land.mean() * land.size / REFERENCE_AREA)):
        placed.append(_place(rng, sprites.parasol, rng.uniform(6, 10), land, placed))
    return placed


def _place(
    rng: np.random.Generator,
    draw: Draw,
    radius: float,
    where: npt.NDArray[np.bool_],
    others: Sequence[Sprite],
) -> Sprite:
    """Draw a sprite somewhere in `where`, rather not onto others, sometimes across the border of the photo."""
    height, width = where.shape
    spot = (width / 2, height / 2)
    for _ in range(30):
        spot = (rng.uniform(0.5 * radius, width - 0.5 * radius), rng.uniform(0.5 * radius, height - 0.5 * radius))
        if where[int(spot[1]), int(spot[0])] and all(_apart(spot, radius, other) for other in others):
            break
    return draw(rng, radius, spot)


def _apart(spot: tuple[float, float], radius: float, other: Sprite) -> bool:
    half = other.alpha.shape[0] / 2
    gap = np.hypot(spot[0] - other.left - half, spot[1] - other.top - half)
    return bool(gap > 0.9 * (radius + half))


def _cover(rng: np.random.Generator, hidden: Sprite) -> Sprite:
    """Draw weed or mist over one side of an object."""
    half = hidden.alpha.shape[0] / 2
    radius = half * rng.uniform(0.7, 1.2)
    angle, distance = rng.uniform(0, 2 * np.pi), (half + radius) * rng.uniform(0.45, 0.75)
    spot = (hidden.left + half + distance * np.cos(angle), hidden.top + half + distance * np.sin(angle))
    return (sprites.kelp if rng.random() < 0.5 else sprites.mist)(rng, radius, spot)


def _look(layers: Sequence[Sprite], image_size: tuple[int, int]) -> tuple[tuple[Sprite, ...], tuple[Object, ...]]:
    """Look down through the layers: which sprites stay, and the objects that can be seen, both from bottom to top."""
    clear = np.ones(image_size, np.float32)
    drawn: list[Sprite] = []
    found: list[Object] = []
    for sprite in reversed(layers):
        here, there = _overlap(sprite, image_size)
        visible = sprite.alpha[there] * clear[here]
        if sprite.kind in CLASSES:
            box = _bounds(visible >= 0.5, left=here[1].start, top=here[0].start)
            if visible.sum() < MIN_VISIBLE * sprite.alpha.sum() or min(box[2] - box[0], box[3] - box[1]) < MIN_SIDE:
                continue
            found.append(Object(sprite.kind, box))
        drawn.append(sprite)
        clear[here] *= 1 - sprite.alpha[there]
    return tuple(reversed(drawn)), tuple(reversed(found))


def _bounds(mask: npt.NDArray[np.bool_], *, left: int, top: int) -> tuple[int, int, int, int]:
    """Give the pixel edges around what is true, all zero if nothing is."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return 0, 0, 0, 0
    return left + int(columns[0]), top + int(rows[0]), left + int(columns[-1]) + 1, top + int(rows[-1]) + 1


def _shade(canvas: Plane, sprite: Sprite) -> None:
    """Darken what lies to the lower right of a sprite."""
    soft = Image.fromarray(np.rint(sprite.alpha * 255).astype(np.uint8)).filter(ImageFilter.BoxBlur(1))
    alpha = np.asarray(soft, np.float32) * np.float32(sprite.shadow / 255)
    cast = Sprite("shadow", sprite.rgb, alpha, sprite.left + 2, sprite.top + 3)
    here, there = _overlap(cast, canvas.shape)
    canvas[here] *= 1 - alpha[there][..., None]


def _overlap(sprite: Sprite, image_size: Sequence[int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Give the part of the photo under a sprite, and the part of the sprite that is in the photo."""
    down, across = (
        slice(min(max(start, 0), limit), min(max(start + length, 0), limit))
        for start, length, limit in zip((sprite.top, sprite.left), sprite.alpha.shape, image_size, strict=False)
    )
    return (down, across), (
        slice(down.start - sprite.top, down.stop - sprite.top),
        slice(across.start - sprite.left, across.stop - sprite.left),
    )
