"""Detection over 100,000 tiny photos: is memory the same at the end as near the beginning?

    python tests/soak/soak_detect.py [--photos N]

The real program with ONNX Runtime and a file that does next to nothing, names by --files-from, JSON lines to a pipe.
Photos are 100 files of different sizes and kinds, each named a thousand times. Fails where memory grew by over 5 %
after the first 10,000: until then the heaps of the threads grow to their size, for the batches that wait hold 2,000
photos as tiny as these.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.images.make import encoded  # noqa: E402
from tests.inference.test_onnx_runtime import constant_model, written  # noqa: E402

GROWTH, WARM = 0.05, 10_000


def make(folder: Path, count: int) -> Path:
    """Write a model, a hundred photos and the list of names; give the list."""
    written(constant_model(), folder)
    random = np.random.default_rng(0)
    names = []
    for i in range(100):
        kind, suffix = [("JPEG", "jpg"), ("PNG", "png")][i % 2]
        image = random.integers(0, 256, (*random.integers(24, 64, 2), 3)).astype(np.uint8)
        names.append(folder / f"{i:03}.{suffix}")
        names[-1].write_bytes(encoded(image, kind))
    listed = folder / "names.txt"
    listed.write_text("".join(f"{names[i % 100]}\n" for i in range(count)))
    return listed


def resident(process: int) -> float:
    """Give the MiB of memory that a process holds; none once it has ended."""
    status = Path(f"/proc/{process}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in status if line.startswith("VmRSS")), 0) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=100_000)
    options = parser.parse_args()
    begun, memory, warm = time.perf_counter(), {}, min(WARM, options.photos // 2)
    with tempfile.TemporaryDirectory() as name:
        listed = make(Path(name), options.photos)
        words = ["detect", "--files-from", str(listed), "--model", str(Path(name) / "m.onnx"), "-q"]
        with subprocess.Popen([sys.executable, "-m", "focalcli", *words], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for number, line in enumerate(process.stdout, 1):
                assert line.endswith(b"}\n") and b'"error"' not in line, line
                if number in (warm, options.photos):
                    memory[number] = resident(process.pid)
    assert process.returncode == 0 and number == options.photos, (process.returncode, number)
    early, late = memory.values()
    line = {"soak": "detect", "photos": number, f"MiB_after_{warm}": round(early), "MiB_at_the_end": round(late)}
    print(json.dumps({**line, "seconds": round(time.perf_counter() - begun)}))
    sys.exit(late > early * (1 + GROWTH))


if __name__ == "__main__":
    main()
