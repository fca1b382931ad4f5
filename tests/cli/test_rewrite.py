"""The verbs that write data sets, when the disk fails, a folder vanishes or the process dies: the old files stay."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from focalcli.cli.console import run
from focalcli.files import TEMPORARY_PREFIX
from tests.faults import no_file_over

PROGRAM = "import sys; from focalcli.__main__ import main; sys.exit(main())"
PHOTO = 60_000
"""Bytes of a photo, more or less: over the limit that stands for a full disk, where annotations are under it."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Write a COCO set of three photos and a box twice, which `--fix` repairs."""
    return made(tmp_path / "set", 3)


def made(folder: Path, photos: int) -> Path:
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (130, 150, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "0.png")
    for n in range(1, photos):
        shutil.copyfile(folder / "0.png", folder / f"{n}.png")
    images = [{"id": n + 1, "file_name": f"{n}.png", "width": 150, "height": 130} for n in range(photos)]
    rows = [{"id": n + 1, "image_id": n // 2 + 1, "category_id": 1, "bbox": [1, 2, 30, 40]} for n in range(2 * photos)]
    content = {"images": images, "annotations": rows, "categories": [{"id": 1, "name": "cat"}]}
    (folder / "c.json").write_text(json.dumps(content))
    return folder


VERBS = {
    "convert": ["convert", "SRC", "DST", "--to", "yolo"],
    "split": ["split", "SRC", "DST", "--ratio", "2/1"],
    "merge": ["merge", "SRC", "SRC", "DST"],
    "fix": ["validate", "SRC", "--fix", "DST", "--preset", "none"],
}


def words(verb: str, source: Path, destination: Path, *more: str) -> list[str]:
    places = {"SRC": str(source), "DST": str(destination)}
    return [*(places.get(word, word) for word in VERBS[verb]), *more]


def tree(folder: Path) -> dict[str, str]:
    """Give the SHA-256 of every file below a folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def strays(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(TEMPORARY_PREFIX)]


@pytest.mark.parametrize("verb", [*VERBS, "inspect"])
def test_links_out_of_the_data_set_are_followed_only_when_asked(
    verb: str, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names the option, so every verb has it; `validate` tells it as a finding and goes on."""
    (source / "0.png").rename(tmp_path / "outside.png")
    (source / "0.png").symlink_to(tmp_path / "outside.png")
    order = ["inspect", str(source)] if verb == "inspect" else words(verb, source, tmp_path / "out")
    assert run(order) == (1 if verb == "fix" else 65)
    assert "is a symbolic link out of the data set" in "".join(capsys.readouterr())
    assert run([*order, "--follow-symlinks", "--overwrite"][: -1 if verb == "inspect" else None]) == 0


@pytest.mark.parametrize("verb", VERBS)
def test_a_full_disk_is_74_with_path_and_bytes_and_the_old_files_stay(
    verb: str, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "out" / "old.txt"
    old.parent.mkdir()
    old.write_text("old")
    before = tree(tmp_path)
    with no_file_over(PHOTO // 2):
        assert run(words(verb, source, tmp_path / "out", "--overwrite")) == 74
    size = (source / "0.png").stat().st_size
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"error: {tmp_path / 'out'}/images/") and "0.png: file too large" in error
    assert error.endswith(f"free {size:,} bytes or more; nothing at this name was changed")
    assert tree(tmp_path) == before and strays(tmp_path) == []


@pytest.mark.parametrize("verb", VERBS)
def test_a_place_that_cannot_be_written_is_73_before_anything_is_done(
    verb: str, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("old")
    before = tree(tmp_path)
    for place in (tmp_path / "file" / "out", tmp_path / "file"):
        assert run(words(verb, source, place)) == 73
        assert f"error: {place}: " in capsys.readouterr().err
    assert tree(tmp_path) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("verb", VERBS)
def test_a_read_only_folder_is_73(verb: str, source: Path, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    assert run(words(verb, source, tmp_path / "locked" / "out")) == 73


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("gone", ["destination", "photo"])
def test_what_vanishes_on_the_way_is_named(
    verb: str,
    gone: str,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The folder that is being written, or a photo that was there when it was read."""
    before = tree(tmp_path)
    copy = shutil.copyfile

    def vanish(source: str, target: str) -> str:
        victim = next(tmp_path.glob(f"here/{TEMPORARY_PREFIX}*")) if gone == "destination" else Path(source)
        victim.rename(tmp_path / "away") if victim.exists() else None
        return copy(source, target)

    monkeypatch.setattr(shutil, "copyfile", vanish)
    (tmp_path / "here").mkdir()
    code = run(words(verb, source, tmp_path / "here/out"))
    error = capsys.readouterr().err.splitlines()[-1]
    if gone == "destination":
        assert code == 73 and error.startswith(f"error: {tmp_path / 'here/out'}/images/"), error
    else:
        assert code == 74 and error.startswith(f"error: {source}/") and "cannot be read any more" in error
        (tmp_path / "away").rename(error.partition("error: ")[2].partition(":")[0])
    shutil.rmtree(tmp_path / "away", ignore_errors=True)
    assert tree(tmp_path) == before and list((tmp_path / "here").iterdir()) == []


def test_photos_that_do_not_fit_are_refused_before_the_first(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    needed = sum(path.stat().st_size for path in source.glob("*.png"))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1 << 30, 1 << 30, 1000))
    assert run(words("convert", source, tmp_path / "out")) == 74
    assert f"out: the photos need {needed:,} bytes, 1,000 are free, free some" in capsys.readouterr().err
    assert run(words("convert", source, tmp_path / "out", "--images", "link")) == 0


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 200 kB; skipped where that is not allowed."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk is not allowed here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_is_really_full_is_74_and_is_left_as_it_was(full_disk: Path, tmp_path: Path) -> None:
    """Photos of a set that fits by its sizes, but not with what a disk of pages adds."""
    (full_disk / "old.txt").write_text("old")
    source = made(tmp_path / "set", 3)
    free = shutil.disk_usage(full_disk).free
    size = (source / "0.png").stat().st_size
    (full_disk / "fill").write_bytes(bytes(free - 3 * size - 4096))
    before = tree(full_disk)
    command = [sys.executable, "-c", PROGRAM, *words("convert", source, full_disk / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 74 and "no space left on device" in done.stderr, done.stderr
    assert "bytes or more; nothing at this name was changed" in done.stderr and "Traceback" not in done.stderr
    assert tree(full_disk) == before and strays(full_disk) == []


def test_a_killed_conversion_leaves_the_old_or_the_new_and_the_next_start_clears_up(tmp_path: Path) -> None:
    """Each round is killed when it has begun to write, a random moment later; then all is there, or nothing."""
    source = made(tmp_path / "set", 200)
    place = tmp_path / "here"
    place.mkdir()
    assert run(words("convert", source, tmp_path / "whole", "--images", "link")) == 0
    whole = tree(tmp_path / "whole")
    dice, found = random.Random(0), set()
    for number in range(4):
        if number % 2:
            (place / "out").mkdir(exist_ok=True)
            for path in (place / "out").iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            (place / "out/old.txt").write_text("old")
        else:
            shutil.rmtree(place / "out", ignore_errors=True)
        before = tree(place / "out")
        command = [sys.executable, "-c", PROGRAM, *words("convert", source, place / "out", "--overwrite")]
        killed(command, place, dice.random() * 0.05)
        assert tree(place / "out") in (before, whole)
        found.add(bool(strays(place)))
        done = subprocess.run([*command, "--images", "link"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert tree(place / "out") == whole and strays(place) == []
    assert True in found, "no round was killed while it wrote"


def killed(command: list[str], place: Path, delay: float) -> None:
    """Start a program, wait until its temporary folder appears, and a moment, and kill it."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 30
    while not strays(place) and child.poll() is None and time.monotonic() < end:
        time.sleep(0.001)
    time.sleep(delay)
    child.send_signal(signal.SIGKILL)
    child.wait()


def test_the_same_command_gives_the_same_bytes_whatever_the_order_of_sets(source: Path, tmp_path: Path) -> None:
    """Two processes with other hash seeds, each of which runs every verb and writes every format."""
    code = (
        "import sys; from pathlib import Path; from focalcli.cli.console import run\n"
        "source, out = sys.argv[1:]\n"
        "for to in ('coco', 'createml', 'cvat', 'hf', 'labelme', 'retinanet', 'tfod', 'voc', 'yolo'):\n"
        "    words = ['--to', to, '--allow-lossy', '--report', f'{out}/{to}.json']\n"
        "    assert run(['convert', source, f'{out}/{to}', *words]) == 0\n"
        "assert run(['split', source, f'{out}/split', '--group', 'near-duplicate']) == 0\n"
        "assert run(['merge', source, source, f'{out}/merge', '--to', 'voc']) == 0\n"
        "assert run(['validate', source, '--fix', f'{out}/fix', '--preset', 'none']) == 0\n"
        "assert run(['inspect', source, '--report', f'{out}/inspect.html']) == 0\n"
    )
    trees = []
    for seed in ("1", "2"):
        (tmp_path / "out").mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", code, str(source), str(tmp_path / "out")]
        subprocess.run(command, env=environment, check=True, capture_output=True)
        trees.append(tree(tmp_path / "out"))
        shutil.rmtree(tmp_path / "out")
    assert trees[0] == trees[1] and len(trees[0]) > 60


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("convert SRC LONG --to coco", 73),
        ("convert SRC LONG/in --to coco", 73),
        ("convert SRC LONG.csv --to tfod", 73),
        ("config init -o LONG.toml", 73),
        ("train SRC --weights none --freeze backbone --cache-features LONG --dry-run", 73),
        ("convert LONG DST --to coco", 66),
        ("inspect SRC --images LONG", 66),
        ("detect SRC --model LONG", 66),
        ("evaluate SRC --predictions LONG", 66),
        ("train SRC --weights LONG --epochs 1", 66),
        ("train --resume -o LONG", 66),
    ],
)
def test_a_name_that_is_too_long_is_an_output_or_an_input(
    line: str, code: int, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be created is 73, what cannot be there is 66; neither is a failing disk."""
    monkeypatch.chdir(tmp_path)
    places = {"SRC": str(source), "DST": "out", "LONG": "n" * 300}
    for word, place in places.items():
        line = line.replace(word, place)
    assert run(line.split()) == code
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
