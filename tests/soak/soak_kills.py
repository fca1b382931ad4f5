"""`kill -9` at random moments of train, convert, detect and export: as if nothing had happened.

    python tests/soak/soak_kills.py [--kills 100] [--seed 0] [--only NAME]

Each job is done once in peace, which gives its result and how long it takes; then it is begun again and again, killed
with all its processes after a random part of that time, every second time while it writes a file, and at last let
through. Fails when a file under its final name is not whole, when the last result is not that of the peaceful run byte
for byte (of a training: its best weights and its last state), or when a temporary file is left.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch

from focalcli.checkpoint import load_model, load_training_state, save_model
from focalcli.detection.retinanet import build_retinanet
from focalcli.files import TEMPORARY_PREFIX
from tests.export.conftest import small_config, talkative
from tests.faults import kill_all
from tests.training.small import digest, write_squares

TRAIN = "--epochs 4 --eval-every 1 --batch 2 --min-size 64 --max-size 96 --anchor-size 14 --device cpu --precision fp32"


@dataclass(frozen=True)
class Job:
    """A command line with OUT for its destination, how it is begun again, and the files that make its result."""

    name: str
    words: str
    again: str
    result: tuple[str, ...]
    whole: Callable[[Path], object]  # raises where a file under its final name is not whole


def trained(out: Path) -> None:
    for path in out.glob("run.json"):
        json.loads(path.read_text())
    for path in out.glob("config.toml"):
        tomllib.loads(path.read_text())
    for path in out.glob("[!.]*.safetensors"):
        load_model(path)
    for path in out.glob("last*.pt"):
        load_training_state(path)
    steps = [json.loads(line) for line in _whole_lines(out / "metrics.jsonl")]
    assert len({(r["kind"], r["step"]) for r in steps}) == len(steps), "a step stands twice in metrics.jsonl"


def _whole_lines(path: Path) -> list[str]:
    """Give the lines of a file that is added to; the last may be cut."""
    return [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")] if path.exists() else []


def converted(out: Path) -> None:
    if out.exists():
        assert len(list((out / "images").rglob("*.png"))) == len(list((out / "labels").rglob("*.txt"))) == 12


def detected(out: Path) -> None:
    if (out / "found.jsonl").exists():
        lines = (out / "found.jsonl").read_text().splitlines()
        assert len(lines) == 8 and all(json.loads(line)["schema"] for line in lines)
    for line in _whole_lines(out / "found.jsonl.partial"):
        json.loads(line)


def exported(out: Path) -> None:
    import onnx

    if (out / "model.onnx").exists():
        onnx.checker.check_model(str(out / "model.onnx"))
        sha = hashlib.sha256((out / "model.onnx").read_bytes()).hexdigest()
        assert not (out / "model.onnx.json").exists() or sha in (out / "model.onnx.json").read_text()


def jobs(data: Path, model: Path) -> list[Job]:
    train = f"train {data} -o OUT {TRAIN}"
    weights, photos = ("best.safetensors", "last.pt"), data / "images" / "train"
    detect = f"detect {photos} --model {model} -o OUT/found.jsonl --device cpu --batch 1"
    export = f"export --onnx --model {model} -o OUT/model.onnx"
    return [
        Job("train", f"{train} --workers 0", f"{train} --workers 0 --resume", weights, trained),
        Job("train-workers", f"{train} --workers 2", f"{train} --workers 2 --resume", weights, trained),
        Job("train-ranks", f"{train} --devices 2", f"{train} --devices 2 --resume", weights, trained),
        Job("convert", f"convert {data} OUT --to yolo", f"convert {data} OUT --to yolo --overwrite", (), converted),
        Job("detect", detect, f"{detect} --resume", ("found.jsonl",), detected),
        Job("export", export, export, ("model.onnx",), exported),
    ]


def command(words: str, out: Path) -> list[str]:
    return [sys.executable, "-m", "focalcli", *words.replace("OUT", str(out)).split(" ")]


def begin(words: str, out: Path) -> subprocess.Popen[bytes]:
    """Start a command; what it says goes to a file, what it and its libraries put aside stays below the campaign."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(out.parents[2])}
    with open(out.parent / f"{out.name}.log", "wb") as log:
        return subprocess.Popen(command(words, out), env=environment, stdout=log, stderr=log)


