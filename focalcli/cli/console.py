"""The one place that runs a verb, prints errors and chooses the exit code; all talk to stderr goes through here."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from focalcli.cli.app import VERBS, command
from focalcli.cli.common import Common, split
from focalcli.cli.failures import Terminated, explain, explain_usage
from focalcli.errors import FocalError, InputNotFound, UsageError, did_you_mean

_common = Common()  # of the command that runs in this process


def run(arguments: list[str]) -> int:
    """Run the command line and give the exit code (README: 0, 1, 2, 65 to 78, 130, 141, 143)."""
    global _common
    _common = Common(debug="--debug" in arguments, error_format="json" if _wants_json(arguments) else "text")
    with _sigterm_raises():
        try:
            if arguments[:1] == ["__complete"]:
                return _complete(arguments[1:])
            words, _common = split(arguments, os.environ)
            code = _dispatch(words)
            sys.stdout.flush()
            return code
        except SystemExit:  # of a library that has made up its mind
            raise
        except BaseException as error:  # the one place that must not let anything else through
            return _fail(error)


def say(text: str) -> None:
    """Print one line of talk to stderr, unless `--quiet`. Control characters of file names come out as escapes."""
    if _common.verbosity >= 0:
        _print(text)


def hush() -> None:
    """Say nothing but errors from here on: of many processes one talks."""
    global _common
    _common = _common._replace(verbosity=-1)


def detail(text: str) -> None:
    """Print one line to stderr, with `--verbose` only."""
    if _common.verbosity > 0:
        _print(text)


def common() -> Common:
    """Give the common options of the command that runs."""
    return _common


def shows_progress() -> bool:
    """Say whether a progress bar has a place: stderr is a terminal and nobody asked for quiet."""
    return sys.stderr.isatty() and _common.verbosity >= 0


def colored(stream: TextIO) -> bool:
    """Say whether to colour what goes to a stream: `--color`, else NO_COLOR, else whether it is a terminal."""
    if _common.color != "auto":
        return _common.color == "always"
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()


def terminal() -> Any:
    """Give a Rich console on stderr that keeps to `--color` and `--quiet`, for progress bars and tables."""
    from rich.console import Console

    color = colored(sys.stderr)
    return Console(
        stderr=True,
        quiet=_common.verbosity < 0,
        no_color=not color,
        force_terminal=True if color else None,
        highlight=False,
    )


def escape(text: str) -> str:
    r"""Make control characters, and bytes that are no text, visible: a file name must not move the cursor.

    >>> print(escape("a" + chr(27) + "[31m"))
    a\x1b[31m
    """
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def _print(text: str) -> None:
    try:
        print(escape(text), file=sys.stderr, flush=True)
    except (OSError, ValueError):  # nobody listens; that must not end the work
        pass


def _dispatch(words: list[str]) -> int:
    from focalcli.cli.pages import PROGRAM

    if not words:
        from focalcli.cli.next_steps import next_steps

        print(next_steps(Path()))
        return 0
    first, *rest = words
    if first in PROGRAM:
        print(PROGRAM[first]())
        return 0
    if first.startswith("-"):
        raise UsageError("focalcli", f"no such option {first}", did_you_mean(first, PROGRAM))
    if first not in VERBS:
        raise UsageError("focalcli", f"no such verb {first}", did_you_mean(first, VERBS))
    return _run_verb(first, rest)


def _run_verb(verb: str, words: list[str]) -> int:
    import typer

    from focalcli.cli import pages, settings

    verb_command = command(verb)
    options = words[: words.index("--")] if "--" in words else words
    if "-h" in options or "--help" in options:
        print(pages.verb(verb_command))
        return 0
    _check_folder()
    found = settings.find(Path(), os.environ, VERBS, file=Path(_common.config) if _common.config else None)
    # Typer keeps Click's base of usage errors private; its public BadParameter leads to it.
    usage_error: type[Any] = typer.BadParameter.__mro__[1]
    try:
        defaults = settings.defaults(found, verb_command)
        with verb_command.make_context(f"focalcli {verb}", list(words), default_map=defaults) as context:
            verb_command.invoke(context)
        return 0
    except usage_error as error:
        names = [name for parameter in verb_command.params for name in (*parameter.opts, *parameter.secondary_opts)]
        raise explain_usage(error, verb, [name for name in names if name.startswith("-")]) from error
    except typer.Abort:
        raise KeyboardInterrupt from None
    except typer.Exit as leaving:
        return leaving.exit_code


def _check_folder() -> None:
    """Refuse to work in a folder that was removed: some libraries of torch end the process there."""
    try:
        os.getcwd()
    except FileNotFoundError as error:
        raise InputNotFound("working folder", "was removed", "go to another with cd") from error


def _complete(words: list[str]) -> int:
    """Answer a Tab press; whatever goes wrong, a shell at its prompt must not show it."""
    from focalcli.cli.complete import answer

    with suppress(Exception):
        print(answer(int(words[0]), words[1:]))
    return 0


def _fail(error: BaseException) -> int:
    """Print what went wrong as the user asked for it, and give the exit code."""
    failure = explain(error)
    _settle_stdout()
    if _common.debug:
        import traceback

        traceback.print_exception(error)
    if failure.code != "closed-pipe":
        _print(_as_json(failure) if _common.error_format == "json" else _one_line(failure))
    return failure.exit_code


def _one_line(failure: FocalError) -> str:
    return "error: " + str(failure).replace("\n", "\\n")


def _as_json(failure: FocalError) -> str:
    import json

    facts = {"code": failure.code, "exit": failure.exit_code, "message": str(failure)}
    return json.dumps({"error": {**facts, "place": failure.place, "remedy": failure.remedy}})


def _wants_json(arguments: list[str]) -> bool:
    """Look ahead for the error format, so that it holds for errors in the common options too."""
    return "--error-format=json" in arguments or ("--error-format", "json") in pairwise(arguments)


def _settle_stdout() -> None:
    """Write what is left to standard output; where that fails, let it go, so that leaving does not fail again."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except ValueError:  # closed
        pass


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Turn the first SIGTERM into `Terminated`, so that what is half done is cleaned up; the second one kills."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    here = os.getpid()

    def terminate(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if os.getpid() != here:  # a forked worker has nothing to clean up
            os._exit(143)
        raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
