"""Which photos are meant: files, folders, globs and lists become one lazy sequence, in a stable order."""

import glob
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path, PurePath

from focalcli.errors import DataError, InputNotFound, UsageError
from focalcli.files import TEMPORARY_PREFIX
from focalcli.images.decode import Pixels
from focalcli.images.picture import read_picture
from focalcli.images.sizes import MAX_PIXELS, is_photo_name
from focalcli.inference.lists import STANDARD_INPUT, names_in
from focalcli.inference.views import Photo

VIDEOS = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v"})
ANNOTATIONS = frozenset({".json", ".jsonl", ".yaml", ".yml", ".xml", ".csv"})

Folder = tuple[int, int]  # device and inode: the same folder under any name


@dataclass(frozen=True, slots=True)
class Source:
    """A photo by the name it was given, how to read it, its place in a tree of outputs, its id in a data set.

    `read` raises FocalError where there is no photo to be had.
    """

    name: str
    read: Callable[[], Photo]
    place: PurePath
    image_id: int | str | None = None


@dataclass(frozen=True, slots=True)
class Finder:
    """Turns words into sources. Folders in `skip` are never looked into: the ones that results go to.

    `windows`: photos are looked at in tiles, so a file that allows it need not be decoded as a whole.
    `once` makes a list of names where it can be read only once: ranks have one standard input.
    """

    max_pixels: int = MAX_PIXELS
    every: int = 1
    skip: tuple[Path, ...] = ()
    windows: bool = False
    once: Callable[[Callable[[], Iterable[str]]], Iterable[str]] = field(default=lambda make: make())

    def all(
        self, words: Sequence[str], files_from: Path | None = None, *, null: bool = False, shard: str | None = None
    ) -> Iterator[Source]:
        """Give the photos of all words in order, `-` being the names on standard input, then those in `files_from`.

        Raises:
            UsageError: nothing is named, or standard input is a terminal.
            InputNotFound: a word names nothing; before anything is given.
        """
        lists = [self.named_or_listed(word, null=null, alone=len(words) == 1) for word in words]
        if files_from is not None:
            lists.append(self.listed(self.once(lambda: names_in(files_from, null=null))))
        if not lists:
            remedy = "name files or folders, or - for names on standard input"
            raise UsageError("detect", "no photos are named", remedy)
        sources = chain.from_iterable(lists)
        return iter(part_of(sources, shard)) if shard else sources

    def named_or_listed(self, word: str, *, null: bool, alone: bool) -> Iterator[Source]:
        """Give the photos of a word, which may be `-`."""
        if word != STANDARD_INPUT:
            return self.named([word], alone=alone)
        return self.listed(self.once(lambda: names_in(word, null=null)))

    def named(self, words: Iterable[str], *, alone: bool = True) -> Iterator[Source]:
        """Give the photos of each word: a file, a folder with all below it, a URL, or a glob that is none of these.

        Raises:
            InputNotFound: a word names nothing; before anything is given.
        """
        paths = [path for word in words for path in _expand(word)]
        alone = alone and len(paths) == 1
        return (source for path in paths for source in self.found(path, alone=alone))

    def listed(self, paths: Iterable[str]) -> Iterator[Source]:
        """Give the photos of each path as it comes; one that names nothing becomes a source that says so."""
        return (source for path in paths for source in self.found(path, alone=False))

    def found(self, path: str, *, alone: bool) -> Iterator[Source]:
        """Give the photo at a path, or all in it, in order; places are relative to a folder that is `alone`."""
        suffix = os.path.splitext(path)[1].lower()
        if "://" in path:
            from focalcli.inference.remote import remote_sources

            yield from remote_sources(path, max_pixels=self.max_pixels)
        elif _is_folder(path) and not is_photo_name(path):
            for below in self._below(path, ()):
                yield replace(below, place=PurePath(os.path.relpath(below.name, path)) if alone else below.place)
        elif suffix in VIDEOS:
            from focalcli.inference.video import frames

            yield from frames(path, place_of(path), every=self.every, max_pixels=self.max_pixels)
        elif suffix in ANNOTATIONS:
            yield from _annotated(Path(path), self.max_pixels)
        else:
            yield self._source(path)

    def _below(self, folder: str, above: tuple[Folder, ...]) -> Iterator[Source]:
        """Give the photos below a folder; a folder that cannot be listed becomes a source that says so."""
        try:
            here, entries = folder_id(folder), sorted(os.listdir(folder))
        except OSError as error:
            yield _failing(folder, f"cannot be listed ({(error.strerror or str(error)).lower()})", "check it")
            return
        if here in above:
            yield _failing(folder, "links back to a folder above it", "remove the link")
        elif not above or here not in self._skipped():
            for name in entries:
                yield from self._entry(os.path.join(folder, name), (*above, here))

    def _entry(self, path: str, above: tuple[Folder, ...]) -> Iterator[Source]:
        """Give what an entry of a folder holds: nothing, where it is no photo, video or folder."""
        name = os.path.basename(path)
        if is_photo_name(name) and not name.startswith(TEMPORARY_PREFIX):
            yield self._source(path)
        elif os.path.splitext(name)[1].lower() in VIDEOS:
            yield from self.found(path, alone=False)
        elif _is_folder(path):
            yield from self._below(path, above)

    def _skipped(self) -> list[Folder]:
        """Give the folders of results that are there by now: they come to be while photos are listed."""
        return [folder_id(folder) for folder in self.skip if folder.is_dir()]

    def _source(self, path: str) -> Source:
        read = _read_windows if self.windows and path.lower().endswith((".tif", ".tiff")) else read_picture
        return Source(path, partial(read, Path(path), max_pixels=self.max_pixels), place_of(path))


