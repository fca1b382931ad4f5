"""What is said before the first step: anchors that reach too few objects, with the flag that helps, measured."""

from pathlib import Path

import msgspec
import pytest

from focalcli.dataset.read import read_dataset
from focalcli.errors import ConfigError, IoError
from focalcli.training.preflight import check_room, doubts
from focalcli.training.prepare import resolve_model
from tests.training.small import FAST


def told(squares: Path, anchor_size: float, *, force: bool = False) -> str:
    """Objects have sides of 14 to 30 px in photos that keep their size."""
    train = read_dataset(squares, split="train")
    config = msgspec.structs.replace(FAST, anchor_size=anchor_size)
    return "; ".join(doubts(resolve_model(config, train), train, force=force))


def test_anchors_that_fit_are_not_mentioned(squares: Path) -> None:
    assert told(squares, 14) == ""


def test_anchors_that_do_not_fit_are_refused_with_a_remedy_that_works(squares: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"anchors reach 0% of the objects.*--anchor-size \d+ would reach \d+%"
    ) as error:
        told(squares, 64)
    assert "--force" in str(error.value)
    assert told(squares, 64, force=True).startswith("warning: anchors reach 0%")


def test_a_full_disk_is_said_before_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    import torch

    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(0, 0, 1 << 20))
    with pytest.raises(IoError, match="1 MiB are free, 22 MiB are needed"):
        check_room(tmp_path, torch.nn.Linear(1000, 1000))
