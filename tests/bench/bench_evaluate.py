"""From files to the 12 COCO numbers, against pycocotools: seconds and peak memory.

    python tests/bench/bench_evaluate.py

5,000 images, 36,000 objects, 500,000 detections, 80 classes; each measurement in a process of its own, with imports.
A program whose turn it is runs once uncounted, so that none waits for a disk, and then five times or until ten seconds
are full; medians count. hotcoco, where it is installed, is measured beside. One JSON line a quantity, ratio = peer /
ours; `processor` changes less with neighbours on the machine than `wall`, the clock's.
"""

import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

IMAGES, OBJECTS, DETECTIONS, CLASSES = 5_000, 36_000, 500_000, 80
ROUNDS, COUNTED, SECONDS = 1, 5, 10

MEASURE = """
import resource, sys, time
begin = time.perf_counter()
{work}
seconds, usage = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF)
# not ru_maxrss: that of a child begins with its parent's
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print()
print(seconds, usage.ru_utime + usage.ru_stime, peak / 1024, *map(float, numbers))
"""

WORK = {
    "focalcli": """
from pathlib import Path
from focalcli.dataset.format import ReadOptions
from focalcli.dataset.read import read_dataset
from focalcli.evaluation.coco import evaluate
from focalcli.evaluation.predictions_file import read_predictions
data = read_dataset(Path("gt.json"), options=ReadOptions(bad_boxes="keep"))
numbers = evaluate(data, read_predictions(Path("dt.json"), data).predictions).values.values()
""",
    "pycocotools": """
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
truth = COCO("gt.json")
run = COCOeval(truth, truth.loadRes("dt.json"), "bbox")
run.evaluate(); run.accumulate(); run.summarize()
numbers = run.stats
""",
    "hotcoco": """
import hotcoco
truth = hotcoco.COCO("gt.json")
run = hotcoco.COCOeval(truth, truth.load_res("dt.json"), "bbox")
run.evaluate(); run.accumulate(); run.summarize()
numbers = run.stats
""",
}


def make(folder: Path) -> None:
    """Write annotations, and detections: six around each object, the rest anywhere."""
    rng = np.random.default_rng(0)
    image, kind = np.sort(rng.integers(0, IMAGES, OBJECTS)), _classes(rng, OBJECTS)
    size = np.exp(rng.normal(4, 1, (OBJECTS, 2))).clip(4, 400)
    boxes = np.round(np.concatenate([rng.uniform(0, 1, (OBJECTS, 2)) * (640 - size), size], axis=1), 2)
    annotations = [
        {"id": i + 1, "image_id": int(image[i]) + 1, "category_id": int(kind[i]) + 1, "bbox": boxes[i].tolist(),
         "area": float(boxes[i, 2] * boxes[i, 3]), "iscrowd": int(i % 100 == 0)}
        for i in range(OBJECTS)
    ]  # fmt: skip
    images = [{"id": i + 1, "file_name": f"{i:06d}.jpg", "width": 640, "height": 640} for i in range(IMAGES)]
    categories = [{"id": i + 1, "name": f"class {i}"} for i in range(CLASSES)]
    truth = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "gt.json").write_text(json.dumps(truth))
    near = np.repeat(np.arange(OBJECTS), 6)
    rest = DETECTIONS - len(near)
    jittered = boxes[near] + rng.normal(0, 0.12, (len(near), 4)) * np.tile(size[near], 2)
    other = np.exp(rng.normal(4, 1, (rest, 2))).clip(4, 400)
    anywhere = np.concatenate([rng.uniform(0, 1, (rest, 2)) * (640 - other), other], axis=1)
    owner = np.concatenate([image[near], rng.integers(0, IMAGES, rest)])
    classes = np.concatenate([np.where(rng.random(len(near)) < 0.9, kind[near], _classes(rng, len(near))),
                              _classes(rng, rest)])  # fmt: skip
    score = np.concatenate([rng.beta(2, 3, len(near)), rng.beta(1, 6, rest)])
    found = np.concatenate([jittered, anywhere])
    found[:, 2:] = np.maximum(found[:, 2:], 1)
    results = [
        {"image_id": int(owner[i]) + 1, "category_id": int(classes[i]) + 1, "bbox": found[i].round(2).tolist(),
         "score": round(float(score[i]), 5)}
        for i in np.lexsort((-score, owner))
    ]  # fmt: skip
    (folder / "dt.json").write_text(json.dumps(results))


def _classes(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.minimum(rng.exponential(12, n).astype(int), CLASSES - 1)


def measure(name: str, folder: Path) -> list[float]:
    """Give seconds of the clock, of the processor, MiB, and the numbers."""
    command = [sys.executable, "-c", MEASURE.format(work=WORK[name])]

    def once() -> list[float]:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        return [float(word) for word in done.stdout.splitlines()[-1].split()]

    once()
    runs = [once()]
    while len(runs) < COUNTED and sum(run[0] for run in runs) < SECONDS:
        runs.append(once())
    return [statistics.median(values) for values in zip(*runs, strict=True)]


def main() -> None:
    """Alternate, check that the numbers are the same, print the medians."""
    names = [name for name in WORK if name != "hotcoco" or importlib.util.find_spec("hotcoco")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder)
        rounds = [{program: measure(program, folder) for program in names} for _ in range(ROUNDS)]
    for one in rounds:
        for program in names:
            assert np.allclose(one[program][3:], one["pycocotools"][3:], rtol=0, atol=1e-12), program
    for peer in names[1:]:
        for index, (quantity, unit) in enumerate([("wall", "s"), ("processor", "s"), ("memory", "MiB")]):
            ours, theirs = (statistics.median(one[program][index] for one in rounds) for program in ("focalcli", peer))
            line = {"bench": f"evaluate {quantity}", "ours": round(ours, 3), "peer": round(theirs, 3),
                    "ratio": round(theirs / ours, 2), "unit": unit, "peer_name": peer}  # fmt: skip
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
