"""Every data set is untrusted: each row of the list of threats, refused with one line and nothing written outside."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from focalcli.dataset import source as source_module
from focalcli.dataset.convert import convert
from focalcli.dataset.format import ReadOptions
from focalcli.dataset.read import read_dataset
from focalcli.dataset.types import Dataset
from focalcli.errors import CannotWrite, DataError, FocalError

EVIL_NAMES = [
    "../../victim/x.jpg",
    "/etc/passwd",
    "a/../../x.jpg",
    "..\\..\\x.jpg",
    "C:\\x.jpg",
    "C:x.jpg",
    "\\\\server\\share\\x.jpg",
    "a\0b.jpg",
    "a\nb.jpg",
    "\x1b[31mred.jpg",
    "a\u202egpj.exe",
    "",
    ".",
]


def document(name: str, **more: Any) -> dict[str, Any]:
    image = {"id": 1, "file_name": name, "width": 200, "height": 100, **more}
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}
    return {"images": [image], "annotations": [box], "categories": [{"id": 1, "name": "cat"}]}


@contextmanager
def refused(*words: str, kind: type[FocalError] = DataError) -> Iterator[None]:
    """Expect one printable line that holds these words, within a second."""
    start = time.perf_counter()
    with pytest.raises(kind) as caught:
        yield
    line = str(caught.value)
    assert all(word in line for word in words), line
    assert line.isprintable() and "\n" not in line
    assert time.perf_counter() - start < 1.0 or os.getloadavg()[0] > os.cpu_count()


def files_outside(folder: Path, *inside: str) -> list[str]:
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if not name.startswith(inside))


# Path traversal on write


@pytest.mark.parametrize("name", EVIL_NAMES)
def test_a_file_name_that_leads_out_is_refused_by_the_reader(folder: Any, name: str) -> None:
    path = folder.json("c.json", document(name))
    with refused("c.json: image id 1: the file name"):
        read_dataset(path)


@pytest.mark.parametrize("to", ["coco", "voc", "yolo"])
@pytest.mark.parametrize(
    "name", ["../x.jpg", "/tmp/x.jpg", "C:x.jpg", "con.jpg", "a/NUL", "x.jpg.", "a\x07.jpg", "a:b.jpg"]
)
def test_the_writer_refuses_what_a_reader_let_through(folder: Any, tmp_path: Path, name: str, to: str) -> None:
    """As a third party's reader may: the sink does not rely on ours."""
    from dataclasses import replace

    photo = folder.photo("fine.jpg")
    dataset = read_dataset(folder.json("c.json", document("fine.jpg")))
    evil = replace(dataset, images=(dataset.images[0].but(key=name, path=photo),))
    before = files_outside(tmp_path)
    with refused("so it is not written, rename the image"):
        convert(evil, tmp_path / "out", to=to)
    assert files_outside(tmp_path) == before


