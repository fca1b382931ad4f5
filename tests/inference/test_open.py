import os
from pathlib import Path

import pytest

from focalcli.errors import InputNotFound
from focalcli.inference.open import find_model


def finished(run: Path, time: int) -> Path:
    run.mkdir(parents=True)
    path = run / "best.safetensors"
    path.touch()
    os.utime(path, (time, time))
    return path


def test_the_named_file_is_taken(tmp_path: Path) -> None:
    path = finished(tmp_path / "runs" / "a", 1)
    assert find_model(path) == path


def test_a_named_run_means_its_best_model(tmp_path: Path) -> None:
    path = finished(tmp_path / "runs" / "a", 1)
    assert find_model(tmp_path / "runs" / "a") == path


def test_the_newest_run_that_has_a_model_is_taken(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    finished(runs / "a", 30)
    newest = finished(runs / "b", 40)
    finished(runs / "c", 20)
    (runs / "d").mkdir()
    assert find_model(None, runs=runs) == newest


def test_of_runs_of_the_same_time_the_last_name_is_taken(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    finished(runs / "a", 30)
    assert find_model(None, runs=runs).parent.name == "a"
    finished(runs / "b", 30)
    assert find_model(None, runs=runs).parent.name == "b"


def test_no_model_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound) as caught:
        find_model(None, runs=tmp_path / "runs")
    assert str(caught.value).endswith(
        "runs: holds no trained model, run `focalcli train` first, or name one with --model"
    )
    with pytest.raises(InputNotFound, match="no such model file"):
        find_model(tmp_path / "none.onnx")
