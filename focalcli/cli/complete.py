"""What Tab offers: the scripts in `completions/` ask `focalcli __complete CURSOR WORD...` and show the answer.

The answer has one candidate a line, its help behind a tab. The last line may be `:files` or `:dirs`: the shell adds
those itself. Nothing is answered where nothing fits, and an error is no answer: Tab never complains.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from focalcli.cli import candidates, common
from focalcli.cli.app import VERBS, command

Candidate = tuple[str, str]  # the word and its help


class Line(NamedTuple):
    """The command line up to the cursor, taken apart."""

    before: list[str]  # complete words before the cursor
    current: str  # the word at the cursor; of `--option=value` the value
    option: str  # the option whose value is being typed, or nothing
    prefix: str  # what the shell wants before each candidate


def answer(cursor: int, words: list[str]) -> str:
    """Give the lines for the word at `cursor`, counted with the program's name at 0; `words` come without it."""
    line = _take_apart(words[: cursor - 1], words[cursor - 1] if cursor <= len(words) else "")
    verb, rest = _verb_of(line.before)
    if line.option in common.VALUES:
        found: Iterable[Candidate] = [(word, "") for word in common.VALUES[line.option] or (candidates.FILES,)]
    elif verb is None:
        found = _program(line)
    elif verb in VERBS:
        found = _verb(line, command(verb), rest)
    else:
        found = []
    shown = [(word, text) for word, text in found if word.startswith(line.current) or word.startswith(":")]
    return "\n".join(_as_line(word, text, line.prefix) for word, text in shown)


def _take_apart(before: list[str], current: str) -> Line:
    words = [*before, current]
    split = "=" in words  # bash gives `--option=value` as three words, and wants only the value back
    *before, current = _join_at_equals(words) if split else words
    name, joined, value = current.partition("=")
    if joined and name.startswith("--"):
        return Line(before, value, name, "" if split else f"{name}=")
    option = before[-1] if before and before[-1].startswith("-") and "--" not in before else ""
    return Line(before, current, option, "")


def _join_at_equals(words: list[str]) -> list[str]:
    joined: list[str] = []
    for word in words:
        if joined and joined[-1].startswith("--") and (word == "=" or joined[-1].endswith("=")):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def _as_line(word: str, text: str, prefix: str) -> str:
    return word if word.startswith(":") else f"{prefix}{word}\t{' '.join(text.split())}".rstrip()


def _verb_of(before: list[str]) -> tuple[str | None, list[str]]:
    """Give the verb and the words after it; common options may stand before it, with their values."""
    rest = iter(before)
    for word in rest:
        if word in common.VALUES:
            next(rest, None)
        elif not word.startswith("-"):
            return word, list(rest)
    return None, []


def _program(line: Line) -> Iterator[Candidate]:
    if line.current.startswith("-"):
        yield from [("--version", "Show the version."), ("--list-verbs", "List the verbs, one a line.")]
        yield from _common()
    else:
        yield from ((name, verb.help) for name, verb in VERBS.items())


def _verb(line: Line, verb: Any, rest: list[str]) -> Iterator[Candidate]:
    by_option = {name: p for p in verb.params for name in p.opts if name.startswith("-") and not p.is_flag}
    if line.option in by_option:
        yield from candidates.values(verb.name, by_option[line.option], rest)
    elif line.current.startswith("-") and "--" not in rest:
        yield from _options(verb, rest)
    else:
        parameter = _positional(verb, rest, by_option)
        if parameter is not None:
            yield from candidates.values(verb.name, parameter, rest)


def _options(verb: Any, rest: list[str]) -> Iterator[Candidate]:
    """Give the long options that are not on the line yet, or may be repeated, and the common ones."""
    for parameter in verb.params:
        names = [*parameter.opts, *parameter.secondary_opts]
        if parameter.param_type_name == "option" and (parameter.multiple or not set(names) & set(rest)):
            yield from ((name, parameter.help or "") for name in names if name.startswith("--"))
    yield from _common()


def _common() -> Iterator[Candidate]:
    return ((names[-1], text) for names, _, text in common.HELP)


def _positional(verb: Any, rest: list[str], by_option: dict[str, Any]) -> Any:
    """Give the argument that the next plain word would fill."""
    words = iter(rest)
    filled = 0
    for word in words:
        if word in by_option or word in common.VALUES:
            next(words, None)
        elif not word.startswith("-"):
            filled += 1
    arguments = [parameter for parameter in verb.params if parameter.param_type_name == "argument"]
    if filled < len(arguments):
        return arguments[filled]
    return arguments[-1] if arguments and arguments[-1].nargs == -1 else None
