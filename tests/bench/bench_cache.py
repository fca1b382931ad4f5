"""Cached features against the same frozen epoch uncached, in turns in one process.

    python tests/bench/bench_cache.py

Both sides are trainings with `--freeze backbone --views 1` at 320 x 448, batch 8, 64-wide pyramid and heads, photos and
features loaded ahead by a process each, as `focalcli train` does; one side has `--cache-features`. Prints images/s of
whole epochs (median of those after the first, which fills the cache), for a ResNet-50 and for EfficientNet-Lite0.
"""

import dataclasses
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import torch

from focalcli.images.synthetic_set import write_bay
from focalcli.ranks.world import World
from focalcli.train_config import TrainConfig
from focalcli.training.deliveries import deliveries
from focalcli.training.loop import begin
from focalcli.training.prepare import prepare
from focalcli.training.schedule import set_lr

PHOTOS, EPOCHS = 32, 8
COMMON = TrainConfig(freeze="backbone", views=1, weights="none", min_size=320, max_size=448, batch=8, epochs=EPOCHS,
                     force=True, val_split="off", device="cpu")  # fmt: skip


def epochs(config: TrainConfig, data: Path) -> Iterator[float]:
    """Train; give the seconds of each epoch."""
    plan = prepare(config, data)
    narrow = msgspec.structs.replace(plan.model, pyramid_channels=64, head_channels=64)
    world = World(0, 1, torch.device("cpu"))
    training = begin(dataclasses.replace(plan, model=narrow), world)
    set_lr(training.stepper.optimizer, 1e-4)
    batch_plan = training.plan.batches(world)
    steps = deliveries(training.plan, batch_plan, training.backbone, pin=False, from_step=0)
    for _ in range(EPOCHS):
        start = time.perf_counter()
        for _ in range(batch_plan.steps):
            training.stepper.run(next(steps))
            if training.average:
                training.average.update_parameters(training.model)
        yield time.perf_counter() - start


def main() -> None:
    """Take an epoch of each side in turns."""
    with tempfile.TemporaryDirectory() as folder:
        write_bay(Path(folder) / "bay", round(PHOTOS * 1.5), size=640, seed=0)
        for preset in ("resnet50", "lite0"):
            plain = msgspec.structs.replace(COMMON, preset=preset)
            cached = msgspec.structs.replace(plain, cache_features=str(Path(folder) / "features"))
            sides = [epochs(config, Path(folder) / "bay") for config in (cached, plain)]
            times = list(zip(*sides, strict=True))[1:]
            ours, peer = (PHOTOS / statistics.median(side) for side in zip(*times, strict=True))
            line = {"bench": f"cached features {preset}", "ours": round(ours, 1), "peer": round(peer, 1)}
            print(json.dumps({**line, "ratio": round(ours / peer, 2), "unit": "images/s"}))


if __name__ == "__main__":
    main()