def finish(words: str, out: Path) -> float:
    """Let a command end well; give the seconds it took."""
    began = time.monotonic()
    process = begin(words, out)
    code = process.wait(300)
    assert code == 0, f"{words}: exit {code}: {(out.parent / f'{out.name}.log').read_text()}"
    return time.monotonic() - began


def startable(job: Job, out: Path) -> str:
    """Give the words that begin a job from what a kill left: a training that has no state yet starts anew."""
    if job.name.startswith("train") and not list(out.glob("last*.pt")):
        return job.words
    return job.again if out.exists() else job.words


def digests(job: Job, out: Path) -> dict[str, str]:
    paths = [out / name for name in job.result] or sorted(path for path in out.rglob("*") if path.is_file())
    return {str(path.relative_to(out)): digest(path) for path in paths}


def left_over(folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob(f"{TEMPORARY_PREFIX}*")]


def half_written(folder: Path) -> bool:
    return bool(left_over(folder) or list(folder.rglob("*.partial")))


def until(moment: float, process: subprocess.Popen[bytes], place: Path, *, writing: bool) -> None:
    """Wait for a moment, and from then on, where asked, for a file that is being written; or for the program's end."""
    while process.poll() is None and (time.monotonic() < moment or (writing and not half_written(place))):
        time.sleep(0.001)


def tried(job: Job, work: Path, kills: int, seed: int) -> dict[str, object]:
    """Kill a job so many times and hold what is left to its peaceful run; each lets-through begins a new round."""
    rng = random.Random(f"{job.name} {seed}")
    peace = work / job.name / "peace"
    peace.mkdir(parents=True)
    seconds = finish(job.words, peace / "out")
    expected, done, rounds, in_writing = digests(job, peace / "out"), 0, 0, 0
    while done < kills:
        rounds += 1
        place = work / job.name / f"round-{rounds}"
        place.mkdir()
        out = place / "out"
        for _ in range(min(rng.randint(1, 4), kills - done)):
            words, began = startable(job, out), time.monotonic()
            process = begin(words, out)
            # Before that there is little more than imports, after it a quicker run may be over.
            until(began + seconds * rng.uniform(0.3, 0.8), process, place, writing=rng.random() < 0.5)
            if process.poll() is None:
                kill_all(process.pid)
                process.wait()
                in_writing += half_written(place)
                done += 1
            elif words == job.words:  # the machine has less to do than it had
                seconds = min(seconds, time.monotonic() - began)
            job.whole(out)
            if process.returncode == 0:
                break
        finish(startable(job, out), out)
        job.whole(out)
        assert digests(job, out) == expected, f"{out}: the result is another"
        assert not left_over(place), left_over(place)
        shutil.rmtree(place)
    return {"kills": done, "rounds": rounds, "while_writing": in_writing, "seconds": round(seconds, 1)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        data, model = write_squares(work / "data"), work / "model.safetensors"
        save_model(model, talkative(build_retinanet(small_config()).eval()).state_dict(), small_config())
        chosen = [job for job in jobs(data, model) if options.only in ("", job.name)]
        shares = [options.kills * (i + 1) // len(chosen) - options.kills * i // len(chosen) for i in range(len(chosen))]
        began = time.monotonic()
        for job, share in zip(chosen, shares, strict=True):
            told = {"soak": "kills", "job": job.name, **tried(job, work, share, options.seed)}
            print(json.dumps(told), flush=True)
        print(
            json.dumps({"soak": "kills", "kills": options.kills, "minutes": round((time.monotonic() - began) / 60, 1)})
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
