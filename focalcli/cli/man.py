"""`focalcli man`: the manual, written from the same pages as the help."""

from focalcli import __version__
from focalcli.cli import pages
from focalcli.cli.app import VERBS, command
from focalcli.cli.failures import EXIT_CODES
from focalcli.cli.settings import FILE


def man() -> None:
    """Print the manual page, for man to show.

    Where pip installed the package, `man focalcli` shows it.

    Example:
        focalcli man | man -l -
    """
    print(manual(), end="")


def manual() -> str:
    """Write the manual: every verb with its options, then exit codes, settings and files."""
    shown = [pages.page(command(verb)) for verb in VERBS]
    lines = [
        f'.TH FOCALCLI 1 "" "focalcli {__version__}" "User Commands"',
        *_section("NAME", _text("focalcli - " + pages.SENTENCE[0].lower() + pages.SENTENCE[1:].rstrip("."))),
        *_section("SYNOPSIS", [r".B focalcli", r"\fIVERB\fR [\fIARGUMENTS\fR] [\fIOPTIONS\fR]"]),
        *_section("VERBS", [line for page in shown for line in _verb(page)]),
        *_section("OPTIONS OF ANY VERB", _rows(shown[0].sections["Any verb"])),
        *_section("EXIT STATUS", _rows([pages.Row(str(code), text) for code, text in EXIT_CODES.items()])),
        *_section("ENVIRONMENT", _rows(_ENVIRONMENT)),
        *_section("FILES", _rows(_FILES)),
        *_section("EXAMPLE", _example(pages.EXAMPLE)),
    ]
    return "\n".join(lines) + "\n"


_ENVIRONMENT = [
    pages.Row("FOCALCLI_KEY, FOCALCLI_VERB_KEY", "A default for the option KEY of every verb, or of one."),
    pages.Row("NO_COLOR", "If not empty, no colours."),
]
_FILES = [
    pages.Row(FILE, "Defaults for options, in the working directory; [tool.focalcli] of pyproject.toml is read too."),
    pages.Row("runs/", "Where trainings are written; the newest finished one is the default model."),
]


def _verb(page: pages.Page) -> list[str]:
    lines = [f".SS {_escape(page.usage)}", *_text(page.sentence)]
    for paragraph in page.paragraphs:
        lines += [".PP", *_text(" ".join(paragraph.split()))]
    for title, rows in page.sections.items():
        if title != "Any verb":
            lines += [".PP", rf"\fB{_escape(title)}\fR", ".RS", *_rows(rows), ".RE"]
    return lines + ([".PP", "Example:", *_example(page.example)] if page.example else [])


def _section(title: str, lines: list[str]) -> list[str]:
    return [f".SH {title}", *lines]


def _rows(rows: list[pages.Row]) -> list[str]:
    return [line for row in rows for line in (".TP", rf"\fB{_escape(row.names)}\fR", *_text(row.help or "-"))]


def _example(lines: tuple[str, ...]) -> list[str]:
    return [".PP", ".RS 4", ".nf", *(_line(line) for line in lines), ".fi", ".RE"]


def _text(text: str) -> list[str]:
    return [_line(text)]


def _line(text: str) -> str:
    """Escape a line of text; one that begins with a control character of roff is shielded from it."""
    escaped = _escape(text)
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


def _escape(text: str) -> str:
    return text.replace("\\", r"\e").replace("-", r"\-")
