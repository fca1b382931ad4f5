"""One training from start to finish: what `focalcli train` calls."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from focalcli.checkpoint import load_training_state
from focalcli.errors import ConfigError
from focalcli.files import write_text
from focalcli.train_config import TrainConfig
from focalcli.training.journal import Listener
from focalcli.training.loop import Training, begin, train
from focalcli.training.prepare import prepare
from focalcli.training.run_folder import RunFolder, config_toml, environment_facts, locked, new_run, open_run
from focalcli.training.world import this_world


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a training ended: whether it reached its last step, its folder, its best validation AP, if measured.

    `speaks` is False on ranks that leave the talking to rank 0.
    """

    finished: bool
    folder: RunFolder
    best_ap: float | None
    speaks: bool = True


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
    plan = prepare(config, data)
    world = this_world(config.device)
    training = begin(plan, world)
    folder = world.from_first(lambda: open_run(output) if resume else new_run(output, overwrite=overwrite))
    if resume:
        _resume(training, folder)
    if not world.speaks:
        finished = train(training, folder, (), stopping)
        return Outcome(finished, folder, None, speaks=False)
    with locked(folder):
        for note in (*plan.notes, f"weights from {training.start.origin}", f"writing to {folder.path}"):
            say(note)
        write_text(folder.path / "config.toml", config_toml(config, data))
        folder.update_facts(
            data=str(data.resolve()),
            data_fingerprint=plan.model.data_fingerprint,
            status="running",
            **environment_facts(),
        )
        finished = train(training, folder, listeners, stopping)
        best = training.best if plan.val is not None and training.best >= 0 else None
        folder.update_facts(status="finished" if finished else "stopped", step=training.step, best_ap=best)
    return Outcome(finished, folder, best)


def _resume(training: Training, folder: RunFolder) -> None:
    """Go back to the run's saved state; refuse another data set."""
    state = load_training_state(folder.state)
    stored, now = state["data_fingerprint"], training.plan.model.data_fingerprint
    if stored != now:
        fact = f"the run was trained on a data set with fingerprint {stored[:12]}, this one has {now[:12]}"
        raise ConfigError(folder.path, fact, "resume with the same data, or start a new run with --weights")
    training.load_state(state)
