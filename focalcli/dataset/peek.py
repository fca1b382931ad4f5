"""A bounded look at a path: enough to recognise a format, whatever the size of the data set."""

import os
import re
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from focalcli.files import open_regular
from focalcli.images.sizes import is_photo_name

HEAD = 256 * 1024
PER_FOLDER = 400
ENTRIES = 2000
DEPTH = 2
LAYOUT = frozenset({"annotations", "images", "labels", "train", "val", "valid", "validation", "test"})
"""Folders that are part of a data set, never a wrapper around one."""

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*+)(?:"\s*+(:?)|\\?\Z)|([\[\]{}])', re.DOTALL)
"""A text with the colon that makes it a key, or a bracket. A text that nobody closes ends with the file: else every
quote in it would be tried as the start of one."""
_INNER = frozenset({"{{", "{[{", "[{"})
"""Brackets that are open within an object one level down, or within an object of an array there."""


class Outline(NamedTuple):
    """The top of a JSON document: `object`, `array` or nothing; its keys; and the keys one level further down.

    For an object `inner[key]` are the keys of that value, or of the first object in it when it is an array; for an
    array `inner[""]` are the keys of its first object.
    """

    kind: str
    keys: tuple[str, ...]
    inner: dict[str, tuple[str, ...]]


class Peek:
    """The first 256 KiB of files and the names of at most 2000 of them, two folders deep, sorted."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_dir = path.is_dir()
        self.folder = path if self.is_dir else path.parent
        self._heads: dict[str, bytes] = {}
        self._outlines: dict[str, Outline] = {}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Give the files as POSIX paths relative to `folder`; of a file, only itself."""
        if not self.is_dir:
            return (self.path.name,)
        found: list[str] = []
        level = [""]
        for _ in range(DEPTH + 1):
            below: list[str] = []
            for prefix in level:
                files, folders = _listing(self.folder / prefix)
                found += [prefix + name for name in files]
                below += [f"{prefix}{name}/" for name in folders]
            level = below
        return tuple(sorted(found[:ENTRIES], key=lambda name: (name.count("/"), name)))

    @cached_property
    def folders(self) -> frozenset[str]:
        """Give the folders that hold any of the files, as POSIX paths."""
        return frozenset(name.rpartition("/")[0] for name in self.names)

    def ending(self, *suffixes: str) -> list[str]:
        """Give the files whose names end so, in any case."""
        return [name for name in self.names if name.lower().endswith(suffixes)]

    @cached_property
    def photos(self) -> list[str]:
        """Give the files that are named as photos."""
        return [name for name in self.names if is_photo_name(name.rpartition("/")[2])]

    def head(self, name: str) -> bytes:
        """Give the first 256 KiB of a file; nothing where it cannot be read."""
        if name not in self._heads:
            try:
                with open_regular(self.folder / name) as file:
                    self._heads[name] = file.read(HEAD)
            except OSError:
                self._heads[name] = b""
        return self._heads[name]

    def text(self, name: str) -> str:
        """Give the first 256 KiB of a file as text, with what is not text replaced."""
        head = self.head(name)
        encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        return head.decode(encoding, "replace")

    def json(self, name: str) -> Outline:
        """Give the outline of a JSON file as far as its first 256 KiB show it."""
        if name not in self._outlines:
            self._outlines[name] = outline(self.text(name))
        return self._outlines[name]

    def xml_root(self, name: str) -> str:
        """Give the name of the root element of an XML file; nothing where there is none."""
        text = re.sub(r"<!--.*?-->|<\?.*?\?>", "", self.head(name)[:8192].decode("latin-1"), flags=re.DOTALL)
        match = re.search(r"<([A-Za-z_][\w.-]*)", text)
        return match.group(1) if match else ""


def outline(text: str) -> Outline:
    """Give the outline of a JSON text that may break off.

    >>> outline('{"images": [{"id": 1, "file_name": "a"}], "categories": [], "annot')
    Outline(kind='object', keys=('images', 'categories'), inner={'images': ('id', 'file_name')})
    """
    kind = {"{": "object", "[": "array"}.get(text.lstrip()[:1], "")
    if not kind:
        return Outline("", (), {})
    keys: list[str] = []
    inner: dict[str, list[str]] = {}
    done: set[str] = set()
    opened: list[str] = []
    for name, colon, bracket in map(re.Match.groups, _TOKEN.finditer(text)):
        key = keys[-1] if keys else ""
        if colon:
            if opened == ["{"]:
                keys.append(name)
            elif len(opened) <= 3 and "".join(opened) in _INNER and key not in done:
                inner.setdefault(key, []).append(name)
        elif bracket in ("{", "["):
            opened.append(bracket)
        elif bracket and opened:
            if bracket == "}" and len(opened) <= 3 and "".join(opened) in _INNER:
                done.add(key)
            opened.pop()
            if not opened:
                break
    return Outline(kind, tuple(keys), {key: tuple(names) for key, names in inner.items()})


def unwrapped(path: Path) -> Path:
    """Go down while a folder holds nothing but one folder, as unpacked archives do; at most twice."""
    for _ in range(2):
        if not path.is_dir():
            break
        files, folders = _listing(path)
        if files or len(folders) != 1 or folders[0].lower() in LAYOUT:
            break
        path = path / folders[0]
    return path


def _listing(folder: Path) -> tuple[list[str], list[str]]:
    """Give the names of files and of folders, sorted, at most 400 of each; hidden ones and links to folders not."""
    files: list[str] = []
    folders: list[str] = []
    try:
        for entry in os.scandir(folder):
            if entry.name.startswith(".") or entry.name == "__MACOSX":
                continue
            if entry.is_dir():
                folders.append(entry.name)
            else:
                files.append(entry.name)
    except OSError:
        return [], []
    return sorted(files)[:PER_FOLDER], sorted(folders)[:PER_FOLDER]
