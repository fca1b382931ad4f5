"""`--batch auto` splits a step into the parts that are fastest here, and changes no step."""

import json
import tomllib
from pathlib import Path

import msgspec
import pytest
import torch

from focalcli.cli.console import run as focalcli
from focalcli.ranks.world import World
from focalcli.train_config import TrainConfig
from focalcli.training import batch_size
from focalcli.training.batch_size import with_batch
from focalcli.training.loop import Training
from focalcli.training.prepare import prepare
from focalcli.training.samples import Batch
from focalcli.training.step import StepLosses, Stepper
from tests.training.small import FAST
from tests.training.test_memory import needing
from tests.training.test_run import trained

ALONE = World(0, 1, torch.device("cpu"))
AUTO = msgspec.structs.replace(FAST, batch="auto")


def test_a_number_is_left_alone(squares: Path) -> None:
    plan = prepare(FAST, squares)
    assert with_batch(plan, ALONE, print) is plan


@pytest.mark.parametrize(
    ("rates", "most", "accumulate", "chosen"),
    [
        ({1: 1.0, 2: 1.8, 4: 1.85, 8: 9.0}, 8, 2, (2, 4)),  # a twentieth faster is not worth its memory; ends there
        ({1: 1.0, 2: 1.8, 4: 2.5, 8: 4.0}, 8, 2, (8, 1)),
        ({1: 1.0, 2: 1.8, 4: 2.5, 8: 4.0}, 5, 2, (4, 2)),  # eight do not fit
        ({1: 1.0, 2: 1.8, 4: None}, 8, 2, (2, 4)),  # four were to fit, and did not
        ({1: None}, 8, 2, (1, 8)),
        ({1: 1.0, 2: 2.0, 3: 3.0, 4: 4.0, 6: 6.0, 8: 8.0, 12: 12.0, 24: 24.0}, 99, 6, (24, 1)),
    ],
)
def test_the_fastest_part_that_fits_is_taken(
    squares: Path,
    monkeypatch: pytest.MonkeyPatch,
    rates: dict[int, float | None],
    most: int,
    accumulate: int,
    chosen: tuple[int, int],
) -> None:
    monkeypatch.setattr(batch_size, "_rate", lambda training, batch: rates[batch])
    monkeypatch.setattr(Training, "memory", lambda self, photos: needing(lambda n: n, most)(photos))
    said: list[str] = []
    config = with_batch(
        prepare(msgspec.structs.replace(AUTO, accumulate=accumulate), squares), ALONE, said.append
    ).config
    assert (config.batch, config.accumulate) == chosen
    assert (
        said[-1]
        == f"batch auto: that is --batch {chosen[0]} --accumulate {chosen[1]}, steps of {4 * accumulate} photos"
    )


@pytest.mark.e2e
def test_steps_are_really_taken_and_memory_that_runs_out_ends_them(
    squares: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(batch_size, "_AT_LEAST", 0.0001)
    run = Stepper.run

    def limited(self: Stepper, batches: list[Batch]) -> StepLosses:
        if len(batches[0].images) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return run(self, batches)

    monkeypatch.setattr(Stepper, "run", limited)
    words = ["--min-size", "64", "--max-size", "96", "--anchor-size", "14", "--device", "cpu", "--precision", "fp32"]
    assert focalcli(["train", str(squares), "--dry-run", "--batch", "auto", *words]) == 0
    told = capsys.readouterr()
    settings = json.loads(told.out)["settings"]
    assert settings["batch"] * settings["accumulate"] == TrainConfig().photos and settings["batch"] <= 2
    assert "batch auto: 1 photo of 96 x 96 need" in told.err and "photos/s" in told.err


@pytest.mark.e2e
def test_the_run_keeps_the_numbers(squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that going on does not measure anew."""
    monkeypatch.setattr(batch_size, "_fastest", lambda plan, device, say: 2)
    folder = trained(squares, tmp_path / "run", msgspec.structs.replace(AUTO, epochs=1)).folder
    kept = tomllib.loads((folder.path / "config.toml").read_text())["train"]
    assert (kept["batch"], kept["accumulate"]) == (2, 2)
