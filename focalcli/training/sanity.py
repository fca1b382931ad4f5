"""`--sanity`: can this network learn eight of these photos by heart? If not, training on all of them is lost time.

Nothing is changed at random, no average, no file is written. A network, labels and losses that fit together reach an
AP50 above 0.9 on the photos they were trained on within two or three minutes on two cores.
"""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from focalcli.evaluation.coco import Evaluator, evaluate
from focalcli.images.fit import Fit
from focalcli.inference.detector import Detector
from focalcli.inference.options import ViewConfig
from focalcli.inference.torch_runtime import TorchRuntime
from focalcli.ranks.world import World, this_world
from focalcli.train_config import TrainConfig
from focalcli.training.coverage import coverage, learnable, network_boxes
from focalcli.training.deliveries import deliveries
from focalcli.training.loop import Training, begin
from focalcli.training.prepare import Plan, prepare
from focalcli.training.schedule import base_lr, lr_factor, set_lr

PHOTOS, WANTED = 8, 0.9
_BATCH, _STEPS, _EVERY = 2, 320, 40  # two photos a step: with so few it is the number of steps that counts
_TINY = 4.0  # pixels in the network, the shorter side of a box


class Sanity(NamedTuple):
    """How it went: AP50 on the photos, steps and seconds it took, first and last loss, and what may be wrong."""

    ap50: float
    steps: int
    seconds: float
    losses: tuple[float, float]
    doubts: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Say whether the photos were learned."""
        return self.ap50 > WANTED


def overfit(plan: Plan, world: World, say: Callable[[str], None]) -> Sanity:
    """Train on eight photos with objects until AP50 is above 0.9 on them, or for 320 steps of two."""
    small, config = _few(plan)
    training = begin(small, world)
    batch_plan = training.plan.batches(world)
    steps = deliveries(training.plan, batch_plan, training.backbone, pin=False, from_step=0)
    began, losses, ap50 = time.perf_counter(), [math.nan], 0.0
    for step in range(1, _STEPS + 1):
        set_lr(training.stepper.optimizer, base_lr(config, world.size) * lr_factor(step - 1, _STEPS, config))
        losses.append(training.stepper.run(next(steps)).total)
        if not math.isfinite(losses[-1]):
            break
        if step % _EVERY == 0:
            ap50 = _ap50(training)
            say(f"step {step}: loss {losses[-1]:.3f}, AP50 {ap50:.3f} on the photos that are trained on")
            if ap50 > WANTED:
                break
    ends = (losses[min(1, len(losses) - 1)], losses[-1])
    return Sanity(
        ap50, len(losses) - 1, time.perf_counter() - began, ends, () if ap50 > WANTED else tuple(_doubts(small, ends))
    )


def check(config: TrainConfig, data: Path, say: Callable[[str], None]) -> Sanity:
    """Prepare a training and try it on eight of its photos. Raises as `prepare`."""
    plan = prepare(config, data)
    return overfit(plan, this_world(config.device), say)


def _ap50(training: Training) -> float:
    """Measure the network on the photos or tiles that it is trained on, each looked at as a whole."""
    model, samples = training.model, training.plan.samples()
    evaluator = Evaluator(samples.dataset)
    runtime = TorchRuntime(model, device=str(training.world.device), precision=training.plan.config.precision)
    photos = (samples.original(position).image for position in range(len(samples.dataset.images)))
    for position, found in enumerate(Detector(runtime, views=ViewConfig(tile="off")).detect(photos)):
        evaluator.add(position, found)
    model.train()
    return evaluate(samples.dataset, evaluator.predictions()).values["AP50"]


def _few(plan: Plan) -> tuple[Plan, TrainConfig]:
    """Give a plan of the first photos that show every class there is, as far as eight can."""
    dataset = plan.train
    rows = learnable(dataset)
    shown: list[set[int]] = [set() for _ in dataset.images]
    for image, category in zip(dataset.boxes.image[rows], dataset.boxes.category[rows], strict=True):
        shown[image].add(int(category))
    chosen: list[int] = []
    while len(chosen) < PHOTOS and (left := [i for i in range(len(shown)) if shown[i] and i not in chosen]):
        seen = set().union(*(shown[i] for i in chosen))
        chosen.append(max(left, key=lambda i: (len(shown[i] - seen), -i)))
    few = dataset.take_images(np.array(sorted(chosen), np.int64))
    tiles = plan.tiles and tuple(plan.tiles[i] for i in sorted(chosen))
    config = msgspec.structs.replace(
        plan.config,
        augment="none",
        flip="none",
        ema=0.0,
        epochs=_STEPS,
        batch=_BATCH,
        accumulate=1,
        workers=0,
        cache_features=None,
        views=1,
        multi_scale=0.0,
        balance=0.0,
        empty_share=None,
        weight_decay=0.0,
    )
    return replace(plan, config=config, train=few, val=few, tiles=tiles), config


def _doubts(plan: Plan, losses: tuple[float, float]) -> list[str]:
    """Say what may keep the network from learning, each with what to look at."""
    fit, dataset = Fit.of(plan.model), plan.train
    rows = learnable(dataset)
    boxes, _ = network_boxes(dataset, fit, rows)
    sides = (boxes[:, 2:] - boxes[:, :2]).min(axis=1)
    reached = coverage(dataset, fit, plan.model.anchors, object_iou=plan.model.loss.object_iou).best_iou.numpy()
    low = float((reached < plan.model.loss.object_iou).mean())
    _, counts = np.unique(np.column_stack([dataset.boxes.image[rows], boxes]), axis=0, return_counts=True)
    found = []
    if not math.isfinite(losses[1]):
        found.append("the loss is not finite: lower --lr")
    elif losses[1] > 0.5 * losses[0]:
        found.append(f"the loss fell only from {losses[0]:.3g} to {losses[1]:.3g}: try --lr, --weights, --freeze stem")
    tiny = float((sides < _TINY).mean())
    if tiny > 0.1:
        found.append(f"{tiny:.0%} of the boxes are under {_TINY:g} px in the network: raise --min-size, or use --tile")
    if low > 0.1:
        found.append(f"anchors miss {low:.0%} of the objects: see `focalcli insight anchors`")
    if (counts > 1).any():
        found.append(f"{int((counts > 1).sum())} boxes are there twice: see `focalcli validate`")
    return found or ["nothing obvious: look at the labels with `focalcli inspect` and `focalcli insight audit`"]