# Path traversal on read


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Write a photo outside the data set."""
    from PIL import Image

    path = tmp_path / "secret" / "s.jpg"
    path.parent.mkdir()
    Image.new("RGB", (200, 100)).save(path)
    return path


def test_a_photo_behind_a_link_out_is_refused(folder: Any, secret: Path) -> None:
    (folder / "x.jpg").symlink_to(secret)
    path = folder.json("c.json", document("x.jpg"))
    with refused("x.jpg: is a symbolic link out of the data set", "--follow-symlinks"):
        read_dataset(path)
    followed = read_dataset(path, options=ReadOptions(follow_symlinks=True))
    assert followed.images[0].path == folder / "x.jpg"


def test_a_folder_behind_a_link_out_is_refused(folder: Any, secret: Path) -> None:
    (folder / "images").symlink_to(secret.parent)
    dataset = read_dataset(folder.json("c.json", document("s.jpg")))
    assert dataset.images[0].path is None
    with refused("images: is a symbolic link out of the data set"):
        read_dataset(folder.json("d.json", document("images/s.jpg")))


@pytest.mark.parametrize("kind", ["voc", "yolo"])
def test_links_out_are_refused_in_the_other_formats_too(folder: Any, secret: Path, kind: str) -> None:
    folder.text("data.yaml", "train: images\nval: images\nnames: [cat]\n")
    folder.text("labels/a.txt", "0 .5 .5 .1 .1\n")
    folder.text("images/a.xml", "<annotation><filename>a.jpg</filename></annotation>")
    (folder / "images/a.jpg").symlink_to(secret)
    with refused("is a symbolic link out of the data set"):
        read_dataset(folder.path, format=kind)


def test_an_annotation_file_behind_a_link_out_is_refused(folder: Any, tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text("0 .5 .5 .1 .1\n")
    folder.photo("images/a.jpg")
    (folder / "labels").mkdir()
    (folder / "labels/a.txt").symlink_to(tmp_path / "passwd")
    folder.text("data.yaml", "train: images\nval: images\nnames: [cat]\n")
    with refused("a.txt: is a symbolic link out of the data set"):
        read_dataset(folder.path)


def test_a_link_that_stays_inside_is_fine(folder: Any) -> None:
    photo = folder.photo("store/y.jpg")
    (folder / "x.jpg").symlink_to(photo)
    assert read_dataset(folder.json("c.json", document("x.jpg"))).images[0].path == folder / "x.jpg"


def test_links_in_a_circle_end(folder: Any) -> None:
    folder.photo("images/a.jpg")
    folder.text("labels/a.txt", "")
    (folder / "images/loop").symlink_to(folder / "images")
    folder.text("data.yaml", "train: images\nval: images\nnames: [cat]\n")
    assert [image.key for image in read_dataset(folder.path).images] == ["a.jpg"]


# YAML


def yolo_with(folder: Any, yaml: str) -> Path:
    folder.photo("images/a.jpg")
    return folder.text("data.yaml", "train: images\nval: images\n" + yaml)


@pytest.mark.parametrize(
    "yaml",
    [
        "names: !!python/object/apply:os.system ['touch pwned']\n",
        "names: !custom [cat]\n",
        "a: &a [cat]\nnames: *a\n",
    ],
)
def test_yaml_tags_anchors_and_aliases_are_refused(folder: Any, yaml: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.path)
    with refused("data.yaml: line 3: YAML anchors, aliases and tags are refused"):
        read_dataset(yolo_with(folder, yaml))
    assert not (folder / "pwned").exists()


def test_an_alias_bomb_is_refused(folder: Any) -> None:
    levels = "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    with refused("aliases"):
        read_dataset(yolo_with(folder, "a: &a [x]\n" + levels + "names: *i\n"))


def test_a_download_script_is_only_text(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.path)
    script = "download: |\n  from pathlib import Path\n  Path('pwned').touch()\n"
    assert len(read_dataset(yolo_with(folder, "names: [cat]\n" + script)).images) == 1
    assert not (folder / "pwned").exists()


def test_a_yaml_file_over_a_mebibyte_is_refused(folder: Any) -> None:
    with refused("data.yaml: is over the limit of 1 MiB"):
        read_dataset(yolo_with(folder, "names: [cat]\n" + "#" * (1 << 20)))


def test_deep_yaml_is_refused(folder: Any) -> None:
    with refused("data.yaml"):
        read_dataset(yolo_with(folder, "names: " + "[" * 50_000))


# XML

BOMB = '<!DOCTYPE b [<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    "doctype",
    [
        BOMB + "]>",
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
        "<!DOCTYPE annotation>",
    ],
    ids=["billion laughs", "external entity", "external DTD", "harmless"],
)
def test_a_document_type_is_refused(folder: Any, doctype: str) -> None:
    folder.photo("a.jpg")
    folder.text("a.xml", f"<?xml version='1.0'?>{doctype}<annotation><filename>&a;</filename></annotation>")
    with refused("a.xml: has a document type or entities, which are refused"):
        read_dataset(folder.path, format="voc")


def test_a_long_xml_file_is_refused_unread(folder: Any) -> None:
    path = folder.text("a.xml", "<annotation></annotation>")
    os.truncate(path, (64 << 20) + 1)
    with refused("a.xml: is over the limit of 64 MiB"):
        read_dataset(folder.path)


def test_deep_xml_is_refused_or_read_but_never_a_crash(folder: Any) -> None:
    folder.text("a.xml", "<annotation>" + "<a>" * 100_000 + "</a>" * 100_000 + "</annotation>")
    with refused("a"):
        read_dataset(folder.path)


# JSON


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_json_is_refused(folder: Any, opening: str) -> None:
    content = '{"images": [], "categories": [], "annotations": [], "x": ' + opening * 200_000
    with refused("c.json: is"):
        read_dataset(folder.text("c.json", content))


def test_a_json_file_over_its_cap_is_refused_unread(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(source_module.CAPS, ".json", 1 << 20)
    path = folder.json("c.json", {**document("a.jpg"), "x": " " * (1 << 20)})
    with refused("c.json: is over the limit of 1 MiB"):
        read_dataset(path)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "99999999999999999999999999"])
def test_numbers_beyond_all_bounds_do_not_pass(folder: Any, number: str) -> None:
    text = json.dumps(document("a.jpg")).replace("[1, 2, 3, 4]", f"[1, 2, {number}, 4]")
    path = folder.text("c.json", text)
    try:
        boxes = read_dataset(path).boxes
    except DataError:
        return
    assert (boxes.xyxy[:, 2] <= 200).all()


# Photos


def test_a_photo_over_max_pixels_is_refused_by_its_header(folder: Any) -> None:
    """A JPEG frame header of 60000 x 60000 in 51 bytes."""
    folder.text("images/a.jpg", b"\xff\xd8\xff\xc0\0\x11\x08" + (60000).to_bytes(2, "big") * 2 + bytes(40))
    folder.text("labels/a.txt", "0 .5 .5 .1 .1\n")
    folder.text("data.yaml", "train: images\nval: images\nnames: [cat]\n")
    with refused("60000 x 60000 pixels are over --max-pixels 178956970"):
        read_dataset(folder.path)
    with refused("over --max-pixels 100"):
        read_dataset(folder.path, options=ReadOptions(max_pixels=100))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xd8",
        b"no photo at all",
        b"\x89PNG\r\n\x1a\n\0",
        b'<?xml version="1.0"?><!DOCTYPE s [<!ENTITY a "a">]><svg width="&a;" height="1"/>',
        b"\xff\xd8\xff\xe1\xff\xff" + b"Exif\0\0MM\0*\xff\xff\xff\xff" * 99,
        b"II*\0\xff\xff\xff\xff",
        b"RIFF\0\0\0\0WEBPVP8X",
        b"http://127.0.0.1:9/x.jpg",
    ],
    ids=["empty", "JPEG cut", "text", "PNG cut", "SVG", "bad EXIF", "bad TIFF", "WebP cut", "URL"],
)
def test_damaged_photos_are_one_line(folder: Any, content: bytes) -> None:
    folder.text("images/a.jpg", content)
    folder.text("labels/a.txt", "")
    folder.text("data.yaml", "train: images\nval: images\nnames: [cat]\n")
    with refused("a.jpg: cannot be read as a photo"):
        read_dataset(folder.path)


# Text


@pytest.mark.parametrize("name", ["cat\x1b[31m", "cat\x00", "a\nb", "x\u202ey"])
def test_control_characters_in_class_names_are_refused(folder: Any, name: str) -> None:
    content = document("a.jpg")
    content["categories"][0]["name"] = name
    with refused("has control characters"):
        read_dataset(folder.json("c.json", content))


def test_a_label_file_that_is_binary_is_one_line(folder: Any) -> None:
    path = yolo_with(folder, "names: [cat]\n")
    folder.text("labels/a.txt", bytes(range(256)) * 20)
    with refused("labels/a.txt: is not UTF-8 text"):
        read_dataset(path)


# The destination


def dataset_in(folder: Any) -> Dataset:
    folder.photo("a.jpg")
    return read_dataset(folder.json("c.json", document("a.jpg")))


def test_names_that_clash_on_a_disk_without_case_are_told_apart(folder: Any, tmp_path: Path) -> None:
    """Also é as one character and as e with an accent."""
    names = ["A.jpg", "a.JPG", "\u00e9.jpg", "e\u0301.jpg"]
    images = [{"id": i, "file_name": n, "width": 9, "height": 9} for i, n in enumerate(names)]
    path = folder.json("c.json", {"images": images, "annotations": [], "categories": []})
    report = convert(read_dataset(path), tmp_path / "out", to="coco")
    assert report.renamed == {"a.JPG": "a-1.JPG", "e\u0301.jpg": "e\u0301-1.jpg"}


def test_folders_that_clash_on_a_disk_without_case_are_refused(folder: Any, tmp_path: Path) -> None:
    images = [{"id": i, "file_name": n, "width": 9, "height": 9} for i, n in enumerate(["A/1.jpg", "a/2.jpg"])]
    for name in ("A/1.jpg", "a/2.jpg"):
        folder.photo(name)
    path = folder.json("c.json", {"images": images, "annotations": [], "categories": []})
    with refused("clashes with the folder images/A"):
        convert(read_dataset(path), tmp_path / "out", to="coco")


def test_a_folder_that_holds_something_is_kept_without_overwrite(folder: Any, tmp_path: Path) -> None:
    dataset = dataset_in(folder)
    keep = tmp_path / "out" / "mine.txt"
    keep.parent.mkdir()
    keep.write_text("mine")
    with refused("exists and is not an empty folder", kind=CannotWrite):
        convert(dataset, tmp_path / "out", to="yolo")
    assert keep.read_text() == "mine"
    convert(dataset, tmp_path / "out", to="yolo", overwrite=True)
    assert not keep.exists() and (tmp_path / "out/data.yaml").exists()


@pytest.mark.parametrize("target", ["", "out", "images/out", ".."])
def test_the_source_is_never_written_to(folder: Any, target: str) -> None:
    folder.photo("images/a.jpg")
    folder.json("c.json", document("a.jpg"))
    dataset = read_dataset(folder.path)
    before = {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}
    with refused("the source", kind=CannotWrite):
        convert(dataset, folder / target, to="yolo", overwrite=True)
    assert {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()} == before


def test_an_interrupted_conversion_leaves_nothing(folder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from focalcli.dataset.sink import Sink

    dataset = dataset_in(folder)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Sink, "text", interrupt)
    with pytest.raises(KeyboardInterrupt):
        convert(dataset, tmp_path / "out", to="yolo")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


def test_refusals_take_less_than_200_megabytes(folder: Any) -> None:
    """In a process of its own: the bombs above, with what numpy and Python take by themselves included."""
    folder.text("a.xml", f"<?xml version='1.0'?>{BOMB}]><annotation>&j;</annotation>")
    folder.text("big/a.xml", "<annotation/>")
    os.truncate(folder / "big/a.xml", 8 << 30)
    code = (
        "import sys; from focalcli.cli.console import run\n"
        "codes = [run(['convert', path, 'out', '--to', 'coco']) for path in sys.argv[1:]]\n"
        # ru_maxrss would begin with the peak of the process that started this one.
        "peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))\n"
        "print(codes, int(peak.split()[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder / "a.xml"), str(folder / "big")],
        capture_output=True,
        text=True,
        cwd=folder.path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
    )
    codes, _, kilobytes = done.stdout.rpartition(" ")
    assert codes == "[65, 65]" and int(kilobytes) < 200_000, done.stdout + done.stderr


def test_a_name_too_long_for_any_folder_is_no_folder(tmp_path: Path) -> None:
    """A data set names its splits as it likes, and photos are looked for in folders of these names."""
    source = source_module.Source(tmp_path)
    assert source.folders(tmp_path / ("long" * 100), tmp_path) == [tmp_path]
    assert source.find("long" * 100 + "/a.jpg", [tmp_path]) is None
