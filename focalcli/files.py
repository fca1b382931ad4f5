"""The one place where files come into being: written beside their place, synced, renamed into it.

Readers therefore see the old file or the new one, never half of one. Untrusted files are opened here, too, so that no
pipe is waited for. It knows nothing about what is in the files.
"""

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from focalcli.errors import CannotWrite, FocalError, IoError

TEMPORARY_PREFIX = ".focalcli-tmp-"

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class NotRegular(OSError):
    """A pipe, a folder or a device where a file is wanted; `kind` says which, with its article."""

    def __init__(self, mode: int) -> None:
        self.kind = "a folder" if stat.S_ISDIR(mode) else "a pipe" if stat.S_ISFIFO(mode) else "a device"
        super().__init__(errno.EINVAL, f"is {self.kind}, not a file")


def open_regular(path: str | Path) -> BinaryIO:
    """Open a file for reading without ever waiting for it.

    Raises:
        NotRegular: it is no regular file.
        OSError: it is not there or may not be read.
    """
    # O_NONBLOCK: opening a named pipe that nobody writes to would wait for ever.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise NotRegular(mode)
    return os.fdopen(descriptor, "rb")


def write_error(path: Path, error: OSError) -> FocalError:
    """Name the error of a failed write: a full disk is an I/O error (74), anything else cannot be created (73)."""
    fact = error.strerror or str(error)
    if error.errno in _NO_SPACE:
        return IoError(path, fact.lower(), "free some space; nothing at this name was changed")
    return CannotWrite(path, f"cannot write here ({fact.lower()})", "choose another place with -o")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it to `path` when the block ends well, remove it when it does not.

    Raises:
        CannotWrite: the folder cannot be created or written.
        IoError: the disk is full or failed.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f"{TEMPORARY_PREFIX}{os.getpid()}-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise write_error(path, error) from error
    temporary = Path(name)
    try:
        yield temporary
        _sync(temporary)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
        _sync(path.parent)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; rename it to `path` when the block ends well, remove it when it does not.

    Raises:
        CannotWrite: `path` holds something and `overwrite` is off, or the parent cannot be written.
        IoError: the disk is full or failed.
    """
    if path.exists() and not overwrite and (not path.is_dir() or any(path.iterdir())):
        raise CannotWrite(path, "exists and is not an empty folder", "name another folder or add --overwrite")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f"{TEMPORARY_PREFIX}{os.getpid()}-", dir=path.parent))
        os.chmod(temporary, 0o777 & ~_umask())
    except OSError as error:
        raise write_error(path, error) from error
    try:
        yield temporary
        _exchange_folder(temporary, path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Put `content` at `path` atomically. Raises as `replacing` does."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Put `content` at `path` atomically, as UTF-8. Raises as `replacing` does."""
    write_bytes(path, content.encode("utf-8", "surrogateescape"))


def _exchange_folder(temporary: Path, path: Path) -> None:
    """Move the finished folder into place; what was there goes only after the new one stands."""
    if not path.exists():
        os.rename(temporary, path)
        return
    old = Path(tempfile.mkdtemp(prefix=f"{TEMPORARY_PREFIX}{os.getpid()}-", dir=path.parent))
    os.rename(path, old / "old")
    os.rename(temporary, path)
    shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
