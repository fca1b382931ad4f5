"""Driven by the mock runtime, which finds bright pixels: the model is not what is tested here."""

import json
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from focalcli.cli.console import run
from tests.cli.detecting import detect, photo
from tests.images.make import encoded, scene
from tests.images.mutate import KINDS, bomb, broken


def test_a_folder_becomes_a_line_a_photo(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines, err = detect(capsys, "photos")
    assert code == 0
    assert lines == [
        {
            "schema": "focalcli.detections/1",
            "image": "photos/a.png",
            "width": 80,
            "height": 64,
            "detections": [{"box": [5, 10, 25, 20], "score": 1.0, "class": "red", "class_id": 1}],
        },
        {
            "schema": "focalcli.detections/1",
            "image": "photos/b/c.png",
            "width": 80,
            "height": 64,
            "detections": [
                {"box": [5, 10, 25, 21], "score": 1.0, "class": "green", "class_id": 2},
                {"box": [5, 10, 25, 22], "score": 1.0, "class": "blue", "class_id": 7},
            ],
        },
        {"schema": "focalcli.detections/1", "image": "photos/d.png", "width": 80, "height": 64, "detections": []},
    ]
    assert err == "model: runs/r/best.safetensors\n3 photos, 3 objects\n"


def test_files_and_globs_keep_their_order(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, lines, _ = detect(capsys, "photos/d.png", "photos/*/*.png", "photos/a.png")
    assert [line["image"] for line in lines] == ["photos/d.png", "photos/b/c.png", "photos/a.png"]


def test_text_is_for_people(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (photos / "e\x1b[31m.png").write_bytes(photo(0))
    (photos / "f.png").write_bytes(b"")
    assert run(["detect", "photos", "--format", "text"]) == 0
    assert capsys.readouterr().out == (
        "photos/a.png: 1 red\n"
        "photos/b/c.png: 1 green, 1 blue\n"
        "photos/d.png: nothing\n"
        "photos/e\\x1b[31m.png: 1 red\n"
        "error: photos/f.png: cannot be decoded (not a photo in a known format), replace or remove it\n"
    )


def test_a_folder_of_results_holds_lines_and_pictures_in_the_same_tree(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "e.tif").write_bytes(encoded(scene(), "TIFF"))
    _, on_stdout, _ = detect(capsys, "photos")
    code, lines, _ = detect(capsys, "photos", "-o", "found")
    assert (code, lines) == (0, [])
    found = photos.parent / "found"
    assert [json.loads(line) for line in (found / "detections.jsonl").read_text().splitlines()] == on_stdout
    pictures = sorted(str(path.relative_to(found)) for path in found.rglob("*") if path.is_file())
    assert pictures == [
        "detections.jsonl",
        "pictures/a.png",
        "pictures/b/c.png",
        "pictures/d.png",
        "pictures/e.tif.jpg",
    ]
    with Image.open(found / "pictures" / "a.png") as picture:
        assert picture.format == "PNG" and picture.size == (480, 384)  # 6 x 80, so that a label fits
        assert len(picture.getcolors(10_000)) > 10


def test_results_in_the_folder_that_is_read_are_not_read_again(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert detect(capsys, "photos", "-o", "photos/found")[0] == 0
        assert len((photos / "found" / "detections.jsonl").read_text().splitlines()) == 3


def test_the_photos_are_left_as_they_are(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in photos.rglob("*.png")}
    detect(capsys, "photos", "-o", "found")
    assert {path: path.read_bytes() for path in photos.rglob("*.png")} == before


def spoil(photos: Path) -> list[str]:
    """Put one of every kind of bad photo between the good ones; give their names."""
    good = photo(0)
    (photos / "a0-cut.png").write_bytes(good[:-30])
    (photos / "a1-empty.jpg").write_bytes(b"")
    (photos / "a2-text.jpg").write_text("hello")
    (photos / "a3-folder.jpg").mkdir()
    (photos / "a4-gone.jpg").symlink_to("nowhere.jpg")
    (photos / "a5-loop.jpg").symlink_to("a5-loop.jpg")
    os.mkfifo(photos / "a6-pipe.jpg")
    (photos / "a7-huge.png").write_bytes(encoded(scene(300, 300), "PNG"))
    return [str(path.relative_to(photos.parent)) for path in sorted(photos.glob("a?-*"))]


def test_bad_photos_are_errors_in_order_and_the_rest_is_as_if_they_were_not_there(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, clean, _ = detect(capsys, "photos")
    bad = spoil(photos)
    code, lines, err = detect(capsys, "photos", "--max-pixels", "80000")
    assert code == 0
    assert [line["image"] for line in lines] == ["photos/a.png", *bad, "photos/b/c.png", "photos/d.png"]
    assert [line for line in lines if "error" not in line] == clean
    errors = [line["error"] for line in lines if "error" in line]
    facts = ["cannot be decoded", "not a photo", "not a photo", "is a folder", "no such", "cannot be opened"]
    facts += ["is a pipe", "300 x 300 pixels are over the limit of 80000"]
    for error, fact in zip(errors, facts, strict=True):
        assert fact in error and error.startswith("photos/a")
    assert err.endswith("11 photos, 3 objects; 8 could not be read\n")


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # the program shows none, see __main__
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_photos_broken_at_random_cost_no_other_photo(
    kind: str, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A short round of tests/soak/soak_images.py: a line for each in order, the sound ones as without the broken."""
    _, clean, _ = detect(capsys, "photos")
    for number, content in enumerate(broken(kind, 10, seed=1)):
        (photos / f"a{number}{KINDS[kind]}").write_bytes(content)
    (photos / "c-bomb.png").write_bytes(bomb(65_535))
    code, lines, err = detect(capsys, "photos")
    assert code == 0 and "Traceback" not in err
    listed = ["photos/a.png", *(f"photos/a{i}{KINDS[kind]}" for i in range(10)), "photos/b/c.png"]
    assert [line["image"] for line in lines] == [*listed, "photos/c-bomb.png", "photos/d.png"]
    assert [line for line in lines if line in clean] == clean
    assert "over the limit" in lines[-2]["error"]
    assert all(len(line["error"].splitlines()) == 1 for line in lines if "error" in line)


def test_strict_fails_after_all_is_done(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(photos)
    code, lines, err = detect(capsys, "photos", "--strict")
    assert code == 1 and len(lines) == 11
    assert "error: detect: 7 of 11 photos could not be read" in err
    assert detect(capsys, "photos/b", "--strict")[0] == 0


def test_all_bad_is_bad_data(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (photos / "bad").mkdir()
    (photos / "bad" / "x.jpg").touch()
    code, lines, err = detect(capsys, "photos/bad")
    assert code == 65 and len(lines) == 1 and "none of 1 photos could be read" in err


def test_a_missing_folder_is_not_found(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines, err = detect(capsys, "none")
    assert (code, lines) == (66, [])
    assert err == "error: none: no such file or folder, check the path\n"


def test_no_model_is_not_found(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree("runs")
    code, _, err = detect(capsys, "photos")
    assert code == 66 and "run `focalcli train` first, or name one with --model" in err


def test_the_threshold_keeps_what_reaches_it(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = np.zeros((64, 80, 3), np.uint8)
    image[:20, :20, 0], image[30:50, 30:50, 1] = 204, 255
    (photos / "a.png").write_bytes(encoded(image, "PNG"))
    _, [line], _ = detect(capsys, "photos/a.png", "--threshold", "0.81")
    assert [found["class"] for found in line["detections"]] == ["green"]


def test_a_place_that_cannot_be_written_is_one_line(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("taken").write_text("x")
    code, _, err = detect(capsys, "photos", "-o", "taken")
    assert code == 73 and "taken" in err
    assert Path("taken").read_text() == "x"


def test_an_empty_folder_is_no_photos(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty").mkdir()
    code, lines, err = detect(capsys, "empty")
    assert (code, lines) == (66, []) and "holds no photos" in err


def test_an_empty_list_is_no_mistake(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """find may find nothing, and of three photos a fourth part is empty; the next program in the pipe gets no lines."""
    Path("none.txt").touch()
    for words in (["--files-from", "none.txt"], ["photos", "--shard", "1/4"]):
        code, lines, err = detect(capsys, *words)
        assert (code, lines) == (0, []) and err.endswith("0 photos, 0 objects\n")


def test_names_come_from_a_file_in_its_order(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("list.txt").write_text("photos/d.png\n\nphotos/none.png\nphotos/a.png")
    code, lines, _ = detect(capsys, "--files-from", "list.txt")
    assert code == 0
    assert [(line["image"], line.get("code")) for line in lines] == [
        ("photos/d.png", None),
        ("photos/none.png", "not-found"),
        ("photos/a.png", None),
    ]
    Path("list.bin").write_bytes(b"photos/d.png\0photos/a.png\0")
    assert len(detect(capsys, "--files-from", "list.bin", "-0")[1]) == 2


def test_nothing_named_is_a_usage_error(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = detect(capsys)
    assert code == 2 and "no photos are named" in err


def test_an_annotation_file_names_its_photos_and_their_ids(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = [{"id": 40 + i, "file_name": name, "width": 80, "height": 64} for i, name in enumerate(["d.png", "a.png"])]
    content = {"images": images, "annotations": [], "categories": [{"id": 1, "name": "red"}]}
    (photos / "coco.json").write_text(json.dumps(content))
    assert run(["detect", "photos/coco.json", "--format", "coco"]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {"image_id": 41, "file_name": "photos/a.png", "category_id": 1, "bbox": [5, 10, 20, 10], "score": 1.0}
    ]


def output_of(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(["detect", *words]) == 0
    return capsys.readouterr().out


def test_every_text_format_is_written_whole(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import xml.etree.ElementTree as ElementTree

    assert output_of(capsys, "photos", "--format", "csv").splitlines() == [
        "image,x1,y1,x2,y2,score,class,class_id",
        "photos/a.png,5.0,10.0,25.0,20.0,1.0,red,1",
        "photos/b/c.png,5.0,10.0,25.0,21.0,1.0,green,2",
        "photos/b/c.png,5.0,10.0,25.0,22.0,1.0,blue,7",
        "photos/d.png,,,,,,,",
    ]
    results = json.loads(output_of(capsys, "photos", "--format", "coco"))
    assert [(row["image_id"], row["category_id"], row["bbox"]) for row in results] == [
        (1, 1, [5, 10, 20, 10]),
        (2, 2, [5, 10, 20, 11]),
        (2, 7, [5, 10, 20, 12]),
    ]
    tasks = json.loads(output_of(capsys, "photos", "--format", "label-studio"))
    [region] = tasks[0]["predictions"][0]["result"]
    assert tasks[0]["data"] == {"image": "photos/a.png"} and len(tasks) == 3
    assert region["value"] == {
        "x": 6.25, "y": 15.625, "width": 25.0, "height": 15.625, "rotation": 0, "rectanglelabels": ["red"]
    }  # fmt: skip
    assert (region["original_width"], region["original_height"]) == (80, 64)
    tree = ElementTree.fromstring(output_of(capsys, "photos", "--format", "cvat"))
    assert [(image.get("name"), len(image)) for image in tree.iter("image")] == [
        ("photos/a.png", 1), ("photos/b/c.png", 2), ("photos/d.png", 0)
    ]  # fmt: skip
    assert tree.find("image/box").get("xbr") == "25.0"


def test_a_file_a_photo_needs_a_folder(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = detect(capsys, "photos", "--format", "yolo")
    assert code == 2 and "name a folder with -o" in err
    assert detect(capsys, "photos", "--format", "yolo", "-o", "y")[0] == 0
    # centre (15, 15) of 80 x 64, sides 20 x 10
    assert Path("y/labels/a.txt").read_text() == "0 0.187500 0.234375 0.250000 0.156250 1.0\n"
    assert Path("y/labels/d.txt").read_text() == "" and Path("y/classes.txt").read_text() == "red\ngreen\nblue\n"
    assert detect(capsys, "photos", "--format", "voc", "-o", "v")[0] == 0
    text = Path("v/Annotations/b/c.xml").read_text()
    assert "<xmin>6</xmin>" in text and "<ymax>21</ymax>" in text and "<confidence>1.0</confidence>" in text


def test_a_file_is_written_whole_or_not_at_all(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert detect(capsys, "photos", "-o", "found.csv", "--format", "csv")[0] == 0
    assert Path("found.csv").read_text().count("\n") == 5
    assert sorted(path.name for path in photos.parent.iterdir()) == ["found.csv", "photos", "runs"]


def test_crops_hold_each_object_alone(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(detect(capsys, "photos", "--crops", "cut")[1]) == 3
    assert sorted(str(path.relative_to("cut")) for path in Path("cut").rglob("*.png")) == [
        "blue/b/c-0002.png", "green/b/c-0001.png", "red/a-0001.png"
    ]  # fmt: skip
    with Image.open("cut/red/a-0001.png") as picture:
        assert picture.size == (20, 10) and picture.getpixel((0, 0)) == (255, 0, 0)


def test_the_parts_of_a_list_make_the_whole(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = output_of(capsys, "photos")
    assert "".join(output_of(capsys, "photos", "--shard", f"{i}/2") for i in (1, 2)) == whole
    code, _, err = detect(capsys, "photos", "--shard", "3/2")
    assert code == 2 and "--shard: '3/2' is no part" in err


@pytest.mark.parametrize("cut", [0, 40, 250, 700])
def test_an_earlier_run_is_continued_to_the_same_bytes(
    cut: int, photos: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the earlier run broke off, even within a line."""
    assert detect(capsys, "photos", "-o", "all.jsonl")[0] == 0
    whole = Path("all.jsonl").read_bytes()
    Path("some.jsonl.partial").write_bytes(whole[:cut])
    assert detect(capsys, "photos", "-o", "some.jsonl", "--resume")[0] == 0
    assert Path("some.jsonl").read_bytes() == whole
    assert not Path("some.jsonl.partial").exists()


def test_a_finished_run_is_not_done_again(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    detect(capsys, "photos", "-o", "all.jsonl")
    whole = Path("all.jsonl").read_bytes()
    code, _, err = detect(capsys, "photos", "-o", "all.jsonl", "--resume")
    assert code == 0 and "0 photos" in err and Path("all.jsonl").read_bytes() == whole
    assert detect(capsys, "photos", "--resume")[0] == 2


@pytest.mark.parametrize(
    ("condition", "code"),
    [("red>0", 1), ("red>1", 0), ("*>=3", 1), ("blue==1", 1), ("green<1", 0), ("rde>0", 2), ("red", 2)],
)
def test_gates_fail_after_all_is_written(
    condition: str, code: int, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, lines, _ = detect(capsys, "photos", "--fail-if", condition)
    assert found == code and len(lines) == (0 if code == 2 else 3)


def test_classes_can_be_chosen(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, lines, _ = detect(capsys, "photos", "--classes", "blue,red")
    assert [[found["class"] for found in line["detections"]] for line in lines] == [["red"], ["blue"], []]


def test_details_name_the_model_and_the_time(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, lines, _ = detect(capsys, "photos", "--details")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert all(line["model"] == {"file": "best.safetensors", "sha256": empty} for line in lines)
    assert all(line["seconds"]["total"] >= line["seconds"]["decode"] >= 0 for line in lines)


def test_lines_keep_to_the_schema(photos: Path, capsys: pytest.CaptureFixture[str], valid) -> None:
    (photos / "e.png").touch()
    for words in (["photos"], ["photos", "--details"]):
        for line in detect(capsys, *words)[1]:
            valid("detections", line)


def test_photos_behind_urls(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    files.pipe("/bucket/b.png", photo(0))
    files.pipe("/bucket/a.png", b"")
    code, lines, _ = detect(capsys, "memory://bucket")
    assert code == 0
    assert [(line["image"], len(line.get("detections", "error"))) for line in lines] == [
        ("memory://bucket/a.png", 5),
        ("memory://bucket/b.png", 1),
    ]


def test_names_behind_urls_do_not_lead_out_of_the_results(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bucket may hold an object named `../../a.png`."""
    memory = pytest.importorskip(
        "fsspec.implementations.memory", reason="needs the extra: pip install 'focalcli[remote]'"
    )
    bucket = memory.MemoryFileSystem()
    bucket.store["/climbing/../../up.png"] = memory.MemoryFile(bucket, "/climbing/../../up.png", photo(0))
    code, lines, _ = detect(capsys, "memory://climbing", "--draw", "deep/drawn")
    assert code == 0 and len(lines) == 1 and "error" not in lines[0]
    assert [path.name for path in Path("deep").rglob("*.png")] == ["up.png"]
    assert not Path("up.png").exists() and not Path("deep/up.png").exists()


def test_photos_behind_file_urls_and_a_server(
    photos: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fsspec", reason="needs the extra: pip install 'focalcli[remote]'")
    _, lines, _ = detect(capsys, f"file://{photos}")
    plain = detect(capsys, str(photos))[1]
    assert [line["detections"] for line in lines] == [line["detections"] for line in plain]
    assert [line["image"] for line in lines] == [f"file://{line['image']}" for line in plain]
    pytest.importorskip("aiohttp", reason="http needs aiohttp beside fsspec")
    with served(photos) as address:
        code, lines, _ = detect(capsys, f"{address}/a.png", f"{address}/none.png")
    assert code == 0 and lines[0]["detections"] == plain[0]["detections"] and lines[1]["code"] == "not-found"


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder by HTTP on the loopback device."""
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_protocol_nobody_knows_is_unavailable(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("fsspec")
    code, _, err = detect(capsys, "nosuch://bucket/a.png")
    assert code == 69 and "nosuch://bucket/a.png" in err


def test_a_video_without_pyav_says_what_to_install(
    photos: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    (photos / "clip.mp4").touch()
    code, _, err = detect(capsys, "photos/clip.mp4")
    assert code == 69 and "pip install 'focalcli[video]'" in err


def video(path: Path, frames: int) -> None:
    """Write a video of black frames; frame i has a red square of 16 + 2 i pixels."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 96, 64, "yuv420p", 4_000_000
        for i in range(frames):
            image = np.zeros((64, 96, 3), np.uint8)
            image[8 : 24 + 2 * i, 8 : 24 + 2 * i, 0] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def test_frames_of_a_video_are_photos(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each n-th frame under its own number; a cut video gives the frames before the cut, then an error."""
    pytest.importorskip("av", reason="needs the extra: pip install 'focalcli[video]'")
    video(Path("clip.avi"), 10)
    code, lines, _ = detect(capsys, "clip.avi", "--every", "3", "--draw", "drawn")
    assert code == 0 and [line["image"] for line in lines] == [f"clip.avi#{i}" for i in (0, 3, 6, 9)]
    for line, i in zip(lines, (0, 3, 6, 9), strict=True):
        assert (line["width"], line["height"]) == (96, 64)
        [found] = line["detections"]
        # the codec loses some; a square of 16 + 2 i pixels is found within 3
        assert found["class"] == "red" and np.abs(np.array(found["box"]) - [8, 8, 24 + 2 * i, 24 + 2 * i]).max() <= 3
    assert sorted(path.name for path in Path("drawn").iterdir())[0] == "clip.avi-000000.jpg"
    assert len(detect(capsys, "clip.avi")[1]) == 10
    Path("text.mp4").write_text("no video")
    code, lines, _ = detect(capsys, "text.mp4", "photos/a.png")
    assert code == 0 and "cannot be decoded" in lines[0]["error"] and lines[1]["detections"]
    code, lines, _ = detect(capsys, "clip.avi", "photos/a.png", "--max-pixels", "6143")
    assert code == 0 and "96 x 64 pixels are over the limit of 6143" in lines[0]["error"] and lines[1]["detections"]
    assert len(detect(capsys, "clip.avi", "--max-pixels", "6144")[1]) == 10


@pytest.mark.parametrize("batch", ["auto", "1", "3"])
def test_the_batch_changes_no_line(batch: str, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert detect(capsys, "photos", "--batch", batch)[1] == detect(capsys, "photos")[1]


@pytest.mark.parametrize("batch", ["0", "many", "-1", "1.5"])
def test_a_batch_is_auto_or_a_number(batch: str, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = detect(capsys, "photos", f"--batch={batch}")
    assert code == 2 and "is neither auto nor a whole number >= 1" in err
