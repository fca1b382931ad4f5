"""How long until help, a version and a Tab's answer are there, against `yolo` of ultralytics.

    python tests/bench/bench_startup.py [--peer VENV/bin/yolo] [--rounds 9]

Every round runs each command once, in turn, in a process of its own; the figure is the median. Prints one JSON line a
command; `peer` is null where ultralytics is not installed.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

OURS = {
    "help": ["--help"],
    "version": ["--version"],
    "train help": ["train", "--help"],
    "tab": ["__complete", "3", "train", "--ba"],
}
PEER = {
    "help": ["help"],
    "version": ["version"],
    "train help": ["help"],
    "tab": [],
}  # yolo has one help, and no completion


def seconds(command: list[str]) -> float:
    """Run a program to its end; give its wall time."""
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", default=shutil.which("yolo"))
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    program = str(Path(sys.executable).with_name("focalcli"))
    for name, words in OURS.items():
        peer = [options.peer, *PEER[name]] if options.peer and PEER[name] else None
        times: dict[str, list[float]] = {"ours": [], "peer": []}
        for _ in range(options.rounds):
            times["ours"].append(seconds([program, *words]))
            if peer:
                times["peer"].append(seconds(peer))
        ours = statistics.median(times["ours"])
        theirs = statistics.median(times["peer"]) if peer else None
        ratio = round(ours / theirs, 3) if theirs else None
        line = {"bench": f"startup: {name}", "ours": round(ours, 3), "peer": theirs and round(theirs, 3)}
        print(json.dumps({**line, "ratio": ratio, "unit": "s"}), flush=True)


if __name__ == "__main__":
    main()
