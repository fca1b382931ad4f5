"""Reading and converting a COCO file as large as train2017, against panlabel, globox and labelformat.

    python tests/bench/bench_convert.py [--peers VENV/bin] [--rounds 3] [--tasks read,inspect,...]

118,287 images, 860,001 boxes, made by `write_train2017`; no photos. Every round runs each program once, in turn, in a
process of its own; the figure is the median. Prints one JSON line a task and peer, and one for our peak of memory and
our processor time; the ratio says how many times ours is better. A peer that is not installed is left out. `help` and
`tiny` are the start: `convert --help`, and the conversion of one image.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

import msgspec
import numpy as np

IMAGES, BOXES, CLASSES = 118_287, 860_001, 80

TINY = json.dumps(
    {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 9, "height": 9}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 2, 2], "area": 4, "iscrowd": 0}],
        "categories": [{"id": 1, "name": "cat", "supercategory": ""}],
    }
)
READ = "from pathlib import Path; from focalcli.dataset.read import read_dataset; read_dataset(Path({source!r}))"
CONVERT = "from focalcli.__main__ import main; import sys; sys.argv[1:] = {words!r}; main()"
GLOBOX = "from globox import AnnotationSet; s = AnnotationSet.from_coco({source!r})"
GLOBOX_YOLO = (
    GLOBOX + "; s.save_yolo_v5({target!r}, label_to_id={{name: i for i, name in enumerate(sorted(s._labels()))}})"
)


def write_train2017(path: str) -> None:
    """Write a COCO file with the counts of train2017: two decimals, ids with gaps, boxes of all sizes."""
    rng = np.random.default_rng(0)
    ids = np.sort(rng.choice(600_000, IMAGES, replace=False)) + 1
    sizes = np.array([(640, 480), (480, 640), (640, 427), (500, 375)])[rng.integers(4, size=IMAGES)]
    owner = np.sort(rng.integers(IMAGES, size=BOXES))
    extent = np.maximum(sizes[owner] * rng.uniform(0.01, 0.9, (BOXES, 2)) ** 2, 1).round(2)
    corner = ((sizes[owner] - extent) * rng.uniform(0, 1, (BOXES, 2))).round(2)
    category = rng.integers(CLASSES, size=BOXES) + 1
    images = [
        {"id": i, "file_name": f"{i:012d}.jpg", "width": w, "height": h, "license": 3}
        for i, (w, h) in zip(ids.tolist(), sizes.tolist(), strict=True)
    ]
    rows = zip(ids[owner].tolist(), category.tolist(), corner.tolist(), extent.tolist(), strict=True)
    annotations = [
        {"id": n, "image_id": i, "category_id": c, "bbox": [*xy, *wh], "area": wh[0] * wh[1], "iscrowd": 0}
        for n, (i, c, xy, wh) in enumerate(rows, 1)
    ]
    categories = [{"id": i + 1, "name": f"class {i:02d}", "supercategory": "thing"} for i in range(CLASSES)]
    Path(path).write_bytes(
        msgspec.json.encode({"images": images, "annotations": annotations, "categories": categories})
    )


class Run(NamedTuple):
    """One run of a program: seconds by the clock and of the processor, and its peak of memory in MB."""

    seconds: float
    processor: float
    megabytes: float


def run(command: list[str], target: Path | None) -> Run:
    """Run a program to its end; give its wall and its processor time in seconds and its peak of memory in MB."""
    if target is not None:
        shutil.rmtree(target, ignore_errors=True)
        target.unlink(missing_ok=True)
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = child.stderr.read() if child.stderr else b""
    _, status, usage = os.wait4(child.pid, 0)
    elapsed = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{command[0]} failed: {errors.decode(errors='replace')[-500:]}")
    return Run(elapsed, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000)


def tasks(source: Path, work: Path, peers: Path) -> dict[str, tuple[str, dict[str, list[str]]]]:
    """Give for every task the target it writes and the command of each program."""
    python, peer_python = sys.executable, str(peers / "python")

    def ours(target: str, to: str) -> list[str]:
        words = ["convert", str(source), target, "--to", to, "--images", "none", "--quiet", "--allow-lossy"]
        return [python, "-c", CONVERT.format(words=words)]

    coco, yolo = str(work / "out.json"), str(work / "yolo")
    panlabel = [str(peers / "panlabel"), "convert", "--from", "coco", "-i", str(source), "--allow-lossy"]
    labelformat = [str(peers / "labelformat"), "convert", "--task", "object-detection", "--input-format", "coco"]
    labelformat += ["--input-file", str(source)]

    def focalcli(*words: str) -> list[str]:
        return [python, "-c", CONVERT.format(words=words)]

    tiny = work / "tiny.json"
    tiny.write_text(TINY)
    return {
        "help": ("", {"ours": focalcli("convert", "--help")}),
        "tiny": (
            str(work / "tiny"),
            {
                "ours": focalcli("convert", str(tiny), str(work / "tiny"), "--to", "coco", "--quiet"),
                "panlabel": [*panlabel[:5], str(tiny), "--allow-lossy", "--to", "coco", "-o", str(work / "tiny")],
            },
        ),
        "inspect": ("", {"ours": focalcli("inspect", str(source), "--quiet")}),
        "read": (
            "",
            {
                "ours": [python, "-c", READ.format(source=str(source))],
                "globox": [peer_python, "-c", GLOBOX.format(source=str(source))],
            },
        ),
        "coco_to_coco": (
            coco,
            {
                "ours": ours(coco, "coco"),
                "panlabel": [*panlabel, "--to", "coco", "-o", coco],
                "labelformat": [*labelformat, "--output-format", "coco", "--output-file", coco],
                "globox": [peer_python, "-c", GLOBOX.format(source=str(source)) + f"; s.save_coco({coco!r})"],
            },
        ),
        "coco_to_yolo": (
            yolo,
            {
                "ours": ours(yolo, "yolo"),
                "panlabel": [*panlabel, "--to", "yolo", "-o", yolo],
                "labelformat": [
                    *labelformat,
                    *("--output-format", "yolov8", "--output-file", f"{yolo}/data.yaml", "--output-split", "train"),
                ],
                "globox": [peer_python, "-c", GLOBOX_YOLO.format(source=str(source), target=yolo)],
            },
        ),
    }


def measure(source: Path, work: Path, peers: Path, *, rounds: int, only: list[str], chosen: list[str]) -> None:
    """Run the tasks `rounds` times, the programs in turn, and print the lines."""
    for task, (target, commands) in tasks(source, work, peers).items():
        if chosen and task not in chosen:
            continue
        commands = {name: command for name, command in commands.items() if name == "ours" or name in only}
        runs: dict[str, list[Run]] = {name: [] for name in commands}
        for _ in range(rounds):
            for name, command in commands.items():
                try:
                    runs[name].append(run(command, Path(target) if target else None))
                except (RuntimeError, FileNotFoundError) as error:
                    print(f"{task}: {name}: {error}", file=sys.stderr)
        _print(task, {name: Run(*map(median, zip(*done, strict=True))) for name, done in runs.items() if done})


def _print(task: str, medians: dict[str, Run]) -> None:
    ours = medians["ours"]
    for name, theirs in medians.items():
        if name != "ours":
            _line(f"convert_{task}_vs_{name}", ours.seconds, theirs.seconds, "s")
            _line(f"convert_{task}_processor_vs_{name}", ours.processor, theirs.processor, "s")
            _line(f"convert_{task}_memory_vs_{name}", ours.megabytes, theirs.megabytes, "MB")
    if len(medians) == 1:
        _line(f"convert_{task}", ours.seconds, None, "s")
        _line(f"convert_{task}_memory", ours.megabytes, None, "MB")


def _line(bench: str, ours: float, peer: float | None, unit: str) -> None:
    ratio = round(peer / ours, 2) if peer else None
    line = {"bench": bench, "ours": round(ours, 2), "peer": peer and round(peer, 2), "ratio": ratio, "unit": unit}
    print(json.dumps(line), flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Make the file, run everything, clean up."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", type=Path, default=Path(sys.executable).parent, help="folder of the peers' programs")
    parser.add_argument("--only", default="panlabel,globox,labelformat", help="the peers to run, with commas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tasks", default="", help="the tasks to run, with commas")
    parser.add_argument("--work", type=Path, help="folder to work in, kept")
    options = parser.parse_args(arguments)
    made = None if options.work else Path(tempfile.mkdtemp(prefix="bench-convert-"))
    work = options.work or made
    work.mkdir(parents=True, exist_ok=True)
    try:
        source = work / "instances.json"
        if not source.exists():
            write = "import sys, runpy; runpy.run_path(sys.argv[1])['write_train2017'](sys.argv[2])"
            subprocess.run([sys.executable, "-c", write, __file__, str(source)], check=True)  # our memory stays small
        chosen = [task for task in options.tasks.split(",") if task]
        measure(source, work, options.peers, rounds=options.rounds, only=options.only.split(","), chosen=chosen)
    finally:
        if made:
            shutil.rmtree(made)


if __name__ == "__main__":
    main()
