"""The folder of a run: what is in it, under which names, and how a new one is made.

best.safetensors  the model to use: best on the validation split, else the last
last.pt           the state to resume from, and last.previous.pt, the one before it
metrics.jsonl     one line a step and an evaluation; metrics.csv, the evaluations as a table
config.toml       the resolved configuration, usable as focalcli.toml
run.json          data set and its fingerprint, command line, versions, status and best numbers
"""

import fcntl
import json
import os
import platform
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from focalcli import __version__
from focalcli.checkpoint import load_training_state, save_training_state
from focalcli.config import checked
from focalcli.errors import CannotWrite, ConfigError, FocalError, InputNotFound
from focalcli.files import write_error, write_text
from focalcli.train_config import TrainConfig


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths inside the folder of one run."""

    path: Path

    @property
    def best(self) -> Path:
        """Give the path of the model to use."""
        return self.path / "best.safetensors"

    @property
    def state(self) -> Path:
        """Give the path of the state to resume from."""
        return self.path / "last.pt"

    @property
    def previous(self) -> Path:
        """Give the path of the state before it."""
        return self.path / "last.previous.pt"

    @property
    def journal(self) -> Path:
        """Give the path of the metrics, JSON lines."""
        return self.path / "metrics.jsonl"

    @property
    def facts(self) -> Path:
        """Give the path of what is known about the run, JSON."""
        return self.path / "run.json"

    def save_state(self, state: dict[str, Any]) -> None:
        """Save the state to resume from; the one before it stays beside it until the next."""
        save_training_state(self.state, state, previous=self.previous)

    def load_state(self) -> dict[str, Any]:
        """Load the newest state that is whole. Raises as `load_training_state` where none is."""
        try:
            return load_training_state(self.state)
        except FocalError:
            if not self.previous.is_file():
                raise
            return load_training_state(self.previous)

    def settings(self, changes: Mapping[str, Any]) -> tuple[TrainConfig, Path]:
        """Give the configuration and the data set of config.toml, with some settings changed. Inverse of `config_toml`.

        Raises:
            InputNotFound, ConfigError: it is not there, or was edited into something else.
        """
        path, plain = self.path / "config.toml", TrainConfig()
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise InputNotFound(
                path, "the run's settings are missing", "give them as flags, without --resume"
            ) from error
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(path, f"is not TOML: {error}") from error
        fields = {name: _none_or(value, getattr(plain, name, "")) for name, value in content.get("train", {}).items()}
        return checked(TrainConfig, {**fields, **changes}, str(path)), Path(content.get("data", "."))

    def update_facts(self, **facts: Any) -> None:
        """Merge facts into run.json, atomically."""
        write_text(self.facts, json.dumps({**self.read_facts(), **facts}, indent=2, sort_keys=True) + "\n")

    def read_facts(self) -> dict[str, Any]:
        """Read run.json; empty where there is none."""
        if not self.facts.exists():
            return {}
        facts: dict[str, Any] = json.loads(self.facts.read_text(encoding="utf-8"))
        return facts


def new_run(wanted: Path | None, *, overwrite: bool = False, runs: Path = Path("runs")) -> RunFolder:
    """Make the folder of a new run: the wanted one, or the next free `runs/train-N`.

    Raises:
        CannotWrite: it holds a run already, another training is at work in it, or it cannot be made.
    """
    try:
        if wanted is None:
            return RunFolder(_next_free(runs))
        wanted.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(wanted or runs, error) from error
    folder = RunFolder(wanted)
    if _worth_keeping(folder) and not overwrite:
        raise CannotWrite(wanted, "holds a run already", "add --resume to go on with it, --overwrite to start anew")
    with locked(folder):
        for path in (folder.best, folder.state, folder.previous, folder.journal, folder.facts):
            path.unlink(missing_ok=True)
    return folder


def _worth_keeping(folder: RunFolder) -> bool:
    """Say whether a folder holds a run: one that was killed before its first state was saved can only start anew."""
    if folder.state.exists() or folder.previous.exists():
        return True
    return folder.best.exists() and folder.read_facts().get("status") != "running"


@contextmanager
def locked(folder: RunFolder) -> Iterator[None]:
    """Keep other trainings out of the folder; the kernel opens the lock again when this process ends, however.

    Raises:
        CannotWrite: another training is at work in the folder; its process is named.
    """
    path = folder.path / ".lock"
    with open(path, "a+", encoding="utf-8") as file:
        try:
            # Not flock: loader processes would inherit that, and hold it for seconds after we were killed.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise CannotWrite(
                folder.path, f"another training is writing here ({file.read().strip()})", "wait, or choose another -o"
            ) from error
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()}\n")
        file.flush()
        yield
        path.unlink(missing_ok=True)


def open_run(wanted: Path | None, *, runs: Path = Path("runs")) -> RunFolder:
    """Find the run to resume: the wanted one, or the newest in `runs`.

    Raises:
        InputNotFound: there is none.
    """
    if wanted is None:
        states = [(path.stat().st_mtime_ns, path.parent) for path in sorted(runs.glob("*/last*.pt"))]
        wanted = max(states)[1] if states else runs
    folder = RunFolder(wanted)
    if not any(map(os.path.isfile, (folder.state, folder.previous))):
        raise InputNotFound(
            wanted, "holds no run that can be resumed", "name its folder with -o, or leave --resume out"
        )
    return folder


def _next_free(runs: Path) -> Path:
    number = 1
    while True:
        path = runs / f"train-{number}"
        try:
            path.mkdir(parents=True)
            return path
        except FileExistsError:
            number += 1


def config_toml(config: TrainConfig, data: Path) -> str:
    """Write a configuration as TOML that `focalcli train` reads again; what is unset by default is left out."""
    lines, plain = [f"data = {_toml(str(data))}", "", "[train]"], TrainConfig()
    for name in config.__struct_fields__:
        value = getattr(config, name)
        if value is not None or getattr(plain, name) is not None:
            lines.append(f"{name} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    """Write a number, a truth value or a text, as JSON does; for None, which TOML lacks, the word that flags have."""
    return json.dumps("none" if value is None else value, ensure_ascii=False)


def _none_or(value: Any, usual: Any) -> Any:
    """Read `none` as None where a number is usual, and so no word can be meant."""
    return None if value == "none" and isinstance(usual, int | float) else value


def environment_facts() -> dict[str, Any]:
    """Say with what a run was made: command line, versions, machine."""
    import torch

    return {
        "command": sys.argv,
        "focalcli": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
