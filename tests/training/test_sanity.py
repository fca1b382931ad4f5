"""Eight photos are learned by heart, or what is wrong is said."""

import json
from pathlib import Path

import pytest

from focalcli.cli.console import run as focalcli
from focalcli.training import sanity

SMALL = ["--sanity", "--min-size", "64", "--max-size", "96", "--precision", "fp32", "--device", "cpu"]


@pytest.mark.e2e
def test_squares_are_learned_by_heart(squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                      capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    """And nothing is written."""
    monkeypatch.chdir(tmp_path)
    assert focalcli(["train", str(squares), *SMALL, "--anchor-size", "14"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["AP50"] > 0.9 and done["steps"] <= 320 and done["last_loss"] < done["first_loss"]
    assert list(tmp_path.iterdir()) == []


def test_anchors_that_miss_are_named(squares: Path, monkeypatch: pytest.MonkeyPatch,
                                     capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.setattr(sanity, "_STEPS", 1)
    assert focalcli(["train", str(squares), *SMALL, "--anchor-size", "64", "--force"]) == 1
    told = capsys.readouterr().err
    assert "anchors miss 100% of the objects: see `focalcli insight anchors`" in told and "0.9 was wanted" in told
    assert "the loss fell only from" in told


def test_one_process_is_enough(
    squares: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--devices`, which may stand in a file of settings, starts no others that would each tell the same."""

    def started(*_: object, **__: object) -> None:
        raise AssertionError("processes were started")

    monkeypatch.setattr("focalcli.ranks.launch.launch", started)
    monkeypatch.setattr(sanity, "overfit", lambda *_: sanity.Sanity(0.95, 20, 1.0, (2.0, 0.1), ()))
    assert focalcli(["train", str(squares), *SMALL, "--devices", "2"]) == 0
    assert json.loads(capsys.readouterr().out)["AP50"] == 0.95
