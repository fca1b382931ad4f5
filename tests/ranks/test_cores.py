"""A process takes the threads the user names, else its share of the cores, and says so to ONNX Runtime."""

import os

import pytest

from focalcli.inference.onnx_runtime import session_options
from focalcli.ranks import cores


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, 8),
        ({"OMP_NUM_THREADS": "3"}, 3),
        ({"OMP_NUM_THREADS": "3,1"}, 3),
        ({"OMP_NUM_THREADS": "100"}, 100),
        ({"LOCAL_WORLD_SIZE": "1"}, 8),
        ({"LOCAL_WORLD_SIZE": "3"}, 2),
        ({"LOCAL_WORLD_SIZE": "20"}, 1),
        ({"LOCAL_WORLD_SIZE": "4", "OMP_NUM_THREADS": "1"}, 1),
        ({"LOCAL_WORLD_SIZE": "4", "OMP_NUM_THREADS": "many"}, 2),
        ({"LOCAL_WORLD_SIZE": "four", "OMP_NUM_THREADS": "0"}, 8),
    ],
)
def test_threads_are_those_named_else_a_share_of_the_cores(
    environment: dict[str, str], expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OMP_NUM_THREADS", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(cores, "cores", lambda: 8)
    assert cores.threads() == session_options().intra_op_num_threads == expected


def test_cores_are_those_this_process_may_run_on() -> None:
    assert 1 <= cores.cores() <= (os.cpu_count() or 1)
