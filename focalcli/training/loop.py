"""The training, from the first step to the last, readable at one sitting. Steps are the clock."""

import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import torch

from focalcli.checkpoint import save_model, save_training_state
from focalcli.config import encode_config
from focalcli.detection.devices import keep_memory, pick_precision
from focalcli.detection.retinanet import RetinaNet, build_retinanet
from focalcli.errors import DivergedError
from focalcli.ranks.world import World
from focalcli.training.average import Average
from focalcli.training.cached_features import describe_store
from focalcli.training.deliveries import deliveries, num_workers
from focalcli.training.fixed_views import fixed_views
from focalcli.training.frozen import FrozenBackbone, frozen_backbone
from focalcli.training.journal import Journal, Listener
from focalcli.training.kept_memory import KeptMemory
from focalcli.training.memory import Memory, estimate
from focalcli.training.mishaps import saved_if_it_fails
from focalcli.training.prepare import Plan
from focalcli.training.recipe import recipe
from focalcli.training.records import start_record, step_record
from focalcli.training.run_folder import RunFolder
from focalcli.training.samples import Batch
from focalcli.training.schedule import base_lr, build_optimizer, describe_lr, lr_factor, set_lr
from focalcli.training.start_table import summary
from focalcli.training.step import StepLosses, Stepper
from focalcli.training.validate import validate
from focalcli.training.weights import Start, freeze, load_start
from focalcli.training.whereabouts import Whereabouts


