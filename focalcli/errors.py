"""What can go wrong for a user, and the exit code of each kind.

Raise one of these for a user's mistake or a machine's limit; `cli/console.py` prints it as one line and `__main__`
exits with its code. A programmer's mistake is an `assert`.
"""

import difflib
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

LONGEST = 1000
"""Characters of a place or a fact: untrusted files may hold a name of a million."""


def shortened(text: str, limit: int = LONGEST) -> str:
    """Give the text, cut to `limit` characters with an ellipsis.

    >>> shortened("abcdef", 4)
    'abc…'
    """
    return text if len(text) <= limit else text[: limit - 1] + "…"


class FocalError(Exception):
    """A failure a user can act on: a place, a fact, and where there is one, a remedy.

    `str(error)` is the one line the user sees: `place: fact, remedy`.
    """

    exit_code: ClassVar[int] = 70
    code: ClassVar[str] = "internal"

    def __init__(self, place: str | Path, fact: str, remedy: str = "") -> None:
        self.place, self.fact, self.remedy = shortened(str(place)), shortened(fact), remedy
        super().__init__(f"{self.place}: {self.fact}" + (f", {remedy}" if remedy else ""))

    def __reduce__(self) -> tuple[type["FocalError"], tuple[str, str, str]]:
        """Let errors travel between processes whole."""
        return type(self), (self.place, self.fact, self.remedy)


class GateFailed(FocalError):
    """The work was done, but a limit the user set was not met, or items failed under `--strict`."""

    exit_code, code = 1, "gate"


class UsageError(FocalError):
    """The command line contradicts itself or lacks something."""

    exit_code, code = 2, "usage"


class DataError(FocalError):
    """A data set, image, model or prediction file is damaged, hostile or not what it claims to be."""

    exit_code, code = 65, "data"


class InputNotFound(FocalError):
    """A file or folder that was named is not there."""

    exit_code, code = 66, "not-found"


class Unavailable(FocalError):
    """An optional package or a device is missing."""

    exit_code, code = 69, "unavailable"


class DivergedError(FocalError):
    """Training produced a loss that is not finite."""

    exit_code, code = 70, "diverged"


class CannotWrite(FocalError):
    """An output cannot be created."""

    exit_code, code = 73, "cannot-write"


class IoError(FocalError):
    """Reading or writing broke off: disk full, device error."""

    exit_code, code = 74, "io"


class Preempted(FocalError):
    """Training was asked to stop and saved its state; the same command with `--resume` goes on."""

    exit_code, code = 75, "preempted"


class ConfigError(FocalError):
    """A configuration file, environment variable or stored configuration does not hold what it must."""

    exit_code, code = 78, "config"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Give the remedy for a word that is not among the known ones: the nearest, or all when none is near.

    >>> did_you_mean("epoch", ["epochs", "batch"])
    'did you mean epochs?'
    >>> did_you_mean("zzz", ["epochs", "batch"])
    'known: batch, epochs'
    """
    words = sorted(known)
    near = difflib.get_close_matches(word, words, n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(words)}"


# What torch's allocator and oneDNN say on a CPU, in a RuntimeError; the latter without a word of memory.
_NO_MEMORY = re.compile(r"DefaultCPUAllocator: can't allocate memory|could not create a (primitive$|memory)")


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an exception means that memory ran out, whoever raised it; torch need not be there."""
    torch = sys.modules.get("torch")
    kinds = (MemoryError, torch.OutOfMemoryError) if torch else (MemoryError,)
    return isinstance(error, kinds) or (isinstance(error, RuntimeError) and bool(_NO_MEMORY.search(str(error))))
