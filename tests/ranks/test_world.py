"""Where a process finds its place: in the environment that a launcher made for it."""

import os

import pytest
import torch

from focalcli.errors import ConfigError
from focalcli.ranks.launch import LAUNCHER
from focalcli.ranks.world import World, this_world

PLACE = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PLACE, LAUNCHER):
        monkeypatch.delenv(name, raising=False)


def test_no_launcher_is_a_world_of_one() -> None:
    assert this_world("cpu") == World(0, 1, torch.device("cpu"))


@pytest.mark.parametrize("missing", PLACE)
def test_a_world_half_described_is_refused(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    for name in set(PLACE) - {missing}:
        monkeypatch.setenv(name, PLACE[name])
    with pytest.raises(ConfigError, match=f"half described .*{missing}=None.*unset all three"):
        this_world("cpu")


def test_a_rank_whose_launcher_died_before_it_was_ready_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would wait for minutes for a store that is gone; 143 as if the launcher's end had found it ready."""
    for name, value in PLACE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(LAUNCHER, str(os.getppid()))
    assert this_world("cpu").size == 1
    monkeypatch.setenv(LAUNCHER, str(os.getpid()))
    with pytest.raises(SystemExit) as end:
        this_world("cpu")
    assert end.value.code == 143
