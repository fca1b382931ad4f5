"""`focalcli train --resume` needs no flag: the run knows its settings; what is said all the same is compared."""

import os
from pathlib import Path

import pytest

from focalcli import api
from focalcli.cli.console import run as focalcli
from focalcli.cli.train import _go_on
from focalcli.errors import ConfigError, InputNotFound
from focalcli.train_config import TrainConfig
from focalcli.training.run_folder import RunFolder, config_toml
from tests.training.small import digest, write_squares
from tests.training.test_run import trained


@pytest.mark.e2e
def test_going_on_needs_no_flags_and_heeds_those_that_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A `focalcli.toml` that has changed since does not matter; flags and the environment do."""
    monkeypatch.chdir(tmp_path)
    data = write_squares(Path("squares"))
    straight = digest(trained(data, Path("runs/straight")).folder.best)
    trained(data, Path("runs/stopped"), stop_after=1)
    Path("focalcli.toml").write_text("data = 'elsewhere'\n[train]\ngamma = 1.0\nepochs = 50\n")
    assert focalcli(["train", "--resume", "--multi-scale", "0.5"]) == 78
    assert "multi_scale was 0.0, is 0.5" in capsys.readouterr().err
    monkeypatch.setenv("FOCALCLI_TRAIN_SEED", "7")
    assert focalcli(["train", "--resume"]) == 78
    assert "seed was 0, is 7" in capsys.readouterr().err
    monkeypatch.delenv("FOCALCLI_TRAIN_SEED")
    assert focalcli(["train", "--resume", "-o", "runs/stopped"]) == 0
    assert capsys.readouterr().out == "runs/stopped\n" and digest(Path("runs/stopped/best.safetensors")) == straight
    longer = api.train(output="runs/stopped", resume=True, epochs=3)
    assert RunFolder(longer).read_facts()["step"] == 6


def test_settings_come_back_as_they_were(tmp_path: Path) -> None:
    """Those that are switched off, too."""
    told = TrainConfig(ohem_nms=None, alpha="none", anchor_ratios=(0.5, 2.0), lr=1e-05, images='a "b"\\c', batch=4)
    (tmp_path / "config.toml").write_text(config_toml(told, Path("x y")))
    assert RunFolder(tmp_path).settings({}) == (told, Path("x y"))
    config, _ = RunFolder(tmp_path).settings({"epochs": 3, "lr": None})
    assert (config.epochs, config.lr, config.ohem_nms) == (3, None, None)


@pytest.mark.parametrize(
    ("text", "error", "line"),
    [
        (None, InputNotFound, "the run's settings are missing, give them as flags, without --resume"),
        ("[train", ConfigError, "is not TOML"),
        ("[train]\nepochs = 'many'", ConfigError, "epochs"),
    ],
)
def test_settings_that_cannot_be_read(tmp_path: Path, text: str | None, error: type[Exception], line: str) -> None:
    if text is not None:
        (tmp_path / "config.toml").write_text(text)
    with pytest.raises(error, match=line):
        RunFolder(tmp_path).settings({})


def test_the_line_that_goes_on_names_all_that_the_run_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    assert _go_on(Path("runs/a b"), 1, preemptible=False) == "go on with: focalcli train --resume -o 'runs/a b'"
    said = _go_on(Path("x"), 2, preemptible=True)
    assert said == "go on with: focalcli train --resume -o x --devices 2 --preemptible"
    monkeypatch.setitem(os.environ, "RANK", "0")
    assert _go_on(Path("x"), 1, preemptible=False) == "start it again as before, with --resume -o x"
