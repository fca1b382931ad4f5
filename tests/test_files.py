"""Writing: the old file or the new one, never half of one, and no trace of an attempt."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from focalcli.errors import CannotWrite
from focalcli.files import replacing, replacing_folder, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_whole(tmp_path: Path) -> None:
    write_text(tmp_path / "deep" / "a.txt", "ä")
    assert (tmp_path / "deep" / "a.txt").read_bytes() == "ä".encode()
    assert names(tmp_path / "deep") == ["a.txt"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("half of the n")
        raise ZeroDivisionError
    assert (tmp_path / "a.txt").read_text() == "old" and names(tmp_path) == ["a.txt"]


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_a_folder_that_is_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match="cannot write here"):
        write_text(tmp_path / "file" / "a.txt", "x")


def test_a_full_folder_is_not_replaced_unless_asked(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_text(tmp_path / "out" / "mine", "x")
    with pytest.raises(CannotWrite, match="not an empty folder"), replacing_folder(tmp_path / "out"):
        pass
    with replacing_folder(tmp_path / "out", overwrite=True) as temporary:
        (temporary / "new").write_text("y")
    assert names(tmp_path) == ["out"] and names(tmp_path / "out") == ["new"]


def test_a_folder_that_was_not_finished_is_gone(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), replacing_folder(tmp_path / "out") as temporary:
        (temporary / "a").write_text("")
        raise ZeroDivisionError
    assert names(tmp_path) == []


def test_a_full_disk_keeps_the_old_file(tmp_path: Path) -> None:
    """A limit on file sizes stands for the full disk: exit code 74's error, old content, nothing left over."""
    write_text(tmp_path / "a.txt", "old")
    code = (
        "import sys; from pathlib import Path\n"
        "from focalcli.files import write_bytes; from focalcli.errors import IoError\n"
        "try: write_bytes(Path(sys.argv[1]), bytes(100_000))\n"
        "except IoError as error: print(error)"
    )

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    command = [sys.executable, "-c", code, str(tmp_path / "a.txt")]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit, check=True)
    assert "file too large" in done.stdout and "nothing at this name was changed" in done.stdout
    assert (tmp_path / "a.txt").read_text() == "old" and names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("write", [replacing, replacing_folder])
def test_a_name_that_is_too_long_cannot_be_written(
    write: Callable[[Path], AbstractContextManager[Path]], tmp_path: Path
) -> None:
    with pytest.raises(CannotWrite, match="cannot write here"), write(tmp_path / ("n" * 300)) as temporary:
        temporary.touch()
    assert names(tmp_path) == []
