"""Dashboards: what they are told, and that none can stop a training."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from focalcli.errors import ConfigError, Unavailable
from focalcli.training.loggers import build_loggers

STEP = {"kind": "step", "step": 3, "loss": 0.5, "waiting": float("nan"), "note": "x"}


class FakeMlflow(ModuleType):
    """Remembers what it was told, and breaks at step 9."""

    def __init__(self) -> None:
        super().__init__("mlflow")
        self.told: list[tuple[Any, ...]] = []

    def start_run(self, run_name: str) -> None:
        self.told.append(("run", run_name))

    def log_params(self, settings: dict[str, Any]) -> None:
        self.told.append(("params", settings))

    def log_metrics(self, values: dict[str, float], step: int) -> None:
        if step == 9:
            raise ConnectionError("server gone")
        self.told.append((step, values))


def test_no_name_is_no_logger() -> None:
    assert build_loggers("", Path("x"), {}, print) == ()


def test_numbers_arrive_under_the_records_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeMlflow()
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    (listen,) = build_loggers(" mlflow ,", Path("runs/a"), {"lr": 1}, print)
    listen(STEP)
    assert fake.told == [("run", "a"), ("params", {"lr": 1}), (3, {"step/loss": 0.5})]


def test_a_dashboard_that_fails_is_said_once_and_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", FakeMlflow())
    said: list[str] = []
    (listen,) = build_loggers("mlflow", Path("runs/a"), {}, said.append)
    for _ in range(3):
        listen({**STEP, "step": 9})
    assert said == ["warning: mlflow failed and is left out from here on (ConnectionError: server gone)"]


def test_an_extra_that_is_not_installed_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(Unavailable, match=r"pip install 'focalcli\[wandb\]'"):
        build_loggers("wandb", Path("x"), {}, print)


def test_an_unknown_dashboard_is_refused() -> None:
    with pytest.raises(ConfigError, match="choose from tensorboard"):
        build_loggers("grafana", Path("x"), {}, print)
