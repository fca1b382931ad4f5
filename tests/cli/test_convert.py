"""`focalcli convert`: one library call, its findings on stderr, one line on stdout, the right exit code."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from focalcli.cli.console import run


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Write a COCO set of two photos: a cat, a crowd, a box of no width, one that sticks out."""
    folder = tmp_path / "set"
    folder.mkdir()
    images = [{"id": i, "file_name": f"{i}.jpg", "width": 200, "height": 100} for i in (1, 2)]
    for image in images:
        Image.new("RGB", (200, 100)).save(folder / image["file_name"])
    boxes: list[dict[str, Any]] = [{"bbox": [1, 2, 3, 4]}, {"bbox": [5, 5, 0, 5]}, {"bbox": [150, 50, 100, 10]}]
    rows = [{"id": n, "image_id": 1, "category_id": 7, **box} for n, box in enumerate(boxes, 1)]
    content = {
        "images": images,
        "annotations": rows,
        "categories": [{"id": 7, "name": "cat"}, {"id": 9, "name": "dog"}],
    }
    (folder / "c.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def crowded(source: Path) -> Path:
    """Mark the first box as a crowd."""
    content = json.loads((source / "c.json").read_text())
    content["annotations"][0]["iscrowd"] = 1
    (source / "c.json").write_text(json.dumps(content))
    return source


def test_it_says_what_it_read_repaired_lost_and_wrote(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["convert", str(source), str(tmp_path / "out"), "--to", "yolo"]) == 0
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'out'}\n"
    assert err.splitlines() == [
        "read as COCO because c.json has the keys images, annotations, categories",
        "E008 c.json: annotation id 2: the box has no area within the photo, dropped",
        "W101 c.json: annotation id 3: the box sticks out of the photo, clipped",
        "warning: image and annotation ids are lost (4)",
        f"wrote {tmp_path / 'out'}: 2 images, 2 boxes, 2 classes as YOLO",
    ]
    assert (tmp_path / "out/labels/1.txt").read_text() == (
        "0 0.012500 0.040000 0.015000 0.040000\n0 0.875000 0.550000 0.250000 0.100000\n"
    )


def test_a_dry_run_writes_nothing(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", str(source), str(tmp_path / "out"), "--to", "voc", "--dry-run"]) == 0
    out, err = capsys.readouterr()
    assert out == "" and err.splitlines()[-1].startswith("would write ") and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "code"),
    [([], 2), (["--crowd", "keep"], 0), (["--crowd", "drop"], 0), (["--crowd", "error"], 2), (["--allow-lossy"], 0)],
)
def test_a_crowd_needs_a_policy(crowded: Path, tmp_path: Path, options: list[str], code: int) -> None:
    assert run(["convert", str(crowded), str(tmp_path / "out"), "--to", "yolo", *options]) == code
    assert (tmp_path / "out").exists() == (code == 0)


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (
            ["nowhere", "out", "--to", "coco"],
            66,
            "error: nowhere: no such file or folder, check the path of the data set",
        ),
        (["set", "out", "--to", "cocoo"], 2, "error: format: 'cocoo' is not known, did you mean coco?"),
        (["set", "out", "--to", "coco", "--from", "voc"], 65, "error: set: holds no readable VOC annotation"),
        (["set", "out", "--to", "coco", "--split", "val"], 2, "error: set: there is no split 'val'"),
        (
            ["set", "out", "--to", "coco", "--bad-boxes", "error"],
            65,
            "error: c.json: annotation id 2: the box has no area",
        ),
        (["set", "out", "--to", "coco", "--classes", "none.yaml"], 66, "error: none.yaml: is not there"),
        (["set", "out", "--to", "coco", "--images", "nowhere"], 66, "error: nowhere: no such folder, check --images"),
        (["set", "set/out", "--to", "coco"], 73, "error: set/out: lies inside the source set"),
        (["set", "full", "--to", "coco"], 73, "error: full: exists and is not an empty folder"),
    ],
)
def test_every_mistake_is_one_line_with_its_exit_code(
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    line: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/x").touch()
    assert run(["convert", *words]) == code
    out, err = capsys.readouterr()
    errors = [text for text in err.splitlines() if text.startswith("error: ")]
    assert out == "" and len(errors) == 1 and errors[0].startswith(line)
    assert "Traceback" not in err and not (tmp_path / "out").exists()


def test_images_says_how_photos_come_along_or_where_they_are(source: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for number in (1, 2):
        (source / f"{number}.jpg").rename(tmp_path / f"photos/{number}.jpg")
    words = ["convert", str(source), str(tmp_path / "out"), "--to", "coco"]
    assert run([*words, "--images", str(tmp_path / "photos"), "--images", "link"]) == 0
    assert (tmp_path / "out/images/1.jpg").stat().st_nlink == 2
    assert run([*words, "--overwrite", "--images", "none"]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["annotations.json"]


def test_the_report_holds_findings_and_losses(source: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    assert run(["convert", str(source), str(tmp_path / "out"), "--to", "yolo", "--report", str(report)]) == 0
    content = json.loads(report.read_text())
    assert content["schema"] == "focalcli.convert/1" and content["boxes"] == 2 and content["dry_run"] is False
    assert [finding["code"] for finding in content["findings"]] == ["E008", "W101"]
    assert content["losses"] == [
        {"level": "medium", "what": "image and annotation ids are lost", "count": 4},
        {"level": "info", "what": "image sizes are not written, the photos have them", "count": 2},
    ]


def test_classes_are_mapped_by_a_file(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "map.yaml").write_text("dog: cat\n")
    words = ["convert", str(source), str(tmp_path / "out"), "--to", "coco", "--classes", str(tmp_path / "map.yaml")]
    assert run(words) == 0
    assert "1 classes" in capsys.readouterr().err
    assert json.loads((tmp_path / "out/annotations.json").read_text())["categories"] == [
        {"id": 7, "name": "cat", "supercategory": ""}
    ]


def test_control_characters_never_reach_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.json"
    image = {"id": 1, "file_name": "\x1b[31mred\x07.jpg", "width": 9, "height": 9}
    path.write_text(json.dumps({"images": [image], "annotations": [], "categories": []}))
    assert run(["convert", str(path), str(tmp_path / "out"), "--to", "coco"]) == 65
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--help"], ["set", "out", "--to", "yolo"]], ids=["help", "a conversion"])
def test_torch_is_never_imported(source: Path, tmp_path: Path, words: list[str]) -> None:
    """The help does without numpy, too."""
    code = (
        "import sys; from focalcli.cli.console import run; code = run(['convert', *sys.argv[1:]]);"
        "print(code, [m for m in ('torch', 'numpy', 'PIL', 'rich', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=tmp_path, capture_output=True, text=True)
    loaded = done.stdout.splitlines()[-1]
    assert loaded == ("0 []" if words == ["--help"] else "0 ['numpy']"), done.stderr
