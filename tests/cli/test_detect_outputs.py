"""What detect writes: read back by the readers of data sets, with names of any bytes, in UTF-8, and where it goes."""

import csv
import io
import json
import os
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from PIL import Image

from focalcli.cli.console import run
from focalcli.config import ClassInfo
from focalcli.dataset.read import read_dataset
from tests.cli.detecting import detect, photo
from tests.inference.mock_runtime import CONFIG, MockRuntime

# What the mock runtime finds in the photos of the fixture.
TRUTH = {"a.png": [("red", 5, 10, 25, 20)], "c.png": [("green", 5, 10, 25, 21), ("blue", 5, 10, 25, 22)], "d.png": []}


def told(path: Path, **options: Any) -> dict[str, list[tuple[object, ...]]]:
    """Read a data set as {file name: [(class, x1, y1, x2, y2), ...]}, to a thousandth of a pixel."""
    dataset = read_dataset(path, images=[Path("photos")], **options)
    found: dict[str, list[tuple[object, ...]]] = {Path(image.key).name: [] for image in dataset.images}
    for image, box, index in zip(
        dataset.boxes.image, dataset.boxes.xyxy.round(3).tolist(), dataset.boxes.category, strict=True
    ):
        found[Path(dataset.images[image].key).name].append((dataset.categories[index].name, *box))
    return found


def test_cvat_files_are_read_back(photos: Path) -> None:
    assert run(["detect", "photos", "--format", "cvat", "-o", "found.xml"]) == 0
    assert told(Path("found.xml")) == TRUTH


def test_voc_files_are_read_back(photos: Path) -> None:
    assert run(["detect", "photos", "--format", "voc", "-o", "found"]) == 0
    assert told(Path("found")) == TRUTH


def test_label_studio_takes_the_tasks_as_predictions_and_gives_them_back_as_annotations(photos: Path) -> None:
    """A prediction that an annotator accepts becomes an annotation with the same regions; that is what is exported."""
    assert run(["detect", "photos", "--format", "label-studio", "-o", "tasks.json"]) == 0
    tasks = json.loads(Path("tasks.json").read_text())
    for task in tasks:
        [prediction] = task.pop("predictions")
        assert set(prediction) == {"model_version", "score", "result"}
        task["annotations"] = [{"result": prediction["result"], "was_cancelled": False}]
    Path("tasks.json").write_text(json.dumps(tasks))
    assert told(Path("tasks.json"), format="label-studio") == TRUTH


