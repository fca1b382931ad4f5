"""What the program says about itself: one `Page` for each verb, from which help text and manual are rendered.

Help is printed without Rich: it must be there before one has taken the finger off the key.
"""

import inspect
import re
import shutil
import sys
import textwrap
from collections.abc import Callable
from typing import Any, NamedTuple

from focalcli import __version__
from focalcli.cli.app import VERBS
from focalcli.cli.common import HELP

SENTENCE = "From annotated photos to a verified object detector, in the shell."
EXAMPLE = ("focalcli demo bay", "cd bay", "focalcli train --epochs 5", "focalcli detect images/test -o found")
_WIDTH = 100  # off a terminal, so that the same text comes out everywhere
_COLUMN = 28
_METAVARS = {"int": "INT", "float": "NUMBER", "path": "PATH", "file": "FILE", "directory": "DIR"}


class Row(NamedTuple):
    """An argument or option: its names with metavar, and its help with the default."""

    names: str
    help: str


class Page(NamedTuple):
    """All there is to say about a verb."""

    name: str
    usage: str
    sentence: str
    paragraphs: tuple[str, ...]
    sections: dict[str, list[Row]]
    example: tuple[str, ...]


def page(command: Any) -> Page:
    """Take the page of a verb from its Typer command: docstring, parameters, common options."""
    sentence, paragraphs, example = _read_docstring(command.callback.__doc__ or "")
    sections: dict[str, list[Row]] = {}
    for parameter in command.params:
        if not getattr(parameter, "hidden", False):
            sections.setdefault(_section(parameter), []).append(Row(shown_as(parameter), _help(parameter)))
    sections["Any verb"] = _common_rows()
    positional = " ".join(_metavar(p, usage=True) for p in command.params if p.param_type_name == "argument")
    usage = " ".join(f"focalcli {command.name} {positional} [OPTIONS]".split())
    ordered = sorted(sections.items(), key=lambda item: item[0] != "Arguments")
    return Page(command.name, usage, sentence, paragraphs, dict(ordered), example)


def verb(command: Any) -> str:
    """Write the help of a verb."""
    shown = page(command)
    blocks = [f"Usage: {shown.usage}", shown.sentence, *shown.paragraphs]
    text = "\n\n".join(block if block.startswith(" ") else _wrap(block) for block in blocks)
    tables = [f"{title}:\n{_table(rows)}" for title, rows in shown.sections.items()]
    example = ["Example:\n" + "\n".join("  " + line for line in shown.example)] if shown.example else []
    return "\n\n".join([text, *tables, *example])


def overview() -> str:
    """Write the help of the program: the verbs in their sections."""
    sections: dict[str, list[Row]] = {}
    for name, entry in VERBS.items():
        sections.setdefault(entry.section, []).append(Row(name, entry.help))
    program = [Row("--version", "Show the version."), Row("--list-verbs", "List the verbs, one a line.")]
    sections |= {"Any verb": _common_rows(), "Program": program}
    tables = [f"{title}:\n{_table(rows, 13 if title in _sections() else _COLUMN)}" for title, rows in sections.items()]
    example = "Example:\n" + "\n".join("  " + line for line in EXAMPLE)
    return "\n\n".join(["Usage: focalcli VERB [ARGUMENTS] [OPTIONS]", SENTENCE, *tables, example])


def version() -> str:
    """Give the version line."""
    return f"focalcli {__version__}"


def list_verbs() -> str:
    """Give the names of the verbs, one a line."""
    return "\n".join(VERBS)


# What the program answers without a verb.
PROGRAM: dict[str, Callable[[], str]] = {
    "-h": overview,
    "--help": overview,
    "--version": version,
    "--list-verbs": list_verbs,
}


def _sections() -> set[str]:
    return {entry.section for entry in VERBS.values()}


def _common_rows() -> list[Row]:
    return [Row(f"{', '.join(names)} {metavar}".strip(), text) for names, metavar, text in HELP]


