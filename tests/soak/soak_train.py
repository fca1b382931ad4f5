"""Training for 2,000 steps: is memory the same at the end as near the beginning?

    python tests/soak/soak_train.py [--steps N]

The real program with a loader process and an evaluation every 80 steps, on tiny photos, one a step, so that steps and
not pixels are what there is many of. Memory is that of the training and its loader. Fails where it grew by over 5 %.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.faults import children
from tests.soak.soak_detect import resident
from tests.training.small import write_squares

GROWTH, PHOTOS = 0.05, 8
TRAIN = (
    "--batch 1 --eval-every 10 --min-size 64 --max-size 96 --anchor-size 14 --device cpu --precision fp32 --workers 1"
)


def steps_in(journal: Path) -> int:
    """Count the steps that a training has written down."""
    return journal.read_bytes().count(b'"kind": "step"') if journal.exists() else 0


def watched(words: list[str], journal: Path) -> dict[int, float]:
    """Train; give the MiB that the training and its loader held at the steps at which they were looked at."""
    memory: dict[int, float] = {}
    environment = {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    process = subprocess.Popen([sys.executable, "-m", "focalcli", *words], env=environment, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        time.sleep(0.1)
        with suppress(OSError):  # one has just ended
            memory[steps_in(journal)] = sum(resident(pid) for pid in (process.pid, *children(process.pid)))
    assert process.returncode == 0, process.returncode
    return memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000)
    epochs = -(-parser.parse_args().steps // PHOTOS)
    total, begun = epochs * PHOTOS, time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        data, out = write_squares(Path(name) / "data", train=PHOTOS), Path(name) / "run"
        words = ["train", str(data), "-o", str(out), "--epochs", str(epochs), *TRAIN.split(), "-q"]
        memory = watched(words, out / "metrics.jsonl")
        assert steps_in(out / "metrics.jsonl") == total
    early, late = (
        max(mib for step, mib in memory.items() if total * tenth // 10 <= step < total * (tenth + 1) // 10)
        for tenth in (1, 9)
    )
    line = {"soak": "train", "steps": total, "MiB_in_the_second_tenth": round(early), "MiB_in_the_last": round(late)}
    print(json.dumps({**line, "seconds": round(time.perf_counter() - begun)}))
    sys.exit(late > early * (1 + GROWTH))


if __name__ == "__main__":
    main()
