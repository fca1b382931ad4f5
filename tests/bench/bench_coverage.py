"""Coverage of 860,000 objects by anchors (COCO's size), from data set to numbers.

    python tests/bench/bench_coverage.py

Prints one JSON line: seconds of wall time, and of processor time, best of three.
"""

import json
import time
from pathlib import Path

import numpy as np

from focalcli.config import ClassInfo, ModelConfig
from focalcli.dataset.types import Boxes, Category, Dataset, Image
from focalcli.insight.anchors import study

OBJECTS, IMAGES = 860_000, 118_000


def photos() -> Dataset:
    """Give a data set of COCO's size: 80 classes, photos of a few thousand sizes, log-uniform objects."""
    rng = np.random.default_rng(0)
    images = tuple(Image(f"{i}.jpg", None, 640 - i % 97, 480 - i % 41) for i in range(IMAGES))
    side = np.exp(rng.uniform(np.log(5), np.log(300), (OBJECTS, 2)))
    corner = rng.uniform(0, 1, (OBJECTS, 2)) * (np.array([540, 430]) - np.minimum(side, 420))
    ints = np.zeros(OBJECTS, np.int64)
    image = np.sort(rng.integers(0, IMAGES, OBJECTS))
    category = rng.integers(0, 80, OBJECTS)
    xyxy = np.concatenate([corner, corner + side], axis=1)
    boxes = Boxes(xyxy, image, category, ints, side.prod(axis=1), ints, ints, ints)
    return Dataset(tuple(Category(f"c{i}", i) for i in range(80)), images, boxes, Path("photos"))


def main() -> None:
    """Measure and print."""
    dataset, model = photos(), ModelConfig(classes=(ClassInfo("c0", 0),))
    times = []
    for _ in range(3):
        wall, processor = time.perf_counter(), time.process_time()
        study(dataset, model).as_dict()
        times.append((time.perf_counter() - wall, time.process_time() - processor))
    wall, processor = min(times)
    print(json.dumps({"bench": "anchors of 860,000 objects", "ours": round(wall, 2), "processor": round(processor, 2),
                      "peer": None, "ratio": None, "unit": "s"}))  # fmt: skip


if __name__ == "__main__":
    main()