def _read_docstring(text: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Take a docstring apart: the first paragraph, the others, the lines of the example at its end."""
    body, _, example = inspect.cleandoc(text).partition("\nExample:")
    body = re.split(r"\n(?:Raises|Args|Returns):", body)[0]
    first, *rest = [block.rstrip() for block in body.split("\n\n") if block.strip()] or [""]
    lines = textwrap.dedent(example.lstrip(" ").lstrip("\n")).strip().splitlines()
    return " ".join(first.split()), tuple(rest), tuple(lines)


def _section(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return "Arguments"
    return getattr(parameter, "rich_help_panel", None) or "Options"


def shown_as(parameter: Any) -> str:
    """Give an option as the help shows it, `-o, --output FILE`, or an argument by its metavar."""
    if parameter.param_type_name == "argument":
        return _metavar(parameter)
    flags = ", ".join(sorted(parameter.opts, key=len))
    if parameter.is_flag:
        return "/".join([flags, *parameter.secondary_opts])
    return f"{flags} {_metavar(parameter)}"


def _metavar(parameter: Any, *, usage: bool = False) -> str:
    choices = getattr(parameter.type, "choices", None)
    if parameter.metavar:
        name = parameter.metavar
    elif choices:
        name = "|".join(choices)
    elif parameter.param_type_name == "argument":
        name = parameter.name.upper()
    else:
        name = _METAVARS.get(parameter.type.name.split()[0], "TEXT")
    many = "..." if parameter.nargs == -1 and not name.endswith("...") else ""
    return f"[{name}]{many}" if usage and not parameter.required else name + many


def _help(parameter: Any) -> str:
    text, _, own_default = " ".join((parameter.help or "").split()).partition(" [default: ")
    words = f"{text} {limits(parameter)}".strip() + (f" [default: {own_default}" if own_default else "")
    if parameter.multiple:
        words += " [may be repeated]"
    default = "required" if parameter.required else _default(parameter)
    return f"{words} [{default}]".strip() if default else words


def limits(parameter: Any) -> str:
    """Say in brackets which values an option takes, where its metavar does not."""
    choices = getattr(parameter.type, "choices", None)
    if choices and parameter.metavar:
        return f"[choices: {', '.join(choices)}]"
    limits = _limits(parameter.type)
    if limits.keys() == {"ge", "le"}:
        return f"[{limits['ge']} to {limits['le']}]"
    words = {"ge": "{} or more", "gt": "above {}", "le": "{} or less", "lt": "below {}"}
    said = ", ".join(form.format(limits[key]) for key, form in words.items() if key in limits)
    return f"[{said}]" if said else ""


def _limits(kind: Any) -> dict[str, Any]:
    """Give the limits of a type, Typer's own or that of a struct's field, by msgspec's names: ge, gt, le, lt."""
    own = {"ge": getattr(kind, "min", None), "le": getattr(kind, "max", None)}
    return getattr(
        getattr(kind, "func", None), "limits", {key: value for key, value in own.items() if value is not None}
    )


def _default(parameter: Any) -> str:
    shown, value = getattr(parameter, "show_default", True), parameter.default
    if isinstance(shown, str):
        value = shown
    elif not shown or callable(value) or value is None or value in ("", [], ()):
        return ""
    elif isinstance(value, bool):
        value = ("on" if value else "off") if parameter.secondary_opts else ""
    elif isinstance(value, (list, tuple)):
        value = ",".join(_number(item) for item in value)
    return f"default: {_number(value)}" if value != "" else ""


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(getattr(value, "value", value))


def _width() -> int:
    return min(_WIDTH, shutil.get_terminal_size().columns) if sys.stdout.isatty() else _WIDTH


def _wrap(text: str, indent: str = "") -> str:
    return textwrap.fill(" ".join(text.split()), _width(), initial_indent=indent, subsequent_indent=indent)


def _table(rows: list[Row], column: int = _COLUMN) -> str:
    """Set names left and help right of a column; names that do not fit take a line of their own."""
    lines = []
    for names, text in rows:
        whole = re.sub(r"\[[^]]{,40}\]", lambda found: found[0].replace(" ", "\xa0"), text)  # keep brackets in one line
        wrapped = textwrap.wrap(whole, max(_width() - column - 2, 20), break_long_words=False) or [""]
        wrapped = [line.replace("\xa0", " ") for line in wrapped]
        if len(names) + 2 > column:
            lines.append(f"  {names}")
        else:
            lines.append(f"  {names:<{column - 2}}  {wrapped.pop(0)}".rstrip())
        lines += [" " * (column + 2) + line for line in wrapped]
    return "\n".join(lines)
