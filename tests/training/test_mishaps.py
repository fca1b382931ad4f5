"""Memory runs out, a loader process dies or hangs: a clear end, the photos named, and nothing of the training lost."""

import os
import signal
from pathlib import Path

import msgspec
import pytest
import torch

from focalcli.errors import FocalError, IoError, Unavailable
from focalcli.train_config import TrainConfig
from focalcli.training.journal import read_records
from focalcli.training.mishaps import out_of_memory
from focalcli.training.run_folder import RunFolder
from focalcli.training.samples import Samples
from focalcli.training.step import Stepper
from tests.training.small import FAST, digest
from tests.training.test_run import trained

pytestmark = pytest.mark.e2e

LONG = msgspec.structs.replace(FAST, epochs=5, eval_every=5)  # ten steps
LAST_EPOCH = 4  # a loader reads at most five batches ahead, so that steps have been taken when it gets there


@pytest.fixture(scope="module")
def straight(squares: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the SHA-256 of the weights of a training that nothing befell."""
    return digest(trained(squares, tmp_path_factory.mktemp("straight") / "run", LONG).folder.best)


def resumed(data: Path, folder: Path) -> str:
    assert 1 <= RunFolder(folder).load_state()["step"] <= 8
    return digest(trained(data, folder, LONG, resume=True).folder.best)


@pytest.mark.parametrize(
    ("do", "said"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "a process was killed while it read .*png.*fewer --workers"),
        (signal.pause, r"gave nothing for 3 s while it read .*png.*--loader-timeout"),
    ],
    ids=["killed", "hung"],
)
def test_a_loader_process_that_is_lost(
    squares: Path, tmp_path: Path, straight: str, monkeypatch: pytest.MonkeyPatch, do: object, said: str
) -> None:
    read = Samples.__getitem__

    def lost(self: Samples, key: object) -> object:
        if key.draw == LAST_EPOCH:
            do()
        return read(self, key)

    config = msgspec.structs.replace(LONG, workers=1, loader_timeout=3)
    with monkeypatch.context() as patch:
        patch.setattr(Samples, "__getitem__", lost)
        with pytest.raises(IoError, match=said):
            trained(squares, tmp_path / "run", config)
    assert resumed(squares, tmp_path / "run") == straight


def on_a_gpu() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 79.00 GiB\nmore")


def on_a_cpu() -> None:
    torch.empty(1 << 60)


@pytest.mark.parametrize(
    ("allocate", "numbers"),
    [(on_a_gpu, "Tried to allocate 2.00 GiB"), (on_a_cpu, "you tried to allocate 4611686018427387904 bytes")],
)
def test_memory_that_runs_out(
    squares: Path, tmp_path: Path, straight: str, monkeypatch: pytest.MonkeyPatch, allocate: object, numbers: str
) -> None:
    """In the fourth step; the three before it are kept, and the advice has the numbers."""
    step, taken = Stepper.run, []

    def run(self: Stepper, batches: object) -> object:
        taken.append(1)
        if len(taken) == 4:
            allocate()
        return step(self, batches)

    with monkeypatch.context() as patch:
        patch.setattr(Stepper, "run", run)
        with pytest.raises(Unavailable) as error:
            trained(squares, tmp_path / "run", LONG)
    assert "a step with 4 photos does not fit" in str(error.value) and numbers in str(error.value)
    assert str(error.value).endswith("--batch 2 --accumulate 2 takes the same steps in less of it, with --resume too")
    assert error.value.exit_code == 69 and resumed(squares, tmp_path / "run") == straight


def test_the_advice_can_be_followed(squares: Path, tmp_path: Path) -> None:
    """A step split otherwise goes on with the photos that it would have had."""
    whole = trained(squares, tmp_path / "whole").folder
    trained(squares, tmp_path / "split", stop_after=1)
    halves = msgspec.structs.replace(FAST, batch=2, accumulate=2)
    split = trained(squares, tmp_path / "split", halves, resume=True).folder
    expected, got = ([r for r in read_records(f.journal) if r["kind"] == "step"] for f in (whole, split))
    assert [r["positives"] for r in got] == [r["positives"] for r in expected]
    assert got[1]["loss"] == pytest.approx(expected[1]["loss"], rel=1e-4)


@pytest.mark.parametrize(
    ("batch", "accumulate", "advice"),
    [
        (8, 1, "--batch 4 --accumulate 2"),
        (3, 2, "--batch 1 --accumulate 6"),
        (5, 1, "--batch 1 --accumulate 5"),
        (6, 4, "--batch 3 --accumulate 8"),
        (1, 4, "a smaller --min-size"),
    ],
)
def test_the_advice_keeps_the_photos_of_a_step(batch: int, accumulate: int, advice: str) -> None:
    error: FocalError = out_of_memory("", TrainConfig(batch=batch, accumulate=accumulate))
    assert advice in str(error)
