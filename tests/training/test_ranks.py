"""Several processes train as one: the same gradient, no hang, and an end that names who failed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import torch

from focalcli.train_config import TrainConfig
from focalcli.training.journal import read_records
from focalcli.training.run_folder import RunFolder
from tests.faults import children, ended
from tests.training.small import FAST, digest
from tests.training.test_run import as_flags, wait_for_line
from tests.training.test_step import run

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ['PYTHONPATH']}"}
LONGER = msgspec.structs.replace(FAST, epochs=4)


SPLITS = {  # photos by batch by rank
    "2 x 2": [[[0, 1]], [[2, 3]]],
    "only an empty photo": [[[0]], [[1, 2, 3]]],
    "no photo": [[[0, 1, 2, 3]], []],
    "2 x (1 + 1)": [[[0], [1]], [[2, 3], []]],
}


def test_gradients_are_those_of_one_process(tmp_path: Path) -> None:
    """However the photos of a step are split: the same two processes take them in turn."""
    whole, gradient = run([0, 1, 2, 3])
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "tests.training.rank_worker"]
    command = [sys.executable, *words, json.dumps(SPLITS), str(tmp_path)]
    done = subprocess.run(command, env=ENVIRONMENT, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for name in SPLITS:
        for rank in (0, 1):
            part = torch.load(tmp_path / f"{name}-{rank}.pt", weights_only=True)
            assert part["positives"] == whole.positives, name
            assert abs(part["total"] - whole.total) < 1e-5 * whole.total, name
            assert (part["gradient"] - gradient).norm() < 1e-5 * gradient.norm(), name


def train(data: Path, out: Path, config: TrainConfig, *words: str) -> list[str]:
    return [sys.executable, "-m", "focalcli", "train", str(data), "-o", str(out), *as_flags(config), *words]


TWO = ("--devices", "2", "--batch", "2")


@pytest.fixture(scope="module")
def two(squares: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, subprocess.CompletedProcess[str]]:
    """Give a training by two ranks that nothing befell, and what it said."""
    out = tmp_path_factory.mktemp("ranks") / "two"
    command = train(squares, out, LONGER, *TWO)
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return RunFolder(out), done


Two = tuple[RunFolder, subprocess.CompletedProcess[str]]


@pytest.mark.xdist_group("two ranks")  # which share what takes the time
def test_devices_launches_and_only_rank_0_speaks(squares: Path, tmp_path: Path, two: Two) -> None:
    folder, done = two
    assert done.stdout == f"{folder.path}\n"
    assert done.stderr.count("writing to") == 1
    alone = train(squares, tmp_path / "one", LONGER)
    subprocess.run(alone, env=ENVIRONMENT, check=True, capture_output=True, timeout=300)
    ours, theirs = (read_records(path / "metrics.jsonl") for path in (folder.path, tmp_path / "one"))
    assert ours[1]["loss"] == pytest.approx(theirs[1]["loss"], rel=1e-5)
    positives = [[r["positives"] for r in records if r["kind"] == "step"] for records in (ours, theirs)]
    assert positives[0] == positives[1]


def started(command: list[str], line: str) -> tuple[subprocess.Popen[str], dict[str, int]]:
    """Start a training, wait until it says a line that begins so; give it and the process of each rank."""
    process = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    wait_for_line(process, line)
    return process, {environment_of(pid)["RANK"]: pid for pid in children(process.pid) if "RANK" in environment_of(pid)}


@pytest.mark.xdist_group("two ranks")  # which share what takes the time
def test_a_killed_rank_ends_the_training_which_goes_on_as_if_nothing_had_happened(
    squares: Path, tmp_path: Path, two: Two
) -> None:
    """Named, with no process left behind; by two ranks again, to the weights and state of the training in peace."""
    command = train(squares, tmp_path / "run", LONGER, *TWO)
    process, ranks = started(command, "epoch 2")
    os.kill(ranks["1"], signal.SIGKILL)
    talk = process.communicate(timeout=60)[1]
    assert process.returncode == 70 and ended(list(ranks.values()), within=0)
    assert "rank 1: ended with signal 9" in talk and "Traceback" not in talk.splitlines()[-1]
    subprocess.run([*command, "--resume"], env=ENVIRONMENT, check=True, capture_output=True, timeout=300)
    ours, theirs = RunFolder(tmp_path / "run"), two[0]
    assert digest(ours.best) == digest(theirs.best) and digest(ours.state) == digest(theirs.state)


def test_a_killed_launcher_leaves_no_rank_behind(squares: Path, tmp_path: Path) -> None:
    """The kernel tells the ranks, which save and end; so the run goes on from where it was."""
    endless = msgspec.structs.replace(FAST, epochs=900, eval_every=900)
    process, ranks = started(train(squares, tmp_path / "run", endless, *TWO), "step ")
    process.kill()
    assert ended(list(ranks.values()), within=60) and len(ranks) == 2
    process.communicate(timeout=60)
    assert RunFolder(tmp_path / "run").load_state()["step"] >= 1


def test_sigterm_ends_both_ranks_after_the_same_step(squares: Path, tmp_path: Path) -> None:
    endless = msgspec.structs.replace(FAST, epochs=900, eval_every=900)
    process, ranks = started(train(squares, tmp_path / "run", endless, *TWO), "step ")
    process.terminate()
    talk = process.communicate(timeout=60)[1]
    assert process.returncode == 143 and "stopped and saved" in talk and "Traceback" not in talk, talk
    assert ended(list(ranks.values()), within=0)
    folder = RunFolder(tmp_path / "run")
    assert folder.read_facts()["status"] == "stopped"
    assert folder.load_state()["step"] == read_records(folder.journal)[-1]["step"]


def test_a_loss_that_is_not_finite_stops_all_ranks_and_each_keeps_its_batch(squares: Path, tmp_path: Path) -> None:
    wild = msgspec.structs.replace(FAST, lr=1e30, clip_norm=0.0, warmup=0.0, epochs=5)
    command = train(squares, tmp_path, wild, *TWO)
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 70 and "the loss is not finite" in done.stderr, done.stderr
    assert [path.name for path in sorted(tmp_path.glob("diverged*"))] == ["diverged-rank0.pt", "diverged-rank1.pt"]


def environment_of(pid: int) -> dict[str, str]:
    content = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    return dict(pair.split("=", 1) for pair in content.split("\0") if "=" in pair)


def test_a_half_set_environment_is_explained(squares: Path, tmp_path: Path) -> None:
    environment = {**ENVIRONMENT, "RANK": "0"}
    done = subprocess.run(train(squares, tmp_path, FAST), env=environment, capture_output=True, text=True)
    assert done.returncode == 78 and "a world half described" in done.stderr
