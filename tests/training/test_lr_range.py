"""`--lr find`: where the loss falls most steeply, whatever jumps in between; nothing is trained but a copy."""

import csv
import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from focalcli import api
from focalcli.cli.console import run as focalcli
from focalcli.errors import ConfigError
from focalcli.ranks.world import World
from focalcli.training import lr_range
from focalcli.training.lr_range import Sweep, sweep
from tests.training.small import FAST


def swept(monkeypatch: pytest.MonkeyPatch, losses: list[float]) -> Sweep:
    """Sweep a network whose steps cost this."""
    rest = iter(losses)
    optimizer = SimpleNamespace(param_groups=[{}])
    stepper = SimpleNamespace(run=lambda batches: SimpleNamespace(total=next(rest)), optimizer=optimizer)
    plan = SimpleNamespace(config=FAST, batches=lambda world: None)
    monkeypatch.setattr(lr_range, "deliveries", lambda *args, **kwargs: iter(lambda: [], None))
    world = World(0, 1, torch.device("cpu"))
    return sweep(SimpleNamespace(plan=plan, world=world, stepper=stepper, backbone=None), lambda text: None)


def valley(step: int) -> float:
    """Fall by 1 around step 60 (rate 4.3e-3), rise from step 80 on (rate 7e-2)."""
    return 1.0 + 1 / (1 + math.exp((step - 60) / 2)) + max(step - 80, 0) ** 2


def test_the_steepest_fall_is_found_and_jumps_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = [valley(step) for step in range(100)]
    losses[30] = losses[55] = losses[58] = 50.0
    found = swept(monkeypatch, losses)
    assert found.diverged and 80 < len(found.rates) < 90
    assert found.suggested == pytest.approx(1e-6 * 1e6 ** (60 / 99), rel=0.4)
    assert found.lowest == pytest.approx(1e-6 * 1e6 ** (78 / 99), rel=0.5)
    assert found.as_dict()["tenth_of_lowest"] == pytest.approx(found.lowest / 10, rel=0.05)


def test_a_loss_that_is_not_finite_ends_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    found = swept(monkeypatch, [2.0, 1.5, math.nan])
    assert found.diverged and found.losses == [2.0, 1.5]
    assert found.rates == pytest.approx([1e-6, 1e-6 * 1e6 ** (1 / 99)])


def test_a_loss_that_never_rises_tries_all_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    found = swept(monkeypatch, [1.0] * 100)
    assert not found.diverged and len(found.rates) == 100 and found.rates[-1] == pytest.approx(1.0)


def test_it_is_no_rate_to_train_with(squares: Path) -> None:
    with pytest.raises(ConfigError, match="lr: find makes no run"):
        api.train(squares, lr="find", anchor_size=14.0)


@pytest.mark.e2e
def test_a_picture_and_a_table_are_all_that_is_written(
    squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lr_range, "_STEPS", 6)
    monkeypatch.chdir(tmp_path)
    words = ["--min-size", "64", "--max-size", "96", "--anchor-size", "14", "--device", "cpu", "--precision", "fp32"]
    assert focalcli(["train", str(squares), "--lr", "find", "--workers", "0", "--batch", "4", *words]) == 0
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert f"see lr.png; train with --lr {found['lr']:g}" in told.err and found["steps"] == 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lr.csv", "lr.png"]
    rows = list(csv.DictReader((tmp_path / "lr.csv").read_text().splitlines()))
    assert len(rows) == 6 and float(rows[0]["lr"]) == 1e-6 and (tmp_path / "lr.png").read_bytes()[1:4] == b"PNG"
