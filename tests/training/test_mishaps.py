"""Memory runs out, a loader process dies or hangs: a clear end, the photos named, and nothing of the training lost."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import torch

from focalcli.errors import IoError, Unavailable
from focalcli.train_config import TrainConfig
from focalcli.training.journal import read_records
from focalcli.training.mishaps import out_of_memory
from focalcli.training.run_folder import RunFolder
from focalcli.training.samples import Samples
from focalcli.training.step import Stepper
from tests.training.small import FAST, digest
from tests.training.test_memory import needing
from tests.training.test_run import as_flags, trained

pytestmark = pytest.mark.e2e

LONG = msgspec.structs.replace(FAST, epochs=5, eval_every=5)  # ten steps
LAST_EPOCH = 4  # a loader reads at most five batches ahead, so that steps have been taken when it gets there


@pytest.fixture(scope="module")
def straight(squares: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Give the folder of a training that nothing befell."""
    return trained(squares, tmp_path_factory.mktemp("straight") / "run", LONG).folder


def resumed(data: Path, folder: Path, **changes: int) -> RunFolder:
    assert 1 <= RunFolder(folder).load_state()["step"] <= 8
    return trained(data, folder, msgspec.structs.replace(LONG, **changes), resume=True).folder


def steps(folder: RunFolder, name: str) -> list[float]:
    return [record[name] for record in read_records(folder.journal) if record["kind"] == "step"]


@pytest.mark.parametrize(
    ("do", "said"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "a process was killed while it read .*png.*fewer --workers"),
        (signal.pause, r"gave nothing for 3 s while it read .*png.*--loader-timeout"),
    ],
    ids=["killed", "hung"],
)
def test_a_loader_process_that_is_lost(
    squares: Path, tmp_path: Path, straight: RunFolder, monkeypatch: pytest.MonkeyPatch, do: object, said: str
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
    assert digest(resumed(squares, tmp_path / "run").best) == digest(straight.best)


def on_a_gpu() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 79.00 GiB\nmore")


def on_a_cpu() -> None:
    torch.empty(1 << 60)


@pytest.mark.parametrize(
    ("allocate", "numbers"),
    [(on_a_gpu, "Tried to allocate 2.00 GiB"), (on_a_cpu, "you tried to allocate 4611686018427387904 bytes")],
)
def test_memory_that_runs_out(
    squares: Path, tmp_path: Path, straight: RunFolder, monkeypatch: pytest.MonkeyPatch, allocate: object, numbers: str
) -> None:
    """In the fourth step; the three before it are kept. The advice has the numbers and can be followed."""
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
    assert "4 photos of 96 x 96 need about" in str(error.value) and numbers in str(error.value)
    advice = r"--batch 2 --accumulate 2 takes the same steps in about .*iB, with --resume too$"
    assert re.search(advice, str(error.value)) and error.value.exit_code == 69
    split = resumed(squares, tmp_path / "run", batch=2, accumulate=2)
    assert steps(split, "positives") == steps(straight, "positives")  # the photos that each step would have had
    assert steps(split, "loss") == pytest.approx(steps(straight, "loss"), rel=0.01)


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
    error = out_of_memory("", TrainConfig(batch=batch, accumulate=accumulate), needing(lambda photos: 1))
    assert advice in str(error)


# The real program, which may map 64 MiB more from its fourth step on, and there asks for 256.
SHORT_OF_MEMORY = """
import resource, torch
from pathlib import Path
from focalcli.__main__ import main
from focalcli.training.step import Stepper
step, taken = Stepper.run, []
def run(self, batches):
    taken.append(batches)
    if len(taken) == 4:
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mapped + (64 << 20),) * 2)
        torch.empty(256 << 20, dtype=torch.uint8)
    return step(self, batches)
Stepper.run = run
main()
"""


def test_a_process_that_may_take_no_more_memory_says_so_and_goes_on_later(
    squares: Path, tmp_path: Path, straight: RunFolder
) -> None:
    words = ["train", str(squares), "-o", str(tmp_path / "run"), *as_flags(LONG)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    command = [sys.executable, "-c", SHORT_OF_MEMORY, *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 69 and last.startswith("error: memory: ") and "allocate 268435456 bytes" in last
    assert "--batch 2 --accumulate 2" in last and "Traceback" not in done.stderr
    assert digest(resumed(squares, tmp_path / "run").best) == digest(straight.best)
