"""Every example runs, here at small size: the files that its README promises are there and hold what they should."""

import json
import os
import shutil
import stat
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest
import yaml

EXAMPLES = Path(__file__).parent.parent / "examples"
BCCD = Path(__file__).parent.parent.parent / "shared" / "data" / "bccd"

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("examples")]

# What makes the examples small, through the settings that every verb reads.
SMALL = {
    "FOCALCLI_DEMO_PHOTOS": "12",
    "FOCALCLI_DEMO_SIZE": "160",
    "FOCALCLI_TRAIN_PRESET": "tiny",
    "FOCALCLI_TRAIN_WEIGHTS": "none",
    "FOCALCLI_TRAIN_MIN_SIZE": "64",
    "FOCALCLI_TRAIN_FORCE": "true",  # anchors are too large for photos this small
    "FOCALCLI_TRAIN_ANCHOR_SIZE": "8",
    "EPOCHS": "1",
    "OMP_NUM_THREADS": "1",
}


def run(*words: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FOCALCLI_")}
    path = os.pathsep.join([str(Path(sys.executable).parent), clean["PATH"]])
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=clean | SMALL | {"PATH": path} | environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done


def needs(*programs: str) -> None:
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed; .ci/packages installs it")


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a data set `bay` and a model `runs/bay` that has learnt its training photos a little."""
    folder = tmp_path_factory.mktemp("examples")
    run("focalcli", "demo", "bay", cwd=folder)
    settings = (
        "--epochs",
        "30",
        "--batch",
        "4",
        "--ema",
        "0.8",
        "--augment",
        "none",
        "--eval-every",
        "30",
        "--anchor-size",
        "16",
    )
    real = {"FOCALCLI_TRAIN_PRESET": "lite0", "FOCALCLI_TRAIN_WEIGHTS": "auto", "FOCALCLI_TRAIN_MIN_SIZE": "128"}
    run("focalcli", "train", "bay", "-o", "runs/bay", *settings, cwd=folder, **real)
    return folder


@pytest.fixture
def model(home: Path) -> Path:
    return home / "runs" / "bay" / "best.safetensors"


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def programs(folder: Path, **scripts: str) -> str:
    """Write stand-ins for programs that are not here; give the PATH that finds them."""
    folder.mkdir()
    for name, script in scripts.items():
        (folder / name).write_text("#!/bin/sh\n" + script)
        (folder / name).chmod(0o755)
    return os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])


def test_quickstart_prints_both_numbers_and_does_nothing_twice(tmp_path: Path) -> None:
    first = run(EXAMPLES / "quickstart.sh", "here", cwd=tmp_path)
    table = [line.split() for line in first.stdout.splitlines()]
    [torch] = [line for line in table if line[:1] == ["runs/bay/best.safetensors"]]
    [onnx] = [line for line in table if line[:1] == ["bay.onnx"]]
    assert [float(number) for number in onnx[1:]] == pytest.approx([float(number) for number in torch[1:]], abs=0.001)
    for kind in ("torch", "onnx"):
        assert len(list((tmp_path / "here" / f"found-{kind}" / "pictures").rglob("*.jpg"))) == 2  # a sixth of 12
        assert str(tmp_path / "here" / f"found-{kind}" / "pictures") in first.stdout
    again = run(EXAMPLES / "quickstart.sh", "here", cwd=tmp_path)
    assert again.stdout == first.stdout
    assert again.stderr == ""


def test_voc_to_onnx_on_a_few_photos_of_bccd(tmp_path: Path) -> None:
    if not BCCD.is_dir():
        pytest.skip(f"no BCCD at {BCCD}")
    few = a_few_of_bccd(tmp_path / "bccd")
    run(EXAMPLES / "voc-to-onnx" / "run.sh", "out", cwd=tmp_path, BCCD=str(few))
    assert json.loads((tmp_path / "out" / "test.json").read_text())["images"] == 4
    assert len(lines(tmp_path / "out" / "cells.jsonl")) == 12
    assert (tmp_path / "out" / "cells.onnx").is_file()


def a_few_of_bccd(folder: Path) -> Path:
    """Lay out eight training and four test photos of BCCD as it is laid out."""
    names = {
        split: (BCCD / "ImageSets" / "Main" / f"{split}.txt").read_text().split()[:count]
        for split, count in (("trainval", 8), ("test", 4))
    }
    for kind, suffix in (("Annotations", ".xml"), ("JPEGImages", ".jpg")):
        (folder / kind).mkdir(parents=True)
        for name in chain(*names.values()):
            shutil.copy(BCCD / kind / f"{name}{suffix}", folder / kind)
    (folder / "ImageSets" / "Main").mkdir(parents=True)
    for split, chosen in names.items():
        (folder / "ImageSets" / "Main" / f"{split}.txt").write_text("\n".join(chosen) + "\n")
    return folder


def test_voc_to_onnx_says_how_to_get_the_photos(tmp_path: Path) -> None:
    done = subprocess.run(
        [EXAMPLES / "voc-to-onnx" / "run.sh"],
        env={**os.environ, "BCCD": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 66
    assert "git clone https://github.com/Shenggan/BCCD_Dataset" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_label_studio_there_and_back(home: Path, model: Path, tmp_path: Path) -> None:
    """Tasks whose predictions somebody accepted as they are come back as the boxes that were detected."""
    needs("jq", "realpath")
    photos = home / "bay" / "images" / "train"
    tasks = json.loads(run(EXAMPLES / "label-studio" / "pre-annotate.sh", photos, model, cwd=tmp_path).stdout)
    assert [task["data"]["image"] for task in tasks] == [
        f"/data/local-files/?d={path.name}" for path in sorted(photos.iterdir())
    ]
    for number, task in enumerate(tasks, 1):
        task |= {"id": number, "annotations": task.pop("predictions")}
    (tmp_path / "export.json").write_text(json.dumps(tasks))
    run(EXAMPLES / "label-studio" / "train.sh", "export.json", photos, "out", cwd=tmp_path)
    [written] = (tmp_path / "out" / "data").rglob("*.json")
    boxes = [row["bbox"] for row in json.loads(written.read_text())["annotations"]]
    found = run("focalcli", "detect", photos, "--model", model, "--threshold", "0.3", "--format", "jsonl", cwd=tmp_path)
    corners = [one["box"] for line in found.stdout.splitlines() for one in json.loads(line)["detections"]]
    assert boxes == [pytest.approx([x1, y1, x2 - x1, y2 - y1], abs=0.02) for x1, y1, x2, y2 in corners]
    assert boxes
    assert (tmp_path / "out" / "runs" / "labelled" / "best.safetensors").is_file()


def test_aerial_tiles_measures_with_and_without(model: Path, tmp_path: Path) -> None:
    needs("realpath")
    run("focalcli", "demo", "coast", "--photos", "6", "--size", "640", cwd=tmp_path)
    done = run(EXAMPLES / "aerial-tiles" / "run.sh", model, "coast", "160", cwd=tmp_path)
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [["whole", "AP50"], ["tiled", "AP50"]]
    whole, tiled = (float(line.split()[2]) for line in done.stdout.splitlines())
    assert tiled > whole
    assert len(list((tmp_path / "tiles" / "pictures").rglob("*.jpg"))) == 1


def test_camera_trap_sorts_photos_with_odd_names(home: Path, model: Path, tmp_path: Path) -> None:
    needs("jq", "parallel", "realpath")
    card = tmp_path / "card"
    card.mkdir()
    photos = sorted((home / "bay" / "images" / "train").iterdir())
    for number, photo in enumerate(photos):
        shutil.copy(photo, card / f"night {number}\n.JPG")
    (card / "broken.jpg").write_bytes(photos[0].read_bytes()[:2000])
    run(EXAMPLES / "camera-trap" / "run.sh", card, model, "out", cwd=tmp_path, SCORE="0.1", CHUNK="4")
    found = lines(tmp_path / "out" / "found.jsonl")
    assert [line["image"] for line in found] == sorted(str(path) for path in card.iterdir())
    assert (tmp_path / "out" / "unreadable.tsv").read_text().startswith(f"{card}/broken.jpg\t")
    best = {
        line["image"]: line["detections"][0]["class"]
        for line in found
        if line.get("detections") and line["detections"][0]["score"] >= 0.1
    }
    links = list((tmp_path / "out" / "seen").rglob("*.JPG"))
    assert {str(link.resolve()): link.parent.name for link in links} == best != {}
    counted = (tmp_path / "out" / "photos-per-class.csv").read_text()
    assert all(f'"{name}",' in counted for name in best.values())


def test_the_makefile_builds_everything_once(tmp_path: Path) -> None:
    needs("make")
    makefile = EXAMPLES / "makefile" / "Makefile"
    run("make", "-f", makefile, "EPOCHS=1", cwd=tmp_path)
    torch, onnx = (json.loads((tmp_path / name).read_text()) for name in ("test.json", "onnx.json"))
    assert onnx["AP50"] == pytest.approx(torch["AP50"], abs=0.001)
    assert (tmp_path / "found" / "detections.jsonl").is_file()
    assert "Nothing to be done" in run("make", "-f", makefile, "EPOCHS=1", cwd=tmp_path).stdout


def test_the_dvc_stages_need_and_make_what_they_say(tmp_path: Path) -> None:
    """Run the stages in their order as dvc does: only with what `deps` names, and `outs` are there afterwards."""
    for name in ("dvc.yaml", "focalcli.toml"):
        shutil.copy(EXAMPLES / "dvc" / name, tmp_path)
    stages = yaml.safe_load((tmp_path / "dvc.yaml").read_text())["stages"]
    made: set[str] = set()
    for stage in stages.values():
        assert all(dep.split("/")[0] in made for dep in stage.get("deps", []))
        assert all((tmp_path / dep).exists() for dep in stage.get("deps", []))
        run("bash", "-c", stage["cmd"], cwd=tmp_path, FOCALCLI_TRAIN_EPOCHS="1")
        outs = [*stage.get("outs", []), *(name for metric in stage.get("metrics", []) for name in metric)]
        assert all((tmp_path / out).exists() for out in outs)
        made.update(outs)
    assert made == {"data", "run", "metrics.json", "model.onnx"}


def gate(home: Path, tmp_path: Path, old: Path, new: Path) -> list[subprocess.CompletedProcess[str]]:
    """Run the focalcli steps of the workflow on two checkouts."""
    for side, weights in (("old", old), ("new", new)):
        (tmp_path / side / "models").mkdir(parents=True)
        shutil.copy(weights, tmp_path / side / "models" / "detector.safetensors")
    (tmp_path / "new" / "data").symlink_to(home / "bay")
    workflow = yaml.safe_load((EXAMPLES / "github-actions" / "detector.yml").read_text())
    commands = [step["run"] for step in workflow["jobs"]["gate"]["steps"] if "focalcli" in step.get("run", "")]
    environment = {**os.environ, **SMALL, "PATH": programs(tmp_path / "bin")}
    return [
        subprocess.run(["bash", "-e", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True)
        for command in commands
    ]


def test_the_github_gate_passes_the_same_weights(home: Path, model: Path, tmp_path: Path) -> None:
    assert [step.returncode for step in gate(home, tmp_path, model, model)] == [0, 0, 0]
    assert (tmp_path / "results.xml").is_file() and (tmp_path / "detector.onnx").is_file()
    assert (tmp_path / "compare.json").is_file()


def test_slurm_starts_resumes_and_requeues(home: Path, tmp_path: Path) -> None:
    """Stand-ins for srun and scontrol: the script trains in two processes, and a second job goes on where it ended."""
    asked = tmp_path / "asked"
    path = programs(
        tmp_path / "bin",
        srun='exec "$@"\n',
        scontrol=f'[ "$1" != show ] && echo "$@" >>{asked} || echo localhost\n',
    )
    slurm = {"SLURM_JOB_NODELIST": "n1", "SLURM_JOB_ID": "7", "SLURM_JOB_NUM_NODES": "1", "SLURM_GPUS_ON_NODE": "2"}
    job = ("bash", EXAMPLES / "slurm" / "train.sbatch", home / "bay", "runs/job", "--batch", "2", "--device", "cpu")
    run(*job, "--epochs", "1", cwd=tmp_path, PATH=path, **slurm)
    facts = json.loads((tmp_path / "runs" / "job" / "run.json").read_text())
    assert facts["status"] == "finished" and facts["step"] == 2  # 8 photos in steps of 2 x 2
    run(*job, "--epochs", "2", cwd=tmp_path, PATH=path, **slurm)
    assert json.loads((tmp_path / "runs" / "job" / "run.json").read_text())["step"] == 4
    assert not asked.exists()


def test_python_api_script(home: Path, tmp_path: Path) -> None:
    done = run(sys.executable, EXAMPLES / "python-api" / "counts.py", home / "bay", "1", cwd=tmp_path)
    assert "AP50" in done.stdout
    assert (tmp_path / "detector.onnx").is_file()
    assert done.stdout.count(".jpg") == 2


def test_the_papers_tables_come_out(home: Path, model: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "bay").symlink_to(home / "bay")
    script = EXAMPLES / "paper" / "run.sh"
    first = run(script, "out", cwd=tmp_path, MODEL=str(model), FOCALCLI_INSIGHT_STEPS="1")
    assert [line for line in first.stdout.splitlines() if line.startswith("**")] == [
        f"**Table {name}**" for name in ("1a", "1b", "1c", "1d")
    ]
    assert {"curve.csv", "curve.png", "lab.png", "loss.json", "loss.png"} <= set(os.listdir(tmp_path / "out"))
    again = run(script, "out", cwd=tmp_path, MODEL=str(model))
    assert (again.stdout, again.stderr) == (first.stdout, "")


def test_every_example_is_listed_and_says_what_it_is() -> None:
    listed = (EXAMPLES / "README.md").read_text()
    folders = [path for path in sorted(EXAMPLES.iterdir()) if path.is_dir()]
    for folder in folders:
        assert f"`{folder.name}/`" in listed
        assert (folder / "README.md").read_text().startswith("# ")
    for script in [EXAMPLES / "quickstart.sh", *EXAMPLES.glob("*/*.sh")]:
        assert script.stat().st_mode & stat.S_IXUSR
