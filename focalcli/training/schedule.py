"""The learning rate and the optimiser: a pure function of the step, and parameters in two groups."""

import math
from collections.abc import Iterable

import torch
from torch import nn

from focalcli.train_config import TrainConfig

_DEFAULT_LR = {"adamw": 1e-3, "sgd": 1e-2}
_USUAL_PHOTOS = 8  # a step, which these rates are for


def base_lr(config: TrainConfig, ranks: int = 1) -> float:
    """Give the highest learning rate: as set, or the optimiser's default for 8 photos a step, times photos / 8.

    Linear scaling: Goyal et al. 2017, arXiv 1706.02677, section 2.1.
    """
    if config.lr is None:
        return _DEFAULT_LR[config.optimizer] * config.photos * config.accumulate * ranks / _USUAL_PHOTOS
    assert not isinstance(config.lr, str), "lr_range.py finds one"
    return config.lr


def describe_lr(config: TrainConfig, ranks: int) -> str:
    """Say the highest learning rate and where it comes from."""
    rate, photos = base_lr(config, ranks), config.photos * config.accumulate * ranks
    if config.lr is not None:
        return f"learning rate {rate:g}, as told; {photos} photos a step"
    return f"learning rate {rate:g}: {_DEFAULT_LR[config.optimizer]:g} x {photos} photos a step / {_USUAL_PHOTOS}"


def lr_factor(step: int, total: int, config: TrainConfig) -> float:
    """Give the share of the base learning rate at a step of `total`: linear warm-up, then cosine to 0 or steps.

    `step` drops to a tenth after 2/3 and again after 8/9 of the steps (Lin et al. 2017: 60k and 80k of 90k).
    """
    warmup = max(round(total * config.warmup), 1)
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(total - warmup, 1)
    if config.schedule == "cosine":
        return (1 + math.cos(math.pi * done)) / 2
    return 0.1 ** ((step >= total * 2 / 3) + (step >= total * 8 / 9))


def build_optimizer(parameters: Iterable[nn.Parameter], config: TrainConfig) -> torch.optim.Optimizer:
    """Give the optimiser of the trained parameters; biases and norms are not decayed."""
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=base_lr(config), fused=True)
    return torch.optim.SGD(groups, lr=base_lr(config), momentum=config.momentum, nesterov=True, fused=True)


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of all groups."""
    for group in optimizer.param_groups:
        group["lr"] = lr
