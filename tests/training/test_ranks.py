"""Several processes train as one: the same gradient, no hang, and an end that names who failed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from focalcli.training.journal import read_records
from tests.training.test_step import run

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ['PYTHONPATH']}"}
TRAIN = [
    "--epochs",
    "2",
    "--min-size",
    "64",
    "--max-size",
    "96",
    "--workers",
    "0",
    "--precision",
    "fp32",
    "--anchor-size",
    "14",
]


@pytest.mark.parametrize(
    "splits",
    [[[[0, 1]], [[2, 3]]], [[[0]], [[1, 2, 3]]], [[[0, 1, 2, 3]], []], [[[0], [1]], [[2, 3], []]]],
    ids=["2 x 2", "only an empty photo", "no photo", "2 x (1 + 1)"],
)
def test_gradients_are_those_of_one_process(tmp_path: Path, splits: list[list[list[int]]]) -> None:
    whole, gradient = run([0, 1, 2, 3])
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "tests.training.rank_worker"]
    command = [sys.executable, *words, json.dumps(splits), str(tmp_path)]
    done = subprocess.run(command, env=ENVIRONMENT, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for rank in (0, 1):
        part = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert part["positives"] == whole.positives
        assert abs(part["total"] - whole.total) < 1e-5 * whole.total
        assert (part["gradient"] - gradient).norm() < 1e-5 * gradient.norm()


def focalcli(*words: str) -> list[str]:
    return [sys.executable, "-m", "focalcli", *words]


def test_devices_launches_and_only_rank_0_speaks(squares: Path, tmp_path: Path) -> None:
    command = focalcli("train", str(squares), "-o", str(tmp_path / "two"), "--devices", "2", "--batch", "2", *TRAIN)
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'two'}\n"
    assert done.stderr.count("writing to") == 1
    alone = focalcli("train", str(squares), "-o", str(tmp_path / "one"), "--batch", "4", *TRAIN)
    subprocess.run(alone, env=ENVIRONMENT, check=True, capture_output=True, timeout=300)
    one, two = (read_records(tmp_path / name / "metrics.jsonl") for name in ("one", "two"))
    assert two[0]["loss"] == pytest.approx(one[0]["loss"], rel=1e-5)
    assert [r["positives"] for r in two if r["kind"] == "step"] == [r["positives"] for r in one if r["kind"] == "step"]


def test_a_killed_rank_ends_the_training_and_is_named(squares: Path, tmp_path: Path) -> None:
    words = [
        "train",
        str(squares),
        "-o",
        str(tmp_path / "run"),
        "--devices",
        "2",
        "--batch",
        "2",
        *TRAIN,
        "--epochs",
        "900",
    ]
    process = subprocess.Popen(focalcli(*words), env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("step "):
            break
    workers = children(process.pid)
    os.kill(next(pid for pid in workers if environment_of(pid)["RANK"] == "1"), signal.SIGKILL)
    talk = process.communicate(timeout=60)[1]
    assert process.returncode == 70
    assert "rank 1: ended with signal 9" in talk and "Traceback" not in talk.splitlines()[-1]
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


def children(pid: int) -> list[int]:
    """Give the processes that this one started as ranks."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found if "RANK" in environment_of(int(child))]


def environment_of(pid: int) -> dict[str, str]:
    content = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    return dict(pair.split("=", 1) for pair in content.split("\0") if "=" in pair)


def test_a_half_set_environment_is_explained(squares: Path, tmp_path: Path) -> None:
    environment = {**ENVIRONMENT, "RANK": "0"}
    done = subprocess.run(
        focalcli("train", str(squares), *TRAIN), env=environment, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 78 and "a world half described" in done.stderr
