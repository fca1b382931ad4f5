"""What each way of failing is called: every exception becomes a `FocalError` with the user's words and an exit code."""

import errno
import os
import select
import sys
from typing import Any

from focalcli.errors import (
    CannotWrite,
    DataError,
    FocalError,
    InputNotFound,
    IoError,
    Unavailable,
    UsageError,
    did_you_mean,
    is_out_of_memory,
)


class Terminated(BaseException):
    """The process was sent SIGTERM. Not an `Exception`, so that only clean-up stands in its way."""


class Interrupted(FocalError):
    """Ctrl-C."""

    exit_code, code = 130, "interrupted"


class ClosedPipe(FocalError):
    """Who read our results has had enough."""

    exit_code, code = 141, "closed-pipe"


class Killed(FocalError):
    """SIGTERM."""

    exit_code, code = 143, "terminated"


# Every way the program can end; the manual and the README show this table.
EXIT_CODES: dict[int, str] = {
    0: "done",
    1: "done, but a limit you set was not met, or items failed under --strict",
    2: "the command line is wrong",
    65: "a data set, photo, model or prediction file is damaged or not what it claims to be",
    66: "an input is not there",
    69: "an optional package or a device is missing, or memory is too small",
    70: "training diverged, or an error inside focalcli",
    73: "an output cannot be created",
    74: "reading or writing broke off, as on a full disk",
    75: "training was preempted and can be resumed",
    78: "the configuration is wrong",
    130: "interrupted (Ctrl-C)",
    141: "nobody reads the output any more (closed pipe)",
    143: "terminated (SIGTERM)",
}

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_MISSING = {errno.ENOENT, errno.ENOTDIR}


def explain(error: BaseException) -> FocalError:
    """Give the failure behind an exception; what we did not foresee is `internal`, exit code 70."""
    match error:
        case FocalError():
            return error
        case KeyboardInterrupt():
            return Interrupted("focalcli", "interrupted")
        case Terminated():
            return Killed("focalcli", "terminated")
        case BrokenPipeError() if stdout_is_broken():
            return ClosedPipe("standard output", "closed")
        case OSError():
            return _explain_os(error)
        case ModuleNotFoundError() if error.name and not error.name.startswith("focalcli"):
            return Unavailable(error.name, "is not installed", f"pip install {error.name.partition('.')[0]}")
        case UnicodeDecodeError():
            return DataError("input", f"is not UTF-8 text ({error.reason} at byte {error.start})")
    if is_out_of_memory(error):
        return _out_of_memory(str(error))
    fact = " ".join(str(error).split())
    return FocalError("internal error", f"{type(error).__name__}: {fact}", "run it again with --debug and report it")


def explain_usage(error: Any, verb: str, options: list[str]) -> FocalError:
    """Put Typer's usage error into our words, naming the nearest of the verb's options for one that does not exist."""
    place = f"focalcli {verb}"
    if hasattr(error, "possibilities"):
        return UsageError(place, f"no such option {error.option_name}", did_you_mean(error.option_name, options))
    parameter = getattr(error, "param", None)
    fact = error.format_message().rstrip(".")
    if parameter is not None:
        name = (
            parameter.opts[-1] if parameter.opts[-1].startswith("-") else (parameter.metavar or parameter.name.upper())
        )
        fact = f"{name}: {error.message.rstrip('.')}" if error.message else f"{name} is missing"
    return UsageError(place, fact[:1].lower() + fact[1:] if parameter is None else fact, f"see {place} --help")


def stdout_is_broken() -> bool:
    """Say whether nobody reads our standard output any more."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), select.POLLOUT)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
    except (OSError, ValueError):
        return False


def _explain_os(error: OSError) -> FocalError:
    place = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else "standard output"
    fact = (error.strerror or str(error)).lower()
    if error.errno in _FULL:
        return IoError(place, fact, "free some space")
    if error.errno in _MISSING:
        return InputNotFound(place, fact)
    if error.errno in _DENIED:
        return CannotWrite(place, fact, "change its permissions or name another place")
    if error.errno == errno.EMFILE:
        return IoError(place, fact, "raise the limit with ulimit -n or use fewer workers")
    return IoError(place, fact)


def _out_of_memory(detail: str) -> FocalError:
    fact = "out of memory" + (f" ({detail.splitlines()[0]})" if detail else "")
    return Unavailable("memory", fact, "use a smaller --batch or a smaller --min-size")
