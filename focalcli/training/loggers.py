"""Other people's dashboards as listeners of the journal: TensorBoard, Weights & Biases, MLflow, each an extra.

None can stop a training: the first failure is said once, and then that logger is left alone.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from focalcli.errors import ConfigError, Unavailable
from focalcli.training.journal import Listener, Record

_EXTRAS = {"tensorboard": "torch.utils.tensorboard", "wandb": "wandb", "mlflow": "mlflow"}


def build_loggers(
    names: str, folder: Path, settings: dict[str, Any], say: Callable[[str], None]
) -> tuple[Listener, ...]:
    """Give a listener for each name of a comma list.

    Raises:
        ConfigError: there is no such logger.
        Unavailable: its package is not installed.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    return tuple(_quiet(_open(name, folder, settings), name, say) for name in wanted)


def _open(name: str, folder: Path, settings: dict[str, Any]) -> Listener:
    if name not in _EXTRAS:
        raise ConfigError("--log", f"there is no logger {name!r}", f"choose from {', '.join(_EXTRAS)}")
    try:
        module = import_module(_EXTRAS[name])
    except ImportError as error:
        raise Unavailable("--log", f"{name} is not installed", f"pip install 'focalcli[{name}]'") from error
    openers = {"tensorboard": _tensorboard, "wandb": _wandb, "mlflow": _mlflow}
    return openers[name](module, folder, settings)


def _tensorboard(module: Any, folder: Path, settings: dict[str, Any]) -> Listener:
    writer = module.SummaryWriter(str(folder))

    def listen(record: Record) -> None:
        for name, value in _numbers(record).items():
            writer.add_scalar(name, value, record["step"])
        writer.flush()

    return listen


def _wandb(module: Any, folder: Path, settings: dict[str, Any]) -> Listener:
    run = module.init(project="focalcli", name=folder.name, dir=str(folder), config=settings)

    def listen(record: Record) -> None:
        run.log(_numbers(record), step=record["step"])

    return listen


def _mlflow(module: Any, folder: Path, settings: dict[str, Any]) -> Listener:
    module.start_run(run_name=folder.name)
    module.log_params(settings)

    def listen(record: Record) -> None:
        module.log_metrics(_numbers(record), step=record["step"])

    return listen


def _numbers(record: Record) -> dict[str, float]:
    """Give the finite numbers of a record under names with its kind."""
    kind = record["kind"]
    values = {name: value for name, value in record.items() if isinstance(value, int | float) and value == value}
    return {f"{kind}/{name}": float(value) for name, value in values.items() if name != "step"}


def _quiet(listen: Listener, name: str, say: Callable[[str], None]) -> Listener:
    """Keep a logger's failures away from the training: say the first one and stop asking it."""
    alive = True

    def listen_quietly(record: Record) -> None:
        nonlocal alive
        if not alive:
            return
        try:
            listen(record)
        except Exception as error:  # other people's code, which must not end a training
            alive = False
            say(f"warning: {name} failed and is left out from here on ({type(error).__name__}: {error})")

    return listen_quietly
