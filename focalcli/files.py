"""The one place where files come into being: written beside their place, synced, renamed into it.

Readers therefore see the old file or the new one, never half of one. Untrusted files are opened here, too, so that no
pipe is waited for. It knows nothing about what is in the files.
"""

import errno
import os
import shutil
import stat
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from focalcli.errors import CannotWrite, FocalError, IoError

TEMPORARY_PREFIX = ".focalcli-tmp-"

_OLD = "old"
_SWEPT: set[str] = set()
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


def write_error(path: Path, error: OSError, *, needed: int = 0, option: str = "-o") -> FocalError:
    """Name the error of a failed write: a full disk is an I/O error (74), anything else cannot be created (73).

    `needed`: the bytes that were to be written, where known; `option`: the flag that names the place.
    """
    fact = error.strerror or str(error)
    if error.errno in _NO_SPACE:
        space = f"free {needed:,} bytes or more" if needed else "free some space"
        return IoError(path, fact.lower(), f"{space}; nothing at this name was changed")
    return CannotWrite(path, f"cannot write here ({fact.lower()})", f"choose another place with {option}")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it to `path` when the block ends well, remove it when it does not.

    Raises:
        CannotWrite: the folder cannot be created or written.
        IoError: the disk is full or failed.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        handle, name = tempfile.mkstemp(prefix=_prefix(), suffix=path.suffix, dir=path.parent)
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
    try:
        if path.exists() and not overwrite and (not path.is_dir() or any(path.iterdir())):
            raise CannotWrite(path, "exists and is not an empty folder", "name another folder or add --overwrite")
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        temporary = Path(tempfile.mkdtemp(prefix=_prefix(), dir=path.parent))
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
        try:
            temporary.write_bytes(content)
        except OSError as error:
            raise write_error(path, error, needed=len(content)) from error


def write_text(path: Path, content: str) -> None:
    """Put `content` at `path` atomically, as UTF-8. Raises as `replacing` does."""
    write_bytes(path, content.encode("utf-8", "surrogateescape"))


def _exchange_folder(temporary: Path, path: Path) -> None:
    """Move the finished folder into place; what was there goes only after the new one stands."""
    if not path.exists():
        os.rename(temporary, path)
        return
    if _exchanged(temporary, path):  # the old one now has the temporary name, and is removed with it
        return
    old = Path(tempfile.mkdtemp(prefix=_prefix(), dir=path.parent))
    os.rename(path, old / _OLD)
    os.rename(temporary, path)
    shutil.rmtree(old, ignore_errors=True)


def _exchanged(temporary: Path, path: Path) -> bool:
    """Exchange two names in one step, so that there is no moment without the old or the new; Linux alone can."""
    if sys.platform != "linux":
        return False
    import ctypes

    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return rename is not None and rename(here, os.fsencode(temporary), here, os.fsencode(path), exchange) == 0


def _prefix() -> str:
    """Give how the names of this process's temporary files begin: they say on which machine it runs, and its number."""
    machine = zlib.crc32(os.uname().nodename.encode()) if hasattr(os, "uname") else 0
    return f"{TEMPORARY_PREFIX}{machine:08x}-{os.getpid()}-"


def _sweep(folder: Path) -> None:
    """Remove what processes of this machine that were killed have left in a folder; it is looked at once."""
    if os.name == "nt" or str(folder) in _SWEPT:  # os.kill ends a process there
        return
    _SWEPT.add(str(folder))
    mine = _prefix().rsplit("-", 2)[0] + "-"
    for entry in list(os.scandir(folder)):
        number = entry.name.removeprefix(mine).partition("-")[0]
        if entry.name.startswith(mine) and number.isdecimal() and not _runs(int(number)):
            if not entry.is_dir(follow_symlinks=False):
                Path(entry.path).unlink(missing_ok=True)
            elif not os.path.lexists(f"{entry.path}/{_OLD}"):  # what was there before is never thrown away
                shutil.rmtree(entry.path, ignore_errors=True)


def _runs(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


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
