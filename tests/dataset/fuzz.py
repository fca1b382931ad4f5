"""Untrusted annotations by the thousand: files of every format, with a few bytes or words changed.

`attempt` is one try: change one annotation file of a data set, read it, look at it, write it. It may work, or end in a
`FocalError` of one line; all else is a fault of ours and passes through.
"""

import json
import random
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from focalcli.dataset.checks import check
from focalcli.dataset.convert import convert
from focalcli.dataset.findings import FindingLog
from focalcli.dataset.fix import fixed
from focalcli.dataset.format import ReadOptions
from focalcli.dataset.read import read_dataset
from focalcli.dataset.statistics import statistics
from focalcli.errors import FocalError
from tests.dataset.family import FAMILY, lay
from tests.dataset.rich_files import RICH

LONGEST = 300_000
NASTY = (
    *("", "0", "-1", "1", "2", "1.5", "-0.0", "1e308", "-1e999", "1e-320", "NaN", "nan", "inf", "Infinity", "0x10"),
    *(
        "99999999999999999999999999",
        "9223372036854775808",
        "-9223372036854775809",
        "4294967296",
        "1e400",
        "1_0",
        "١",
        "²",
    ),
    *("null", "true", "false", "None", "[]", "{}", '""', "[[]]", "[null]", "[1,2]", '{"":1}', '"a"', "~", "- a", "!!x"),
    *(
        "../../x",
        "/etc/passwd",
        "C:\\x",
        "a\\b",
        "con",
        ".",
        "..",
        "file:///x",
        "http://x/y.png",
        "%2e%2e/x",
        "a/" * 300,
    ),
    *("\x00", "\x1b[31m", "\u202e", "\ud7ff", "\ufeff", "\u2028", "\r", "\n", "\t", ",", ";", "=1+1", "x" * 3000, "é"),
    *(
        "<x/>",
        "</annotation>",
        "<![CDATA[",
        "&#0;",
        "&lt;",
        "&x;",
        "<!--",
        "<?x?>",
        "]]>",
        "<!DOCTYPE a>",
        "'",
        '"',
        "\\",
    ),
    *("cat", "dog", "a.png", "b.png", "x.png", "bbox", "images", "annotations", "points", "polygon", "mask", "ellipse"),
)

MEMBERS = (*FAMILY, *(f"{name},rich" for name in RICH))


def lay_member(root: Path, member: str) -> list[Path]:
    """Write a data set of the family, or a rich one, and give its annotation files."""
    if member in FAMILY:
        lay(root, member)
        return [root / name for name in FAMILY[member]]
    lay(root, "coco")
    for path in [path for path in root.rglob("*") if path.is_file() and path.suffix != ".png"]:
        path.unlink()
    files = RICH[member.removesuffix(",rich")]
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return [root / name for name in files]


def mutated(content: bytes, dice: random.Random) -> bytes:
    """Give the bytes with one to four things changed."""
    for _ in range(dice.randint(1, 4)):
        content = dice.choice(WAYS)(content, dice)[:LONGEST]
    return content


def _other_byte(content: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(content) + 1)
    return content[:at] + bytes([dice.randrange(256)]) + content[at + 1 :]


def _shorter(content: bytes, dice: random.Random) -> bytes:
    return content[: dice.randrange(len(content) + 1)]


def _without_a_piece(content: bytes, dice: random.Random) -> bytes:
    start, stop = sorted(dice.randrange(len(content) + 1) for _ in range(2))
    return content[:start] + content[min(stop, start + 200) :]


def _with_a_piece_twice(content: bytes, dice: random.Random) -> bytes:
    start, stop = sorted(dice.randrange(len(content) + 1) for _ in range(2))
    return content[:stop] + content[start:stop] * dice.choice((1, 1, 2, 300)) + content[stop:]


_WORD = re.compile(r'"[^"\n]*"|[\w.+-]+|\s+|.', re.DOTALL)


def _other_word(content: bytes, dice: random.Random) -> bytes:
    """Put another word in the place of one: a number, a quoted text, a name, a mark."""
    words = _WORD.findall(content.decode("utf-8", "surrogateescape"))
    if words:
        at = dice.randrange(len(words))
        word = dice.choice(NASTY)
        words[at] = f'"{word}"' if words[at][:1] == '"' and dice.random() < 0.7 else word
    return "".join(words).encode("utf-8", "surrogateescape")


def _two_words_exchanged(content: bytes, dice: random.Random) -> bytes:
    words = _WORD.findall(content.decode("utf-8", "surrogateescape"))
    if words:
        one, other = (dice.randrange(len(words)) for _ in range(2))
        words[one], words[other] = words[other], words[one]
    return "".join(words).encode("utf-8", "surrogateescape")


def _deep(content: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(content) + 1)
    return (
        content[:at]
        + dice.choice((b"[", b'{"a":', b"<a>", b"- ", b"(")) * dice.choice((10, 2000, 100_000))
        + content[at:]
    )


def _as_utf16(content: bytes, dice: random.Random) -> bytes:
    return content.decode("utf-8", "replace").encode("utf-16")


WAYS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *(_other_byte, _shorter, _without_a_piece, _with_a_piece_twice, _two_words_exchanged),
    *(_other_word,) * 8,
    *(_deep, _as_utf16),
)


def attempt(root: Path, files: list[Path], format: str, dice: random.Random, out: Path) -> str:
    """Change one of the files, read, look, write to `out`; put the file back and give how it ended.

    Raises:
        AssertionError: an error has not the form it must have, or something was written outside.
    """
    path = dice.choice(files)
    whole = path.read_bytes()
    path.write_bytes(mutated(whole, dice))
    try:
        before = sorted(found.name for found in root.parent.iterdir())
        return _outcome(root, format if dice.random() < 0.5 else None, dice, out, before)
    finally:
        path.write_bytes(whole)


def _outcome(root: Path, format: str | None, dice: random.Random, out: Path, before: list[str]) -> str:
    try:
        options = ReadOptions(lenient=dice.random() < 0.5, bad_boxes=dice.choice(("clip", "drop", "keep")))
        dataset = read_dataset(root, format=format, options=options)
        for finding in dataset.findings:
            assert len(str(finding)) < 2_100, str(finding)[:200]
        if options.bad_boxes != "keep":
            json.dumps(statistics(dataset), allow_nan=False)
        check(dataset, FindingLog())
        dataset, _ = fixed(dataset)
        to = dice.choice(("coco", "createml", "cvat", "hf", "labelme", "retinanet", "tfod", "voc", "yolo"))
        convert(dataset, out, to=to, transfer="none", crowd="keep", allow_lossy=True, overwrite=True)
        again = read_dataset(out, format=to, options=ReadOptions(lenient=True))
        assert len(again.images) <= len(dataset.images) or to == "labelme", (len(again.images), len(dataset.images))
        return "read"
    except FocalError as error:
        assert "\n" not in str(error) and len(str(error)) < 3000, str(error)
        return type(error).__name__
    finally:
        after = sorted(found.name for found in root.parent.iterdir())
        assert after == before or after == sorted([*before, out.name]), f"{before} became {after}"


@contextmanager
def no_longer_than(seconds: int) -> Iterator[None]:
    """Raise TimeoutError in the block after so long."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"took longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
