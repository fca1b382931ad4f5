"""What only a CUDA device can show: the same first step as on the CPU, and a training that learns."""

from pathlib import Path

import msgspec
import pytest
import torch

from focalcli.cli.console import run as focalcli
from focalcli.training.journal import read_records
from tests.training.small import FAST
from tests.training.test_run import trained

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")]


def test_the_first_step_costs_the_same_on_gpu_and_cpu(squares: Path, tmp_path: Path) -> None:
    losses = {}
    for device in ("cpu", "cuda"):
        folder = trained(squares, tmp_path / device, msgspec.structs.replace(FAST, device=device), stop_after=1).folder
        losses[device] = read_records(folder.journal)[1]["loss"]
    assert losses["cuda"] == pytest.approx(losses["cpu"], rel=1e-3)


def test_a_hundred_steps_on_the_demo_set_learn(tmp_path: Path) -> None:
    assert focalcli(["demo", str(tmp_path / "bay")]) == 0
    words = ["train", str(tmp_path / "bay"), "-o", str(tmp_path / "run"), "--epochs", "4", "--device", "cuda"]
    assert focalcli(words) == 0
    steps = [r["loss"] for r in read_records(tmp_path / "run" / "metrics.jsonl") if r["kind"] == "step"]
    assert len(steps) >= 100 and sum(steps[-10:]) < 0.7 * sum(steps[:10])