def test_coco_results_and_lines_are_predictions_that_evaluate_reads(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Truth and detections are the same boxes, so AP is 1 by either file."""
    names = ["a.png", "b/c.png", "d.png"]
    images = [{"id": 40 + i, "file_name": name, "width": 80, "height": 64} for i, name in enumerate(names)]
    boxes = [(40, 1, 10), (41, 2, 11), (41, 7, 12)]
    rows = [
        {"id": n, "image_id": image, "category_id": c, "bbox": [5, 10, 20, h], "area": 20 * h, "iscrowd": 0}
        for n, (image, c, h) in enumerate(boxes, 1)
    ]
    classes = [{"id": info.id, "name": info.name} for info in CONFIG.classes]
    (photos / "truth.json").write_text(json.dumps({"images": images, "annotations": rows, "categories": classes}))
    for place in ("found.json", "found.jsonl"):
        assert run(["detect", "photos/truth.json", "-o", place]) == 0
        capsys.readouterr()
        assert run(["evaluate", "photos/truth.json", "--predictions", place, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["AP"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("place", "begins"),
    [
        ("x.csv", "image,x1,"),
        ("x.XML", "<?xml "),
        ("x.json", "[\n"),
        ("x.txt", "photos/a.png: 1 red\n"),
        ("x.jsonl", '{"schema": '),
    ],
)
def test_the_suffix_of_a_file_says_its_format(place: str, begins: str, photos: Path) -> None:
    assert run(["detect", "photos", "-o", place]) == 0
    assert Path(place).read_text().startswith(begins)
    assert run(["detect", "photos", "-o", place, "--format", "csv"]) == 0
    assert Path(place).read_text().startswith("image,x1,")


NAMES = ["new\nline.png", "byte \udcff.png", "bell\x07 \x1b[31m.png", "<&\"',;.png", "Füße 日本.png"]


@pytest.fixture
def strange(photos: Path) -> Path:
    """photos/ holds nothing but photos with names of any bytes, a red square on each."""
    for path in list(photos.rglob("*.png")):
        path.unlink()
    for name in NAMES:
        (photos / name).write_bytes(photo(0))
    return photos


@pytest.mark.parametrize("format", ["text", "csv", "coco", "cvat", "label-studio"])
def test_names_of_any_bytes_are_written_the_same_to_a_file_and_a_pipe(
    format: str, strange: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In UTF-8, whatever the locale is; as a parser that is not ours reads them, a name for each photo."""
    monkeypatch.setattr("sys.stdout", open(1, "w", encoding="ascii", closefd=False))
    assert run(["detect", "photos", "--format", format]) == 0
    piped = capfdbinary.readouterr().out
    assert run(["detect", "photos", "--format", format, "-o", f"found.{format}"]) == 0
    written = next(path for path in Path().rglob("*") if path.is_file() and path.name.startswith(("found", "detect")))
    assert written.read_bytes() == piped
    text = piped.decode()
    assert format == "csv" or not {"\x07", "\x1b"} & set(text)
    match format:
        case "text":
            assert len(text.splitlines()) == len(NAMES)
            assert "photos/new\\nline.png: 1 red" in text and "photos/byte \\udcff.png: 1 red" in text
        case "csv":
            names = [row[0] for row in csv.reader(io.StringIO(text, newline=""))][1:]
            assert sorted(names) == sorted(f"photos/{name}".replace("\udcff", "\\udcff") for name in NAMES)
        case "cvat":
            names = [image.get("name", "") for image in ElementTree.fromstring(text).iter("image")]
            assert len(names) == len(NAMES) and "photos/new\nline.png" in names
            assert "photos/bell\\x07 \\x1b[31m.png" in names and "photos/<&\"',;.png" in names
        case "coco" | "label-studio":
            rows = json.loads(text)
            names = [row["file_name"] if format == "coco" else row["data"]["image"] for row in rows]
            assert sorted(names) == sorted(f"photos/{name}" for name in NAMES)


@pytest.mark.parametrize("format", ["voc", "yolo"])
def test_files_and_pictures_keep_the_names_of_their_photos(format: str, strange: Path) -> None:
    words = ["--format", format, "-o", "found", "--draw", "drawn", "--crops", "cut"]
    assert run(["detect", "photos", *words]) == 0
    labels = list(Path("found", {"voc": "Annotations", "yolo": "labels"}[format]).iterdir())
    assert {path.stem for path in labels} == {name.removesuffix(".png") for name in NAMES}
    assert {path.name for path in Path("drawn").iterdir()} == set(NAMES)
    assert {path.name for path in Path("cut/red").iterdir()} == {f"{name[:-4]}-0001.png" for name in NAMES}
    if format == "voc":
        assert all(ElementTree.parse(path).findtext("object/name") == "red" for path in labels)


@pytest.mark.parametrize(("format", "suffix"), [("voc", ".xml"), ("yolo", ".txt")])
def test_photos_that_differ_in_their_suffix_have_a_file_each(format: str, suffix: str, photos: Path) -> None:
    """Nothing is written over: `a.png` comes after `a.jpg`."""
    first = next(photos.glob("*.png"))
    for name in ("same.jpg", "same.png"):
        with Image.open(first) as picture:
            picture.save(photos / name)
    assert run(["detect", "photos/same.jpg", "photos/same.png", "--format", format, "-o", "found"]) == 0
    names = sorted(path.name for path in Path("found").rglob(f"same*{suffix}"))
    assert names == [f"same.png{suffix}", f"same{suffix}"]


def test_a_class_is_one_line_of_classes_txt(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers in YOLO files are lines of this list."""
    classes = tuple(ClassInfo(name, i) for i, name in enumerate(("a\nb", "c", "d")))
    runtime = MockRuntime(msgspec.structs.replace(CONFIG, classes=classes))
    monkeypatch.setattr("focalcli.inference.open.open_runtime", lambda path, **_: runtime)
    assert run(["detect", "photos", "--format", "yolo", "-o", "found"]) == 0
    assert Path("found/classes.txt").read_text().splitlines() == ["a\\nb", "c", "d"]


def test_class_names_are_text_in_every_format(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model comes from outside: its class names may hold anything."""
    names = ("<b>&\"'\x1b", "../Füße", "a,b\nc")
    classes = tuple(ClassInfo(name, i) for i, name in enumerate(names, 1))
    runtime = MockRuntime(msgspec.structs.replace(CONFIG, classes=classes))
    monkeypatch.setattr("focalcli.inference.open.open_runtime", lambda path, **_: runtime)
    for place in ("f.xml", "f.csv", "f.json", "f.txt", "f.jsonl"):
        assert run(["detect", "photos", "-o", place, "--crops", "cut"]) == 0
    boxes = ElementTree.parse("f.xml").iter("box")
    assert [box.get("label") for box in boxes] == ["<b>&\"'\\x1b", "../Füße", "a,b\nc"]
    assert [row[6] for row in csv.reader(io.StringIO(Path("f.csv").read_text(), newline=""))][1:4] == list(names)
    assert len(Path("f.txt").read_text().splitlines()) == 3
    assert all(len(path.relative_to("cut").parts) in (2, 3) for path in Path("cut").rglob("*.png"))
    assert run(["detect", "photos", "-o", "v", "--format", "voc"]) == 0
    assert ElementTree.parse("v/Annotations/a.xml").findtext("object/name") == "<b>&\"'\\x1b"


@pytest.mark.parametrize("options", [["--draw", "photos/b/drawn", "--crops", "photos/z"], ["-o", "photos"]])
def test_pictures_below_the_photos_are_not_looked_at(
    options: list[str], photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        code, _, err = detect(capsys, "photos", *options)
        assert code == 0 and "3 photos, 3 objects" in err
    assert sum(1 for _ in photos.rglob("*.png")) > 5


def test_a_picture_is_turned_as_its_boxes_are(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """EXIF 6: what is stored 80 wide and 64 high is seen 64 wide and 80 high, its left edge on top."""
    from PIL import Image

    with Image.open(photos / "a.png") as stored:
        exif = Image.Exif()
        exif[0x0112] = 6
        stored.save(photos / "turned.png", exif=exif)
    _, [line], _ = detect(capsys, "photos/turned.png", "--draw", "drawn", "--crops", "cut")
    assert (line["width"], line["height"]) == (64, 80)
    # x from 64 - y: rows 10..20 become columns 44..54; columns 5..25 become rows
    assert line["detections"][0]["box"] == [44, 5, 54, 25]
    with Image.open("cut/red/photos/turned-0001.png") as cut, Image.open("drawn/photos/turned.png") as drawn:
        assert cut.size == (10, 20) and cut.getpixel((0, 0)) == (255, 0, 0)
        assert drawn.width * 80 == drawn.height * 64 and os.path.getsize("drawn/photos/turned.png") > 500
