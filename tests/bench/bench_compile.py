"""What `train --compile` gives: the step of bench_train.py, plain and compiled, in turns in one process.

    python tests/bench/bench_compile.py

Prints images/s of both (median of the steps), how long the first compiled step took, and by how much the losses of the
first step differ, in parts of the loss.
"""

import json
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch

from tests.bench.bench_train import BATCH, STEPS, WARM, ours


def main() -> None:
    """Take steps in turns."""
    sides = {}
    for name in ("plain", "compiled"):
        torch.manual_seed(0)
        sides[name] = ours(compiled=name == "compiled")
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    losses: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(WARM + STEPS):
        for name, step in sides.items():
            start = time.perf_counter()
            losses[name].append(step())
            seconds[name].append(time.perf_counter() - start)
    compiled, plain = (BATCH / statistics.median(seconds[name][WARM:]) for name in ("compiled", "plain"))
    difference = abs(losses["compiled"][0] - losses["plain"][0]) / losses["plain"][0]
    line = {
        "bench": "compile",
        "ours": round(compiled, 1),
        "peer": round(plain, 1),
        "ratio": round(compiled / plain, 2),
    }
    more = {"first_step_seconds": round(seconds["compiled"][0]), "loss_difference": float(f"{difference:.2g}")}
    print(json.dumps({**line, "unit": "images/s", **more}))


if __name__ == "__main__":
    main()
