"""Which photos are meant: files, folders, globs and lists become one lazy sequence, in a stable order."""

import glob
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath
from typing import BinaryIO

from focalcli.errors import DataError, InputNotFound
from focalcli.files import TEMPORARY_PREFIX
from focalcli.images.decode import Pixels, read_image
from focalcli.images.sizes import MAX_PIXELS, is_photo_name

Folder = tuple[int, int]  # device and inode: the same folder under any name


@dataclass(frozen=True, slots=True)
class Source:
    """A photo by the name it was given, how to read it, and its place in a tree of outputs.

    `read` raises FocalError where there is no photo to be had.
    """

    name: str
    read: Callable[[], Pixels]
    place: PurePath


@dataclass(frozen=True, slots=True)
class Finder:
    """Turns paths into sources. `skip` is a folder that is never read: the one the results go to."""

    max_pixels: int = MAX_PIXELS
    skip: Path | None = None

    def named(self, words: Iterable[str]) -> Iterator[Source]:
        """Give the photos of each word: a file, a folder with all below it, or a glob that is none of both.

        Raises:
            InputNotFound: a word names nothing; before anything is given.
        """
        paths = [path for word in words for path in _expand(word)]
        return (source for path in paths for source in self.found(path, alone=len(paths) == 1))

    def listed(self, paths: Iterable[str]) -> Iterator[Source]:
        """Give the photos of each path as it comes; one that names nothing becomes a source that says so."""
        for path in paths:
            yield from self.found(path, alone=False)

    def found(self, path: str, *, alone: bool) -> Iterator[Source]:
        """Give the photo at a path, or in name order all below it; places are relative to a folder named `alone`."""
        if not _is_folder(path) or is_photo_name(path):
            yield self._source(path, _place(path))
            return
        skip = (folder_id(self.skip),) if self.skip and self.skip.is_dir() else ()
        for below in self._below(path, skip):
            place = PurePath(os.path.relpath(below.name, path)) if alone else _place(below.name)
            yield Source(below.name, below.read, place)

    def _below(self, folder: str, above: tuple[Folder, ...]) -> Iterator[Source]:
        """Give the photos below a folder; a folder that cannot be listed becomes a source that says so."""
        try:
            here = folder_id(folder)
            entries = sorted(os.listdir(folder))
        except OSError as error:
            yield _failing(folder, f"cannot be listed ({(error.strerror or str(error)).lower()})", "check it")
            return
        for name in entries:
            path = os.path.join(folder, name)
            if is_photo_name(name) and not name.startswith(TEMPORARY_PREFIX):
                yield self._source(path, PurePath(name))
            elif _is_folder(path) and folder_id(path) not in above:
                yield from self._below(path, (*above, here))
            elif _is_folder(path) and os.path.islink(path):
                yield _failing(path, "links back to a folder above it", "remove the link")

    def _source(self, path: str, place: PurePath) -> Source:
        return Source(path, partial(read_image, Path(path), max_pixels=self.max_pixels), place)


def _expand(word: str) -> list[str]:
    if os.path.lexists(word):
        return [word]
    found = sorted(glob.glob(word, recursive=True)) if glob.has_magic(word) else []
    if not found:
        raise InputNotFound(word, "no such file or folder", "check the path")
    return found


def _failing(path: str, fact: str, remedy: str) -> Source:
    def read() -> Pixels:
        raise DataError(path, fact, remedy)

    return Source(path, read, _place(path))


def _is_folder(path: str) -> bool:
    try:
        return os.path.isdir(path)
    except ValueError:  # a NUL byte in a listed name
        return False


def folder_id(path: str | Path) -> Folder:
    """Give what is the same for all names of a folder."""
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _place(path: str) -> PurePath:
    """Give a relative place for any path: without its root, and without ways up."""
    parts = PurePath(os.path.normpath(path)).parts
    anchor = PurePath(path).anchor
    return PurePath(*(part for part in parts if part not in (anchor, "..")))


def split_names(stream: BinaryIO, *, separator: bytes = b"\n") -> Iterator[str]:
    """Give the names in an unbuffered stream as they arrive, of any bytes; empty ones are passed over."""
    rest = b""
    while chunk := stream.read(65536):
        *names, rest = (rest + chunk).split(separator)
        yield from (os.fsdecode(name) for name in names if name)
    if rest:
        yield os.fsdecode(rest)
