"""Lists of names, in a file or a pipe or on standard input, given as they arrive."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from focalcli.errors import DataError, InputNotFound, UsageError

STANDARD_INPUT = "-"


def names_in(place: str | Path, *, null: bool) -> Iterator[str]:
    """Give the names in a file or pipe, `-` being standard input, one a line, or with `null` each before a NUL byte.

    Raises:
        InputNotFound: there is no such file; at once, as all of these.
        DataError: it cannot be read.
        UsageError: standard input is a terminal, or closed.
    """
    stream = _standard_input() if str(place) == STANDARD_INPUT else _opened(Path(place))
    return split_names(stream, separator=b"\0" if null else b"\n")


def split_names(stream: BinaryIO, *, separator: bytes = b"\n") -> Iterator[str]:
    """Give the names in an unbuffered stream as they arrive, of any bytes; empty ones are passed over."""
    rest = b""
    with stream:
        while chunk := stream.read(65536):
            *names, rest = (rest + chunk).split(separator)
            yield from (os.fsdecode(name) for name in names if name)
    if rest:
        yield os.fsdecode(rest)


def _standard_input() -> BinaryIO:
    if sys.stdin is None:
        raise UsageError(STANDARD_INPUT, "standard input is closed", "pipe names into it, for example from find")
    if sys.stdin.isatty():
        raise UsageError(STANDARD_INPUT, "standard input is a terminal", "pipe names into it, for example from find")
    # Not sys.stdin.buffer: a thread that waits in it would keep the program from ending.
    return open(0, "rb", buffering=0, closefd=False)


def _opened(path: Path) -> BinaryIO:
    """Open a list; a pipe is one too: --files-from <(find photos)."""
    try:
        return open(path, "rb", buffering=0)
    except FileNotFoundError as error:
        raise InputNotFound(path, "no such list of names", "check the path") from error
    except OSError as error:
        raise DataError(path, f"cannot be read as a list ({(error.strerror or str(error)).lower()})") from error
