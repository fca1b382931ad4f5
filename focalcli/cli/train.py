"""`focalcli train`: from annotated photos to weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from focalcli.cli.console import say, shows_progress, terminal
from focalcli.cli.ranks import end, launched
from focalcli.errors import GateFailed
from focalcli.train_config import TrainConfig

_PLAIN_SECONDS = 15.0  # between progress lines where there is no terminal


def train(
    context: typer.Context,
    config: TrainConfig,
    data: Annotated[Path, typer.Argument(help="Data set: a folder or an annotation file.")] = Path("."),
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Folder of the run. [default: runs/train-N]")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --output, or the newest, with its own settings.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a run that is in --output.")] = False,
    preemptible: Annotated[bool, typer.Option("--preemptible", help="Exit with 75 when stopped by SIGTERM.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, print the plan as JSON, train nothing.")
    ] = False,
    sanity: Annotated[
        bool, typer.Option("--sanity", help="Learn 8 photos by heart, or say what is wrong and exit with 1; no run.")
    ] = False,
    devices: Annotated[int, typer.Option(min=1, help="Processes that train together, one a GPU.")] = 1,
    max_restarts: Annotated[int, typer.Option(min=0, help="Times that failed processes are started again.")] = 0,
) -> None:
    """Train a detector on annotated photos.

    Writes RUN/best.safetensors, which `focalcli detect`, `evaluate` and `export` find by themselves. The run's folder
    is the only thing printed to stdout.

    Example: focalcli train bay --epochs 20 -o runs/bay
    """
    one = sanity or config.lr == "find"  # a few photos on one device tell as much
    if launched(1 if one else devices, max_restarts=max_restarts, preemptible=preemptible):
        return
    from focalcli.training.run import plan_training, run_training
    from focalcli.training.run_folder import open_run
    from focalcli.training.signals import StopRequest

    if resume:
        output = open_run(output).path
        config, data = _as_it_was(context, output, config, data)
    if dry_run:
        import json

        print(json.dumps(plan_training(config, data, say), indent=2))
        return
    if sanity:
        _check_sanity(config, data)
        return
    if config.lr == "find":
        _find_lr(config, data, output or Path("."))
        return
    with StopRequest() as stop, _Progress() as progress:
        outcome = run_training(
            config,
            data,
            output=output,
            overwrite=overwrite,
            resume=resume,
            stopping=stop,
            listeners=(progress.show,),
            say=say,
        )
    if not outcome.speaks:
        return
    if not outcome.finished:
        say(f"stopped and saved; {_go_on(outcome.folder.path, devices, preemptible=preemptible)}")
        end(stop.signal, preemptible=preemptible)
    if outcome.best_ap is not None:
        say(f"best validation AP {outcome.best_ap:.3f}")
    print(outcome.folder.path)


def _as_it_was(context: typer.Context, folder: Path, config: TrainConfig, data: Path) -> tuple[TrainConfig, Path]:
    """Give the settings and the data of the run in a folder; flags and the environment win, to be compared later."""
    import os

    from focalcli.cli.app import VERBS
    from focalcli.cli.settings import given
    from focalcli.training.run_folder import RunFolder

    told = given(context, os.environ, VERBS)
    own, own_data = RunFolder(folder).settings(
        {name: getattr(config, name) for name in told & {*config.__struct_fields__}}
    )
    return own, data if "data" in told else own_data


def _go_on(folder: Path, devices: int, *, preemptible: bool) -> str:
    """Say how to go on with a run that was stopped: its folder knows all but how many processes train."""
    import shlex

    from focalcli.ranks.launch import is_worker

    if is_worker() and devices == 1:
        return f"start it again as before, with --resume -o {shlex.quote(str(folder))}"
    more = [*(["--devices", str(devices)] if devices > 1 else []), *(["--preemptible"] if preemptible else [])]
    return "go on with: " + shlex.join(["focalcli", "train", "--resume", "-o", str(folder), *more])


def _check_sanity(config: TrainConfig, data: Path) -> None:
    """Print how eight photos were learned; fail with what may be wrong, where they were not."""
    import json

    from focalcli.training.sanity import WANTED, check

    done = check(config, data, say)
    first, last = done.losses
    print(json.dumps({"AP50": round(done.ap50, 4), "steps": done.steps, "first_loss": first, "last_loss": last}))
    if not done.passed:
        fact = f"AP50 {done.ap50:.3f} on the photos it was trained on, after {done.steps} steps ({WANTED} was wanted)"
        raise GateFailed("sanity", fact, "; ".join(done.doubts))
    say(f"sane: AP50 {done.ap50:.3f} after {done.steps} steps, {done.seconds:.0f} s")


def _find_lr(config: TrainConfig, data: Path, folder: Path) -> None:
    """Print the rate that a sweep suggests, as JSON; say the flag to use."""
    import json

    from focalcli.training.lr_range import find_lr

    found = find_lr(config, data, folder, say)
    if found is None:  # a rank that leaves the talking to rank 0
        return
    print(json.dumps(found.as_dict()))
    say(f"see {folder / 'lr.png'}; train with --lr {found.suggested:g}")


class _Progress:
    """Shows a bar on a terminal, else a line every few seconds, and a line for each evaluation."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None
        self._last = 0.0

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, record: dict[str, Any]) -> None:
        """Show one record of the journal."""
        if record["kind"] == "evaluation":
            values = "  ".join(f"{name} {record[name]:.3f}" for name in ("AP", "AP50", "AP75") if name in record)
            self._print(f"epoch {record['epoch']}: {values}")
        elif record["kind"] == "step":
            (self._move if shows_progress() else self._line)(record)

    def _print(self, text: str) -> None:
        printer: Callable[[str], None] = self._bar.console.print if self._bar is not None else say
        printer(text)

    def _move(self, record: dict[str, Any]) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        if self._bar is None:
            columns = (
                TextColumn("training"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.description}"),
            )
            self._bar = Progress(*columns, console=terminal())
            self._task = self._bar.add_task("", total=record["steps"])
            self._bar.start()
        self._bar.update(self._task, completed=record["step"], description=_summary(record))

    def _line(self, record: dict[str, Any]) -> None:
        import time

        now = time.monotonic()
        if now - self._last >= _PLAIN_SECONDS or record["step"] == record["steps"]:
            self._last = now
            say(f"step {record['step']}/{record['steps']}  {_summary(record)}")


def _summary(record: dict[str, Any]) -> str:
    return (
        f"loss {record['loss']:.3f} (class {record['classification_loss']:.3f}, box {record['box_loss']:.3f})  "
        f"{record['images_per_second']:.1f} images/s"
    )
