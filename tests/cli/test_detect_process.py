"""The program as a process: pipes, signals, full disks; the model is the mock runtime."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.detecting import ENVIRONMENT, PROGRAM, photo, start


@pytest.mark.e2e
def test_a_reader_that_has_enough_ends_it_quietly(photos: Path) -> None:
    for i in range(300):
        os.link(photos / "a.png", photos / f"x{i:03}.png")
    with start("photos") as process:
        assert process.stdout is not None and process.stderr is not None
        assert json.loads(process.stdout.readline())["image"] == "photos/a.png"
        process.stdout.close()
        assert process.stderr.read() == b"model: runs/r/best.safetensors\n"
    assert process.returncode == 141


@pytest.mark.e2e
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_stdout_is_one_line(photos: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*PROGRAM, "photos"], stdout=full, stderr=subprocess.PIPE, env=ENVIRONMENT, check=False)
    assert done.returncode == 74 and b"Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith(b"error: ") and b"no space left" in done.stderr.lower()


LIMITED = "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
LIMITED += "resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300));"


@pytest.mark.e2e
@pytest.mark.parametrize("place", ["found.jsonl", "found.csv", "found"])
def test_a_full_disk_leaves_the_old_results(place: str, photos: Path) -> None:
    """Files of more than 300 bytes cannot be written: what was there stays, no other file comes to be."""
    format = "csv" if place.endswith(".csv") else "jsonl"
    old = Path(place) / "detections.jsonl" if place == "found" else Path(place)
    old.parent.mkdir(exist_ok=True)
    old.write_text("old")
    program = [PROGRAM[0], "-c", LIMITED + PROGRAM[2], *PROGRAM[3:]]
    words = [*program, *["photos"] * 9, "-o", place, "--format", format]
    done = subprocess.run(words, capture_output=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 74 and b"Traceback" not in done.stderr and place.encode() in done.stderr
    assert old.read_text() == "old"
    assert not [path for path in Path().rglob("*") if "tmp" in path.name]


@pytest.mark.e2e
def test_a_killed_run_is_continued_to_the_same_bytes(photos: Path) -> None:
    """kill -9 wherever it is, again and again: the end is that of a run nobody disturbed."""
    for i in range(400):
        os.link(photos / "a.png", photos / f"x{i:03}.png")
    with start("photos", "-o", "whole.jsonl") as process:
        assert process.wait() == 0
    partial, size = Path("some.jsonl.partial"), 0
    for _ in range(3):
        process = start("photos", "-o", "some.jsonl", "--resume")
        while process.poll() is None and (not partial.exists() or partial.stat().st_size <= size):
            os.sched_yield()
        process.kill()
        process.communicate()
        size = partial.stat().st_size if partial.exists() else size
    with start("photos", "-o", "some.jsonl", "--resume") as process:
        assert process.wait() == 0
    assert Path("some.jsonl").read_bytes() == Path("whole.jsonl").read_bytes() and not partial.exists()


@pytest.mark.e2e
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_and_sigterm_leave_whole_lines(number: int, code: int, photos: Path) -> None:
    for i in range(3000):
        os.link(photos / "a.png", photos / f"x{i:04}.png")
    process = start("photos")
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(number)
    rest, err = process.communicate(timeout=60)
    assert process.returncode == code and b"Traceback" not in err
    assert (first + rest).endswith(b"\n")
    lines = [json.loads(line) for line in (first + rest).splitlines()]
    assert 0 < len(lines) < 3003


@pytest.mark.e2e
def test_the_first_line_leaves_before_the_last_name_arrives(photos: Path) -> None:
    (photos / "new\nline \udcff.png").write_bytes(photo(0))
    with start("-", "-0", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        for name in (b"photos/a.png", b"photos/new\nline \xff.png", b"photos/none.png"):
            process.stdin.write(name + b"\0")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["image"] == os.fsdecode(name)
        process.stdin.close()
        assert process.stdout.read() == b""
    assert process.returncode == 0