def _read_windows(path: Path, *, max_pixels: int) -> Photo:
    from focalcli.images.tiff import open_windows

    return open_windows(path, max_pixels=max_pixels) or read_picture(path, max_pixels=max_pixels)


def _annotated(path: Path, max_pixels: int) -> Iterator[Source]:
    """Give the photos of an annotation file, in its order."""
    from focalcli.dataset.read import read_dataset

    for image in read_dataset(path).images:
        name = str(image.path or image.key)
        read = partial(read_picture, Path(name), max_pixels=max_pixels)
        yield Source(name, read, PurePath(image.key), image.source_id)


def _expand(word: str) -> list[str]:
    if "://" in word or os.path.lexists(word):
        return [word]
    found = sorted(glob.glob(word, recursive=True)) if glob.has_magic(word) else []
    if not found:
        raise InputNotFound(word, "no such file or folder", "check the path")
    return found


def _failing(path: str, fact: str, remedy: str) -> Source:
    def read() -> Pixels:
        raise DataError(path, fact, remedy)

    return Source(path, read, place_of(path))


def _is_folder(path: str) -> bool:
    try:
        return os.path.isdir(path)
    except ValueError:  # a NUL byte in a listed name
        return False


def folder_id(path: str | Path) -> Folder:
    """Give what is the same for all names of a folder."""
    status = os.stat(path)
    return status.st_dev, status.st_ino


def place_of(path: str) -> PurePath:
    """Give a relative place for any path: without its root, and without ways up, so below the folder of results."""
    parts = PurePath(os.path.normpath(path)).parts
    anchor = PurePath(path).anchor
    return PurePath(*(part for part in parts if part not in (anchor, "..")))


def part_of(sources: Iterable[Source], part: str) -> list[Source]:
    """Give the part `i/n` of the sources, i from 1: n runs of neighbouring parts, in order, give what one run gives.

    Raises:
        UsageError: the part is not written so.
    """
    number, _, total = part.partition("/")
    if not (number.isdecimal() and total.isdecimal() and 1 <= int(number) <= int(total)):
        raise UsageError("--shard", f"{part!r} is no part", "for example --shard 1/4 to --shard 4/4")
    all_sources = list(sources)
    first, last = (len(all_sources) * i // int(total) for i in (int(number) - 1, int(number)))
    return all_sources[first:last]


def without(sources: Iterable[Source], names: Counter[str]) -> Iterator[Source]:
    """Leave out the sources with these names, each as often as it is counted."""
    left = names.copy()
    for source in sources:
        if left[source.name]:
            left[source.name] -= 1
        else:
            yield source
