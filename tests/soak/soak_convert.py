"""`convert` killed again and again, and over a file as large as train2017.

    python tests/soak/soak_convert.py [--kills 40] [--seed 0]

Kills the program with SIGKILL at random moments while it writes 200 photos: the destination is the old one, the new one
or none, never a half, and the next start clears up. Then converts 118,287 images and 860,001 boxes to COCO, twice, and
to YOLO: the two COCO files are equal by SHA-256, and the peak of memory stays under 600 MB, whatever is written.
"""

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.bench_convert import CONVERT, run, write_train2017
from tests.cli.test_rewrite import PROGRAM, killed, made, strays, tree, words

MOST_MEMORY = 600.0


def kills(work: Path, rounds: int, seed: int) -> dict[str, int]:
    """Count how the destination was found after each kill, and how often a stray temporary lay beside it."""
    source, place = made(work / "set", 200), work / "here"
    place.mkdir()
    out = place / "out"
    command = [sys.executable, "-c", PROGRAM, *words("convert", source, out, "--overwrite", "--quiet")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    whole, dice = tree(out), random.Random(seed)
    counts = {"old": 0, "new": 0, "none": 0, "strays": 0}
    for number in range(rounds):
        shutil.rmtree(out, ignore_errors=True)
        if number % 2:
            out.mkdir()
            (out / "old.txt").write_text("old")
        before = tree(out)
        killed(command, place, dice.random() * 0.1)
        after = tree(out)
        assert after in (before, whole), f"round {number} of seed {seed}: half a destination ({len(after)} files)"
        counts["new" if after == whole else "old" if after else "none"] += 1
        counts["strays"] += len(strays(place))
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        assert tree(out) == whole and not strays(place), f"round {number} of seed {seed}: the next start left something"
    return counts


def large(work: Path) -> dict[str, float]:
    """Give the peaks of memory in MB of converting a large file to COCO and YOLO."""
    source = work / "instances.json"
    make = "import sys, runpy; runpy.run_path(sys.argv[1])['write_train2017'](sys.argv[2])"
    subprocess.run([sys.executable, "-c", make, write_train2017.__code__.co_filename, str(source)], check=True)
    peaks, hashes = {}, set()
    for name, to in (("one.json", "coco"), ("two.json", "coco"), ("yolo", "yolo")):
        order = ["convert", str(source), str(work / name), "--to", to, "--images", "none", "--quiet", "--allow-lossy"]
        peaks[to] = run([sys.executable, "-c", CONVERT.format(words=order)], None).megabytes
        assert peaks[to] < MOST_MEMORY, f"to {to} takes {peaks[to]:.0f} MB"
        if to == "coco":
            hashes.add(hashlib.sha256((work / name).read_bytes()).hexdigest())
    assert len(hashes) == 1, "two runs wrote different files"
    return {to: round(peak) for to, peak in peaks.items()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-convert-") as folder:
        work = Path(folder)
        found = kills(work, options.kills, options.seed)
        print(json.dumps({"soak": "convert killed", "rounds": options.kills, **found}), flush=True)
        print(json.dumps({"soak": "convert large", "boxes": 860_001, "peak_mb": large(work)}), flush=True)


if __name__ == "__main__":
    main()
