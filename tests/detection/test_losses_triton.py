"""The Triton kernel, run by Triton's interpreter on the CPU, is the blocks."""

import subprocess
import sys

import pytest

pytest.importorskip("triton", reason="Triton is not installed here")

PROGRAM = """
import torch
from focalcli.detection.focal_blocks import background_in_blocks
from focalcli.detection.focal_triton import background_on_gpu
from focalcli.detection.formulas import Hardness

torch.manual_seed(0)
rows = torch.tensor([0, 3, 299])
kept = torch.ones(300, dtype=torch.bool).index_fill_(0, rows, False)
for dtype, tolerance in ((torch.float32, 1e-6), (torch.bfloat16, 2**-7)):
    for constants in (Hardness(1, 0, 2), Hardness(2, -1, 0), Hardness(1, 0, 0), Hardness(-1, 0, 1.5)):
        x = (torch.randn(300, 7) * 20).to(dtype)
        x[5:7] = torch.tensor([100, -100, 1000, -1000, 0, 90, -90]).to(dtype)
        ours, blocks = torch.empty_like(x), torch.empty_like(x)
        value = background_on_gpu(x, rows, constants, ours)
        torch.testing.assert_close(value, background_in_blocks(x, rows, constants, blocks), rtol=1e-6, atol=0)
        torch.testing.assert_close(ours[kept], blocks[kept], rtol=2 * tolerance, atol=1e-6)
assert background_on_gpu(x[:0], rows[:0], constants, ours[:0]) == 0
"""


def test_the_kernel_is_the_blocks() -> None:
    environment = {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
