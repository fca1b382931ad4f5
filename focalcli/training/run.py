"""One training from start to finish: what `focalcli train` calls."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import to_builtins

from focalcli.config import encode_config
from focalcli.errors import ConfigError
from focalcli.files import write_text
from focalcli.ranks.world import this_world
from focalcli.train_config import TrainConfig
from focalcli.training.batch_size import with_batch
from focalcli.training.device_memory import in_words, peak_memory
from focalcli.training.journal import Listener
from focalcli.training.loggers import build_loggers
from focalcli.training.loop import Training, begin, train
from focalcli.training.memory import describe
from focalcli.training.preflight import check_room
from focalcli.training.prepare import prepare
from focalcli.training.run_folder import RunFolder, config_toml, environment_facts, locked, new_run, open_run
from focalcli.training.start_table import table
from focalcli.training.summary import write_summary


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a training ended: whether it reached its last step, its folder, its best validation AP, if measured.

    `speaks` is False on ranks that leave the talking to rank 0.
    """

    finished: bool
    folder: RunFolder
    best_ap: float | None
    speaks: bool = True


def plan_training(config: TrainConfig, data: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Resolve and check everything that a training would do, and say it: settings, model, data, steps, weights."""
    training = _begun(config, data, say)
    plan, world, config = training.plan, training.world, training.plan.config
    memory = training.memory(config.photos)
    for note in (*training.notes(), describe(memory, config, training.memory)):
        say(note)
    steps = plan.batches(world).steps
    return {
        "data": str(data),
        "train": {"photos": len(plan.train.images), "objects": len(plan.train.boxes)},
        "val": {"photos": len(plan.val.images), "objects": len(plan.val.boxes)} if plan.val else None,
        "steps": steps * config.epochs,
        "device": str(world.device),
        "precision": str(training.stepper.precision).removeprefix("torch."),
        "parameters": sum(p.numel() for p in training.model.parameters()),
        "trained_parameters": sum(p.numel() for p in training.model.parameters() if p.requires_grad),
        "memory": memory.as_dict(),
        "weights": training.start.origin,
        "settings": to_builtins(config),
        "model": to_builtins(plan.model),
    }


def run_training(
    config: TrainConfig,
    data: Path,
    *,
    output: Path | None,
    overwrite: bool,
    resume: bool,
    stopping: Callable[[], bool],
    listeners: tuple[Listener, ...],
    say: Callable[[str], None],
) -> Outcome:
    """Prepare, make or open the run's folder, train, and write down how it ended. Raises what the parts raise."""
    training = _begun(config, data, say)
    plan, world, config = training.plan, training.world, training.plan.config
    folder = world.from_first(lambda: open_run(output) if resume else new_run(output, overwrite=overwrite))
    if resume:
        _resume(training, folder)
    memory = training.memory(config.photos)
    if not world.speaks:
        finished = train(training, folder, (), stopping, room=memory.needed)
        world.gather(peak_memory(world.device))
        return Outcome(finished, folder, None, speaks=False)
    with locked(folder):
        check_room(folder.path, training.model)
        for note in (*training.notes(), describe(memory, config, training.memory), f"writing to {folder.path}"):
            say(note)
        write_text(folder.path / "config.toml", config_toml(config, data))
        if not resume:
            write_text(folder.path / "weights.csv", table(training.start, training.model))
        folder.update_facts(
            data=str(data.resolve()),
            data_fingerprint=plan.model.data_fingerprint,
            status="running",
            estimated_memory=memory.needed,
            **environment_facts(),
        )
        loggers = build_loggers(config.log, folder.path, to_builtins(config), say)
        finished = train(training, folder, (*listeners, *loggers), stopping, room=memory.needed)
        best = training.best if plan.val is not None and training.best >= 0 else None
        status, peak = "finished" if finished else "stopped", max(world.gather(peak_memory(world.device)))
        folder.update_facts(status=status, step=training.step, best_ap=best, peak_memory=peak)
        say(f"memory: {in_words(peak)} at most; about {in_words(memory.needed)} were expected")
        write_summary(folder)
    return Outcome(finished, folder, best)


def _begun(config: TrainConfig, data: Path, say: Callable[[str], None]) -> Training:
    """Prepare a training up to its first step; `training.plan.config` has what was to be measured as numbers."""
    plan, world = prepare(config, data), this_world(config.device)
    return begin(with_batch(plan, world, say), world)


def _resume(training: Training, folder: RunFolder) -> None:
    """Go back to the run's saved state; refuse another data set, other classes or another model, and say what differs.

    Raises:
        ConfigError: something differs.
    """
    state = folder.load_state()
    differing = differences(json.loads(state["config"]), json.loads(encode_config(training.plan.model)))
    differing += differences(state["recipe"], training.recipe()) if "recipe" in state else []
    if differing:
        fact = "the run cannot go on: " + "; ".join(differing)
        raise ConfigError(folder.path, fact, "resume it as it was, or start a new run")
    training.load_state(state)


def differences(before: Any, now: Any, name: str = "") -> list[str]:
    """Say of each value of two nested configurations that differs what it was and what it is."""
    if isinstance(before, dict) and isinstance(now, dict):
        parts = [differences(before.get(key), now[key], f"{name}.{key}".lstrip(".")) for key in now]
        return [text for part in parts for text in part]
    return [] if before == now else [f"{name} was {before}, is {now}"]
