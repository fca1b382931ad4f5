"""A tiny data set on disk and a tiny training, for the tests of this folder."""

import hashlib
import json
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from focalcli.checkpoint import load_training_state
from focalcli.train_config import TrainConfig

FAST = TrainConfig(
    preset="lite0",
    anchor_size=14.0,
    epochs=2,
    batch=4,
    min_size=64,
    max_size=96,
    workers=0,
    device="cpu",
    precision="fp32",
    eval_every=1,
)


def write_squares(folder: Path, *, train: int = 8, val: int = 4) -> Path:
    """Write a COCO data set of bright squares on noise; every fourth photo is empty. Ids are sparse and from 5 up."""
    for split, count in (("train", train), ("val", val)):
        images, annotations = [], []
        (folder / "images" / split).mkdir(parents=True)
        for i in range(count):
            generator = np.random.default_rng((i, split == "val"))
            width = 96 if i % 2 else 64
            pixels = generator.integers(0, 80, (64, width, 3), dtype=np.uint8)
            images.append({"id": i + 1, "file_name": f"{i}.png", "width": width, "height": 64})
            for _ in range(0 if i % 4 == 3 else 2):
                kind, side = int(generator.integers(2)), int(generator.integers(14, 30))
                x, y = (int(generator.integers(0, limit - side)) for limit in (width, 64))
                pixels[y : y + side, x : x + side, kind] = 230
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": i + 1,
                        "category_id": (5, 9)[kind],
                        "bbox": [x, y, side, side],
                        "area": side * side,
                        "iscrowd": 0,
                    }
                )
            Image.fromarray(pixels).save(folder / "images" / split / f"{i}.png")
        categories = [{"id": 5, "name": "red"}, {"id": 9, "name": "green"}]
        content = {"images": images, "annotations": annotations, "categories": categories}
        (folder / "annotations").mkdir(exist_ok=True)
        (folder / "annotations" / f"{split}.json").write_text(json.dumps(content))
    return folder


def digest(path: Path) -> str:
    """Give the SHA-256 of a file; of a training state that of all it holds, however it lies in the file."""
    content = repr(_plain(load_training_state(path))).encode() if path.suffix == ".pt" else path.read_bytes()
    return hashlib.sha256(content).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, Tensor):
        return [str(value.dtype), *value.shape, hashlib.sha256(value.contiguous().numpy().tobytes()).hexdigest()]
    return value
