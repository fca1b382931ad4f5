"""What a reader may read: files inside the declared roots, no longer than their cap, decoded without surprises."""

import os
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from xml.etree.ElementTree import Element

from focalcli.dataset.decode import decode_json, decode_text, decode_xml, decode_yaml
from focalcli.dataset.names import is_foreign, printable, safe_relative
from focalcli.errors import DataError, InputNotFound, IoError
from focalcli.files import NotRegular, open_regular
from focalcli.images.sizes import MAX_PIXELS, is_photo_name, upright_size

MIB = 1 << 20
CAPS = {".json": 4096 * MIB, ".jsonl": 4096 * MIB, ".csv": 4096 * MIB, ".xml": 64 * MIB, ".yaml": MIB, ".yml": MIB}
CAP = 256 * MIB
"""Of any other file."""

T = TypeVar("T")


class Source:
    """The annotations under `path`, a file or folder, and the photos there and in the folders of `images`.

    `folder` is the folder to read in: `path` itself, or the one that holds the file. Every path a reader asks for is
    checked: symbolic links that lead out of the declared roots are refused unless `follow_symlinks`.
    """

    def __init__(
        self,
        path: Path,
        *,
        images: tuple[Path, ...] = (),
        follow_symlinks: bool = False,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.path = path
        self.folder = path if path.is_dir() else path.parent
        self.images = images
        self.follow_symlinks = follow_symlinks
        self.max_pixels = max_pixels
        self.report: Callable[[DataError], None] | None = None
        """Told of a link out of the roots, which is then passed over; without it, such a link is an error."""
        self._safe_folders: dict[str, bool] = {}
        self._listings: dict[str, dict[str, bool]] = {}
        self._photo_stems: dict[str, dict[str, str]] = {}

    @cached_property
    def roots(self) -> tuple[str, ...]:
        """Give the real paths of the folders that may be read.

        A file in `annotations/` or `labels/` belongs to a data set one folder up.
        """
        declared = [self.folder, *self.images]
        if not self.path.is_dir() and self.folder.absolute().name.lower() in ("annotations", "labels"):
            declared.append(self.folder.absolute().parent)
        return tuple(os.path.realpath(folder) for folder in declared)

    def name(self, path: Path) -> str:
        """Give a path as messages and origins show it: relative to the data set where it lies inside."""
        try:
            return printable(path.relative_to(self.folder).as_posix())
        except ValueError:
            return printable(str(path))

    # Finding files

    def files(self, *suffixes: str, under: Path | None = None, depth: int = 16) -> list[Path]:
        """Give the files below a folder whose names end so (any case), sorted by path; hidden ones are left out."""
        return sorted(self._walk(under or self.folder, tuple(suffix.lower() for suffix in suffixes), depth))

    def photos(self, under: Path, depth: int = 16) -> list[Path]:
        """Give the photos below a folder, sorted by path."""
        return sorted(path for path in self._walk(under, (), depth) if is_photo_name(path.name))

    def _walk(self, folder: Path, suffixes: tuple[str, ...], depth: int) -> Iterator[Path]:
        self.check(folder)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            raise _read_error(folder, error) from error
        for entry in entries:
            if is_foreign(entry.name) or (entry.name.startswith(".") and entry.is_dir()):
                continue
            if entry.is_symlink() and not self._passes(Path(entry.path)):
                continue
            if entry.is_dir():
                if depth > 0 and not (entry.is_symlink() and self._is_loop(entry.path)):
                    yield from self._walk(Path(entry.path), suffixes, depth - 1)
            elif not suffixes or entry.name.lower().endswith(suffixes):
                yield Path(entry.path)

    @staticmethod
    def _is_loop(path: str) -> bool:
        real = os.path.realpath(path)
        return os.path.commonpath([real, os.path.realpath(os.path.dirname(path))]) == real

    def find(self, name: str, folders: Sequence[Path]) -> Path | None:
        """Give the first of `folders` / `name` that is a file; None where none is.

        Raises:
            ValueError: the name is not a safe relative path (`names.safe_relative` says which fact).
            DataError: it is a symbolic link out of the roots.
        """
        return self.finder(folders)(safe_relative(name))

    def finder(self, folders: Sequence[Path]) -> Callable[[str], Path | None]:
        """Give what finds a file by its safe relative path in the first of the folders that has it.

        Each folder is listed once, so looking for a hundred thousand photos asks the disk little. Raises as `find`.
        """
        listings: dict[str, list[tuple[str, dict[str, bool]]]] = {}

        def find(key: str) -> Path | None:
            below, _, last = key.rpartition("/")
            if below not in listings:
                places = [f"{folder}/{below}" if below else str(folder) for folder in folders]
                listings[below] = [(place, found) for place in places if (found := self._listing(place))]
            for place, found in listings[below]:
                if last in found:
                    return self._found(place, last)
            return None

        return find

    def find_photo(self, stem: str, folders: Sequence[Path]) -> Path | None:
        """Give the first photo named `stem` plus any suffix of photos in any case; None where there is none.

        Raises as `find`.
        """
        below, _, last = safe_relative(stem).rpartition("/")
        for folder in folders:
            place = f"{folder}/{below}" if below else str(folder)
            if place not in self._photo_stems:
                photos = sorted(filter(is_photo_name, self._listing(place)), reverse=True)
                self._photo_stems[place] = {name.rpartition(".")[0]: name for name in photos}
            if (name := self._photo_stems[place].get(last)) is not None:
                return self._found(place, name)
        return None

    def folders(self, *candidates: Path) -> list[Path]:
        """Give those of the candidates that are folders inside the roots, each once."""
        return [folder for folder in dict.fromkeys(candidates) if os.path.isdir(folder) and self.allows(folder)]

    def allows(self, path: Path) -> bool:
        """Tell whether a path stays in the declared roots, or may leave them by `follow_symlinks`."""
        return self.follow_symlinks or self._inside(os.fspath(path))

    def _listing(self, folder: str) -> dict[str, bool]:
        """Give the files in a folder, each with whether it is a symbolic link; nothing where there is no folder."""
        if folder not in self._listings:
            try:
                self._listings[folder] = {e.name: e.is_symlink() for e in os.scandir(folder) if e.is_file()}
            except OSError:
                self._listings[folder] = {}
            if self._listings[folder]:
                self.check(Path(folder))
        return self._listings[folder]

    def _found(self, folder: str, name: str) -> Path | None:
        path = Path(f"{folder}/{name}")
        return path if not self._listings[folder][name] or self._passes(path) else None

    def _passes(self, path: Path) -> bool:
        """Tell whether a symbolic link stays in the roots; one that does not is an error unless it can be told."""
        try:
            self.check(path)
        except DataError as error:
            if self.report is None:
                raise
            self.report(error)
            return False
        return True

    def check(self, path: Path) -> None:
        """Refuse a path that leads out of the declared roots.

        Raises:
            DataError: it does.
        """
        text = os.fspath(path)
        parent = os.path.dirname(text) or "."
        if parent not in self._safe_folders:
            self._safe_folders[parent] = self._inside(parent)
        if self.follow_symlinks or (self._safe_folders[parent] and not os.path.islink(text)):
            return
        if not self._inside(text):
            fact = "is a symbolic link out of the data set" if os.path.islink(text) else "lies outside the data set"
            raise DataError(self.name(path), fact, "add --images with its folder, or --follow-symlinks if you trust it")

    def _inside(self, path: str) -> bool:
        real = os.path.realpath(path)
        return any(real == root or real.startswith(root.rstrip(os.sep) + os.sep) for root in self.roots)

    def size(self, path: Path) -> tuple[int, int]:
        """Give (width, height) of a photo, upright, from its header. Raises as `images.sizes.upright_size`."""
        self.check(path)
        return upright_size(path, max_pixels=self.max_pixels)

    # Reading files

    def bytes(self, path: Path) -> bytes:
        """Give the bytes of a file.

        Raises:
            InputNotFound: it is not there.
            DataError: it is over its cap, or leads out of the roots.
            IoError: it cannot be read.
        """
        self.check(path)
        cap = CAPS.get(path.suffix.lower(), CAP)
        try:
            with open_regular(path) as file:
                size = os.fstat(file.fileno()).st_size
                content = file.read(cap + 1) if size <= cap else b""
        except OSError as error:
            raise _read_error(path, error) from error
        if size > cap or len(content) > cap:
            raise DataError(self.name(path), f"is over the limit of {cap // MIB} MiB", "split it into smaller files")
        return content

    def text(self, path: Path) -> str:
        """Give a text file, UTF-8 with or without a byte order mark, or UTF-16 with one. Raises as `bytes`."""
        return decode_text(self.bytes(path), self.name(path))

    def lines(self, path: Path) -> list[str]:
        r"""Give the lines of a text file; only `\n`, `\r\n` and `\r` end one. Raises as `bytes`."""
        lines = self.text(path).replace("\r\n", "\n").replace("\r", "\n").split("\n")
        return lines[:-1] if lines[-1] == "" else lines

    def json(self, path: Path, kind: type[T]) -> T:
        """Decode a JSON file into a msgspec type, without the garbage collector. Raises as `bytes`."""
        return decode_json(self.bytes(path), kind, self.name(path))

    def xml(self, path: Path) -> Element:
        """Parse an XML file, whatever encoding it declares; a document type is refused. Raises as `bytes`."""
        return decode_xml(self.bytes(path), self.name(path))

    def yaml(self, path: Path) -> Any:
        """Parse a YAML file into dicts, lists and strings; tags and aliases are refused. Raises as `bytes`."""
        return decode_yaml(self.text(path), self.name(path))


def _read_error(path: Path, error: OSError) -> Exception:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return InputNotFound(path, "is not there", "check the path")
    if isinstance(error, NotRegular):
        return DataError(path, f"is {error.kind}, not a file", "remove it from the data set")
    return IoError(path, f"cannot be read ({(error.strerror or str(error)).lower()})", "check its permissions")