@dataclass
class Training:
    """A training under way: everything that changes from step to step, and what it is made of."""

    plan: Plan
    world: World
    stepper: Stepper
    average: Average | None
    start: Start
    backbone: FrozenBackbone | None = None  # where it is not trained
    step: int = 0
    best: float = -1.0
    unimproved: int = 0  # evaluations since the best one

    @property
    def model(self) -> RetinaNet:
        """Give the network that is trained."""
        return self.stepper.model

    @property
    def result(self) -> RetinaNet:
        """Give the network to evaluate and keep: the average, where there is one."""
        model = self.average.module if self.average else self.model
        assert isinstance(model, RetinaNet)
        return model

    def notes(self) -> tuple[str, ...]:
        """Say what is worth knowing before the first step: the data, the weights, the cached features."""
        cached = self.backbone.store if self.backbone else None
        return (
            *self.plan.notes,
            summary(self.start),
            describe_lr(self.plan.config, self.world.size),
            *describe_store(cached, self.plan, self.model, self.stepper.precision),
        )

    def memory(self, photos: int) -> Memory:
        """Work out what it holds with batches of so many photos."""
        return estimate(self.plan, self.stepper, photos)

    def state(self) -> dict[str, Any]:
        """Give all that resuming needs; samples need no more than the step."""
        return {
            "step": self.step,
            "best": self.best,
            "unimproved": self.unimproved,
            "model": self.model.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "optimizer": self.stepper.optimizer.state_dict(),
            "scaler": self.stepper.scaler.state_dict(),
            "config": encode_config(self.plan.model),
            "recipe": self.recipe(),
        }

    def recipe(self) -> dict[str, Any]:
        """Give what must stay as it was when the training goes on."""
        return recipe(self.plan.config, fixed_views(self.plan.config), ranks=self.world.size)

    def load_state(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken. Inverse of `state`."""
        self.step, self.best, self.unimproved = state["step"], state["best"], state["unimproved"]
        self.model.load_state_dict(state["model"])
        if self.average:
            self.average.load_state_dict(state["average"])
        self.stepper.optimizer.load_state_dict(state["optimizer"])
        self.stepper.scaler.load_state_dict(state["scaler"])


def begin(plan: Plan, world: World) -> Training:
    """Build the network, load its first weights, and set up the optimiser."""
    config = plan.config
    torch.manual_seed(config.seed)
    keep_memory()
    model = build_retinanet(plan.model)
    start = load_start(model, config.weights)
    freeze(model, config.freeze)
    model.to(world.device).train()
    stepper = Stepper(
        model,
        build_optimizer(model.parameters(), config),
        world,
        pick_precision(config.precision, world.device),
        config.clip_norm,
        config.compile,
    )
    average = Average(model, config.ema) if config.ema else None
    return Training(plan, world, stepper, average, start, frozen_backbone(plan, model, stepper.precision, world))


def train(
    training: Training, folder: RunFolder, listeners: tuple[Listener, ...], stopping: Callable[[], bool], *, room: int
) -> bool:
    """Train to the end, or until `stopping` says so; give whether the end was reached. It should hold `room` bytes.

    Raises:
        DivergedError: the loss is not finite; the photos of the step are named.
        DataError, InputNotFound: a photo cannot be read.
        IoError: a loader process died or hangs. Unavailable: memory ran out. The state before the step is saved.
    """
    plan, world, config = training.plan, training.world, training.plan.config
    batch_plan = plan.batches(world)
    total = batch_plan.steps * config.epochs
    journal = Journal(folder.journal, listeners, writes=world.speaks, from_step=training.step)
    if training.step == 0:
        journal.write(start_record(plan, world, training.stepper.precision, total))
    whereabouts = Whereabouts(num_workers(config), config.photos)
    pin = world.device.type == "cuda"
    kept = KeptMemory(room, world.device)
    with closing(
        deliveries(plan, batch_plan, training.backbone, whereabouts, pin=pin, from_step=training.step)
    ) as loader:
        while training.step < total:
            began = time.perf_counter()
            lr = base_lr(config, world.size) * lr_factor(training.step, total, config)
            set_lr(training.stepper.optimizer, lr)
            with saved_if_it_fails(lambda: _save(training, folder), plan, whereabouts, training.memory):
                step_batches = next(loader)
                waited = time.perf_counter() - began
                done = training.stepper.run(step_batches)
            _refuse_divergence(training, done, step_batches, folder)
            if training.average:
                training.average.update_parameters(training.model)
            kept.look()
            training.step += 1
            seconds = time.perf_counter() - began
            photos = sum(len(batch.positions) for batch in step_batches) * world.size
            journal.write(
                step_record(done, step=training.step, total=total, lr=lr, photos=photos, seconds=seconds, waited=waited)
            )
            epoch, rest = divmod(training.step, batch_plan.steps)
            stop = world.any(stopping())
            if (rest == 0 and (epoch % config.eval_every == 0)) or training.step == total:
                _evaluate_and_keep(training, folder, journal, epoch)
            elif stop:
                _save(training, folder)
            if config.patience and training.unimproved >= config.patience:
                return True
            if stop:
                return training.step == total
    return True


def _save(training: Training, folder: RunFolder) -> None:
    """Save the state between two steps, on the rank that writes; before the first step there is none."""
    if training.world.speaks and training.step:
        folder.save_state(training.state())


def _refuse_divergence(training: Training, done: StepLosses, step_batches: list[Batch], folder: RunFolder) -> None:
    """End when the loss of a step is not finite, on all ranks alike: name the photos, keep the batch to look at."""
    # In float16 a gradient that overflows is skipped by the scaler, which then scales less.
    if math.isfinite(done.total) and (math.isfinite(done.gradient_norm) or training.stepper.scaler.is_enabled()):
        return
    positions = [int(p) for batch in step_batches for p in batch.positions]
    names = ", ".join(training.plan.train.images[p].key for p in positions[:8])
    kept = folder.path / f"diverged-rank{training.world.rank}.pt"
    batches = [{"images": b.images, "boxes": b.objects.boxes, "classes": b.objects.classes} for b in step_batches]
    save_training_state(kept, {"step": training.step, "positions": positions, "batches": batches})
    raise DivergedError(
        f"step {training.step + 1}",
        f"the loss is not finite (classification {done.classification:g}, box {done.box:g}) on {names}; kept in {kept}",
        "lower --lr, or look at the boxes of these photos",
    )


def _evaluate_and_keep(training: Training, folder: RunFolder, journal: Journal, epoch: int) -> None:
    """Measure on the validation split, keep the weights if they are the best, save the state."""
    config, plan = training.plan.config, training.plan
    better = True
    notes: dict[str, Any] = {"epoch": epoch, "step": training.step}
    if plan.val is not None:
        metrics = validate(training.result, plan.val, training.world, precision=config.precision, batch=config.photos)
        notes |= {name: value for name, value in metrics.values.items() if value == value}
        journal.write({"kind": "evaluation", "step": training.step, "epoch": epoch, **metrics.values})
        measured = metrics.values[config.best]
        better = measured > training.best or training.best < 0
        training.best = max(training.best, measured if measured == measured else 0.0)
        training.unimproved = 0 if better else training.unimproved + 1
    if not training.world.speaks:
        return
    if better:
        save_model(folder.best, training.result.state_dict(), plan.model, notes)
    folder.save_state(training.state())
    journal.write_table()
