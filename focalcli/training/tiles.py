"""Big photos cut into tiles to train on: the same tiles in which the model looks at photos later.

An object that an edge cuts is learned in every tile that shows at least `MIN_VISIBLE` of it, by the part that is to be
seen there; detection joins such parts again (`inference/merge.py`). In tiles that show less of it, it is no object.
"""

from dataclasses import replace

import numpy as np

from focalcli.dataset.types import Dataset, Image, Ints
from focalcli.images.tiles import Tile, tiles
from focalcli.training.augment import MIN_VISIBLE


def cut(dataset: Dataset, side: int, *, overlap: float) -> tuple[Dataset, tuple[Tile, ...]]:
    """Give a data set whose photos are the tiles, and where each lies in its photo."""
    bounds = dataset.row_bounds()
    images: list[Image] = []
    places: list[Tile] = []
    rows: list[Ints] = []
    for position, image in enumerate(dataset.images):
        mine = np.arange(bounds[position], bounds[position + 1])
        found = tiles((image.height, image.width), side, overlap=overlap)
        for tile in found:
            y, x, height, width = tile
            key = image.key if len(found) == 1 else f"{image.key}#{x},{y}"
            images.append(image.but(key=key, width=width, height=height))
            places.append(tile)
            rows.append(mine[_seen(dataset, mine, tile) >= MIN_VISIBLE])
    tile_of = np.repeat(np.arange(len(images)), [len(r) for r in rows]).astype(np.int64)
    boxes = dataset.boxes.take(np.concatenate([np.zeros(0, np.int64), *rows]))
    y, x, height, width = np.array(places, np.float64).reshape(-1, 4)[tile_of].T
    origin, limit = np.stack([x, y, x, y], 1), np.stack([width, height, width, height], 1)
    xyxy = np.clip(boxes.xyxy - origin, 0, limit)
    area = np.prod(xyxy[:, 2:] - xyxy[:, :2], axis=1)
    clipped = replace(boxes, xyxy=xyxy, image=tile_of, area=area, segmentation=None)
    return replace(dataset, images=tuple(images), boxes=clipped), tuple(places)


def _seen(dataset: Dataset, rows: Ints, tile: Tile) -> np.ndarray:
    """Give the share of each box that lies in the tile; 0 for one without area."""
    y, x, height, width = tile
    boxes = dataset.boxes.xyxy[rows]
    inside = np.clip(boxes, [x, y, x, y], [x + width, y + height, x + width, y + height])
    seen, whole = (np.prod(b[:, 2:] - b[:, :2], axis=1) for b in (inside, boxes))
    shares: np.ndarray = np.divide(seen, whole, out=np.zeros(len(rows)), where=whole > 0)
    return shares
