"""The one place where a converted data set is written: safe names, no clashes, photos copied or linked.

A sink writes into a folder that `files.replacing_folder` moves into place when all is done; without a folder it only
keeps account, for a dry run.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from focalcli.dataset.names import folded, portable
from focalcli.dataset.types import Image
from focalcli.errors import DataError, IoError
from focalcli.files import write_error

Transfer = Literal["copy", "link", "symlink", "none"]
Level = Literal["high", "medium", "info"]


@dataclass(frozen=True, slots=True)
class Loss:
    """Something the target does not carry: how bad, what, and how many."""

    level: Level
    what: str
    count: int = 1


class Sink:
    """Takes the files of one data set into `root`, a folder or with `single` the one file; None is a dry run.

    `place` is what the root will be called, for messages. `renamed` maps the keys of images that could not keep their
    name.
    """

    def __init__(self, root: Path | None, place: Path, transfer: Transfer = "copy", *, single: bool = False) -> None:
        self.place = place
        self.transfer = transfer
        self.single = single
        self.losses: list[Loss] = []
        self.renamed: dict[str, str] = {}
        self._root = None if root is None else os.fspath(root)
        self._names: dict[str, str] = {}
        self._folders: dict[str, str] = {}

    @property
    def written(self) -> list[str]:
        """Give the relative paths of all files so far."""
        return list(self._names.values())

    def text(self, name: str, content: str) -> None:
        """Write a text file at a relative path, as UTF-8. Raises as `bytes`."""
        self.bytes(name, content.encode("utf-8", "surrogateescape"))

    def bytes(self, name: str, content: bytes) -> None:
        """Write a file at a relative path.

        Raises:
            DataError: the path leads out, cannot exist on every system, or clashes with one written before.
            CannotWrite, IoError: the disk says no.
        """
        path = self._claim(name)
        if path is None:
            return
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if self.single else os.O_EXCL), 0o666)
            try:
                view = memoryview(content)
                while view:
                    view = view[os.write(descriptor, view) :]
            finally:
                os.close(descriptor)
        except OSError as error:
            raise write_error(self.place / name, error, needed=len(content)) from error

    def image(self, image: Image, name: str) -> None:
        """Bring the photo of `image` to a relative path, as `--images` says; one that is not there is left out.

        Raises as `bytes`.
        """
        if self.transfer == "none" or image.path is None:
            return
        path = self._claim(name)
        if path is None:
            return
        try:
            _transfer(os.path.abspath(image.path), path, self.transfer)
        except OSError as error:
            size = _size(image.path)
            if size is None:
                raise IoError(image.path, "cannot be read any more", "run it again when the photo is back") from error
            raise write_error(self.place / name, error, needed=size) from error

    def loss(self, level: Level, what: str, count: int = 1) -> None:
        """Note what could not be kept; nothing where `count` is 0."""
        if count:
            self.losses.append(Loss(level, what, count))

    def _claim(self, name: str) -> str | None:
        """Check a relative path, take its name, and give where to write it; None in a dry run."""
        try:
            safe = portable(name)
        except ValueError as error:
            raise DataError(repr(name), f"the name {error}, so it is not written", "rename the image") from None
        key = folded(safe)
        if (other := self._names.get(key)) is not None:
            fact = f"would be written twice, also for {other}" if other != safe else "would be written twice"
            raise DataError(safe, fact, "rename one of the images")
        self._names[key] = safe
        folder, _, _ = safe.rpartition("/")
        if folder not in self._folders:
            self._make(folder)
        if self._root is None or self.single:
            assert not self.single or len(self._names) == 1, "a destination of one file takes one file"
            return self._root
        return f"{self._root}/{safe}"

    def _make(self, folder: str) -> None:
        """Create a folder, refusing one that differs from another only in case or Unicode form."""
        parts = folder.split("/") if folder else []
        for depth in range(len(parts) + 1):
            path = "/".join(parts[:depth])
            for known in self._folders:
                if known != path and folded(known) == folded(path):
                    raise DataError(path, f"clashes with the folder {known} on disks that ignore case", "rename it")
            self._folders[path] = path
        if self._root is not None and not self.single:
            try:
                os.makedirs(f"{self._root}/{folder}", exist_ok=True)
            except OSError as error:
                raise write_error(self.place / folder, error) from error


def _size(path: Path) -> int | None:
    """Give the bytes of a file; None where it is gone or may not be read."""
    try:
        return os.path.getsize(path) if os.access(path, os.R_OK) else None
    except OSError:
        return None


def _transfer(source: str, target: str, how: Transfer) -> None:
    """Copy or link one photo; a hard link across devices becomes a copy."""
    if how == "symlink":
        os.symlink(source, target)
        return
    if how == "link":
        try:
            os.link(os.path.realpath(source), target)
            return
        except OSError:
            pass
    shutil.copyfile(source, target)
