import io
import os
import sys
from pathlib import Path

import pytest

from focalcli.errors import DataError, InputNotFound, UsageError
from focalcli.inference.lists import names_in, split_names


@pytest.mark.parametrize(
    ("content", "separator", "expected"),
    [
        (b"", b"\n", []),
        (b"a.jpg\nb c.jpg\n", b"\n", ["a.jpg", "b c.jpg"]),
        (b"a.jpg\n\nb.jpg", b"\n", ["a.jpg", "b.jpg"]),
        (b"new\nline\0b\0", b"\0", ["new\nline", "b"]),
        (b"\xff.jpg\n", b"\n", ["\udcff.jpg"]),
    ],
)
def test_names_are_split(content: bytes, separator: bytes, expected: list[str]) -> None:
    assert list(split_names(io.BytesIO(content), separator=separator)) == expected


def test_names_are_given_as_they_arrive() -> None:
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as stream:
        found = split_names(stream)
        os.write(writing, b"a.jpg\nb.j")
        assert next(found) == "a.jpg"
        os.write(writing, b"pg\n")
        assert next(found) == "b.jpg"
        os.close(writing)
        assert list(found) == []


def test_names_come_from_files_and_pipes_whatever_they_are_separated_by(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"a b.jpg\nc.jpg\n")
    assert list(names_in(tmp_path / "list", null=False)) == ["a b.jpg", "c.jpg"]
    reading, writing = os.pipe()
    os.write(writing, b"new\nline.jpg\0")
    os.close(writing)
    assert list(names_in(f"/dev/fd/{reading}", null=True)) == ["new\nline.jpg"]
    os.close(reading)


def test_a_list_that_cannot_be_read_is_said_before_anything_is_given(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match="none: no such list of names, check the path"):
        names_in(tmp_path / "none", null=False)
    with pytest.raises(DataError, match=r"cannot be read as a list \(is a directory\)"):
        names_in(tmp_path, null=False)


@pytest.mark.parametrize("stream", [None, "terminal"])
def test_standard_input_must_be_there_and_no_terminal(stream: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stdin", stream and terminal)
    with pytest.raises(UsageError, match=r"-: standard input is (closed|a terminal), pipe names into it"):
        names_in("-", null=False)
