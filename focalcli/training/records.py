"""What the loop tells the journal: what was chosen before the first step, and what each step was like."""

import torch
from msgspec import to_builtins

from focalcli.ranks.world import World
from focalcli.training.journal import Record
from focalcli.training.prepare import Plan
from focalcli.training.schedule import base_lr
from focalcli.training.step import StepLosses


def start_record(plan: Plan, world: World, precision: torch.dtype, total: int) -> Record:
    """Give what was chosen: the loss with its constants, the highest rate, the photos of a step, the number format."""
    config = plan.config
    return {
        "kind": "start",
        "step": 0,
        "steps": total,
        "loss": to_builtins(plan.model.loss),
        "lr": base_lr(config, world.size),
        "photos_a_step": config.photos * config.accumulate * world.size,
        "precision": str(precision).removeprefix("torch."),
    }


def step_record(
    done: StepLosses, *, step: int, total: int, lr: float, photos: int, seconds: float, waited: float
) -> Record:
    """Give the numbers of a step of so many photos; `waited` of its seconds were spent waiting for data."""
    return {
        "kind": "step",
        "step": step,
        "steps": total,
        "loss": done.total,
        "classification_loss": done.classification,
        "box_loss": done.box,
        "positives": done.positives,
        "forced": done.forced,
        "gradient_norm": done.gradient_norm,
        "lr": lr,
        "images_per_second": photos / seconds,
        "waiting": waited / seconds,
    }
