"""Relative paths that come from untrusted files, and names that are safe to create on every system."""

import re
import unicodedata

from focalcli.files import TEMPORARY_PREFIX

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_DRIVE = re.compile(r"^[A-Za-z]:")
_RESERVED = re.compile(r"^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\.|$)", re.IGNORECASE)
_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*")
"""Nearly all names: nothing to check, nothing to change."""


def safe_relative(text: str) -> str:
    r"""Give a relative POSIX path without `.` parts from what a data set names a file; backslashes separate too.

    Raises:
        ValueError: with the fact as a clause: empty, absolute, with a drive, leading out, or with control characters.

    >>> safe_relative("./images\\cat 1.jpg")
    'images/cat 1.jpg'
    """
    if _PLAIN.fullmatch(text):
        return text
    if _CONTROL.search(text):
        raise ValueError("has control characters")
    path = text.replace("\\", "/")
    if path.startswith("/"):
        raise ValueError("is an absolute path")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if parts and _DRIVE.match(parts[0]):
        raise ValueError("has a drive letter")
    if ".." in parts:
        raise ValueError("leads out of its folder")
    if not parts:
        raise ValueError("is empty")
    return "/".join(parts)


def portable(path: str) -> str:
    """Give a relative path back if every system can create it.

    Raises:
        ValueError: as `safe_relative`; or it is not in the form that gives; or a part is a name Windows cannot store.
    """
    if safe_relative(path) != path:
        raise ValueError("has empty parts or backslashes")
    for part in path.split("/"):
        if _RESERVED.match(part):
            raise ValueError(f"has the part {part!r}, a name Windows reserves")
        if is_foreign(part):
            raise ValueError(f"has the part {part!r}, which no reader takes for a photo")
        if part != part.rstrip(". ") or any(character in part for character in '<>:"|?*'):
            raise ValueError(f"has the part {part!r}, which Windows cannot store")
    return path


def is_foreign(name: str) -> bool:
    """Say whether a file of this name is nobody's photo: macOS's shadow of another file, or one being written."""
    return name.startswith(("._", TEMPORARY_PREFIX))


def folded(path: str) -> str:
    """Give what a disk that ignores case and Unicode forms takes the path for.

    >>> folded("A/É.jpg") == folded("a/e\u0301.JPG")
    True
    """
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def printable(text: str) -> str:
    r"""Give the text with control characters spelled out, so that a terminal shows and does not obey them.

    >>> printable("cat\x1b[31m")
    'cat\\x1b[31m'
    """
    return _CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


def stem(path: str) -> str:
    """Give a relative path without its last suffix.

    >>> stem("a/b.c.jpg"), stem("a.d/b")
    ('a/b.c', 'a.d/b')
    """
    folder, slash, name = path.rpartition("/")
    head, dot, _ = name.rpartition(".")
    return folder + slash + (head if dot and head else name)


def split_name(text: str) -> str:
    """Give the usual name of a split: `valid` and `validation` are val, `training` train, `testing` test, years go.

    >>> [split_name(name) for name in ("valid", "train2017", "fold_1", "test-dev2017")]
    ['val', 'train', 'fold_1', 'test-dev']
    """
    name = re.sub(r"^(train|val|valid|validation|test|test-dev|trainval)[-_]?(19|20)\d\d$", r"\1", text.lower())
    usual = {"valid": "val", "validation": "val", "training": "train", "testing": "test"}
    if name in usual or name in {"train", "val", "test", "test-dev", "trainval"}:
        return usual.get(name, name)
    return text
