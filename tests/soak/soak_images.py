"""Thousands of broken photos through the real `focalcli detect`: a line for each, in order, the sound ones untouched.

    python tests/soak/soak_images.py [--mutations N] [--seed N]

For each kind of photo, N files with cut ends, changed bytes, huge numbers, missing and added pieces, a sound photo
between any ten of them, and decompression bombs. Only the network is a stand-in (tests/inference/mock_runtime.py).
Checked: exit code 0, valid JSON, no photo lost, sound photos as in a run of their own, no file over the time limit,
peak memory.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.cli.detecting import ENVIRONMENT, PROGRAM, photo  # noqa: E402
from tests.images.mutate import KINDS, bomb, broken  # noqa: E402

PEAK_MIB, SECONDS = 500, 300


def run(folder: Path) -> tuple[list[dict], float, float]:
    """Give the lines, the seconds, and the peak memory in MiB."""
    measured = "import os, resource, subprocess, sys; done = subprocess.run(sys.argv[1:]);"
    measured += (
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); sys.exit(done.returncode)"
    )
    model = folder.parent / "model.safetensors"
    model.touch()
    words = [sys.executable, "-c", measured, *PROGRAM, str(folder), "--model", str(model)]
    begun = time.perf_counter()
    done = subprocess.run(words, capture_output=True, env=ENVIRONMENT, timeout=SECONDS, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    assert b"Traceback" not in done.stderr, done.stderr[-2000:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return lines, time.perf_counter() - begun, int(done.stderr.split()[-1]) / 1024


def campaign(kind: str, mutations: int, seed: int, folder: Path) -> dict[str, object]:
    """Try one kind; give what was counted."""
    suffix, good = KINDS[kind], photo(0, 2)
    for number, content in enumerate(broken(kind, mutations, seed=seed)):
        (folder / f"{number:05}{suffix}").write_bytes(content)
        if number % 10 == 0:
            (folder / f"{number:05}-good.png").write_bytes(good)
    for side in (20_000, 65_535, 2_147_483_647):
        (folder / f"bomb-{side}.png").write_bytes(bomb(side))
    lines, seconds, peak = run(folder)
    assert [Path(line["image"]).name for line in lines] == sorted(path.name for path in folder.iterdir())
    sound = [line["detections"] for line in lines if line["image"].endswith("-good.png")]
    assert len(sound) == -(-mutations // 10) and all(found == sound[0] and len(found) == 2 for found in sound)
    assert all("error" in line for line in lines if "bomb-" in line["image"])
    assert all(len(line["error"].splitlines()) == 1 for line in lines if "error" in line)
    assert peak < PEAK_MIB, f"{kind}: {peak:.0f} MiB"
    refused = sum("error" in line for line in lines) - 3
    return {"kind": kind, "broken": mutations, "refused": refused, "seconds": round(seconds, 1), "MiB": round(peak)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutations", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rows = []
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "photos"
            folder.mkdir()
            rows.append(campaign(kind, options.mutations, options.seed, folder))
            print(rows[-1], file=sys.stderr, flush=True)
    worst = max(row["MiB"] for row in rows)
    print(json.dumps({"soak": "images", "files": sum(row["broken"] for row in rows), "MiB": worst, "kinds": rows}))


if __name__ == "__main__":
    main()
