"""What must stay as it was when a training goes on: all settings that change what is learned from a step."""

from typing import Any

import msgspec

from focalcli.train_config import TrainConfig

# Free to change: the length, the machine, what is kept where, and where weights started.
_FREE = (
    "images", "weights", "epochs", "patience", "force", "log", "device", "compile", "workers",
    "loader_timeout", "eval_every",
    "cache_features", "cache_limit",
)  # fmt: skip

# Compared by what they come to: a step of the same photos, however it is split.
_SPLIT = ("batch", "accumulate")

# Compared as parts of the model's configuration.
_MODEL = (
    "preset", "min_size", "max_size", "tile", "overlap", "anchor_size", "anchor_ratios",
    "loss", "alpha", "gamma", "beta", "label_smoothing", "box_loss", "box_weight",
)  # fmt: skip


def recipe(config: TrainConfig, views: int, *, ranks: int) -> dict[str, Any]:
    """Give the settings that a training keeps to its end, as plain values; `views` as they were resolved.

    A step may be split otherwise, into other batches or over other ranks, as long as it has as many photos: `BatchPlan`
    then gives it the same ones.
    """
    values: dict[str, Any] = msgspec.to_builtins(config)
    kept = {name: value for name, value in values.items() if name not in (*_FREE, *_SPLIT, *_MODEL)}
    return {**kept, "views": views, "photos a step": config.photos * config.accumulate * ranks}
