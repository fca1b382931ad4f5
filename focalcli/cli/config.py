"""`focalcli config`: what is set and where, and a commented file to start from."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from focalcli.cli import settings
from focalcli.cli.app import VERBS, command
from focalcli.cli.console import common, say
from focalcli.errors import CannotWrite, UsageError, did_you_mean
from focalcli.files import write_text


def config(
    action: Annotated[Literal["show", "init"], typer.Argument(help="Show the settings, or write a commented file.")],
    verb: Annotated[str | None, typer.Argument(help="Show every option of this verb, set or not.")] = None,
    origin: Annotated[bool, typer.Option("--origin", help="Say where each value comes from.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, not TOML.")] = False,
    output: Annotated[Path, typer.Option("-o", "--output", help="The file that init writes.")] = Path(settings.FILE),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is at the destination.")] = False,
) -> None:
    """Show what is configured and where, or write a file to start from.

    Flags win over FOCALCLI_* variables, those over focalcli.toml, and that over [tool.focalcli] in pyproject.toml. A
    key is the name of a flag, in the table of its verb. `config show` checks all that is set, for every verb.

    Example:
        focalcli config show train --origin
    """
    if action == "init":
        _init(output, overwrite=overwrite)
        return
    if verb is not None and verb not in VERBS:
        raise UsageError("focalcli config", f"no such verb {verb}", did_you_mean(verb, VERBS))
    file = Path(common().config) if common().config else None
    found = settings.find(Path(), os.environ, VERBS, file=file)
    commands = {name: command(name) for name in VERBS}
    for each in commands.values():
        settings.defaults(found, each)
    rows = list(_all_of(commands[verb], found) if verb else _all_set(found, commands))
    if as_json:
        print(
            json.dumps(
                [dict(zip(("verb", "key", "value", "origin"), row, strict=True)) for row in rows], indent=2, default=str
            )
        )
    else:
        print(_toml(rows, origin=origin), end="")


# Options that belong to one call, not to a project: `config init` does not offer them.
_FOR_FLAGS_ONLY = ("output", "overwrite", "json", "resume")

Row = tuple[str, str, Any, str]  # verb ("" for a shared key), key, value, origin


def _all_set(found: settings.Settings, commands: dict[str, Any]) -> Iterator[Row]:
    """Give what is set: the shared keys, then each verb's own, as they take effect."""
    for verb, key in sorted(found):
        setting = found[verb, key]
        owners = [commands[verb]] if verb else commands.values()
        takers = [p for owner in owners for p in owner.params if settings.key_of(p) == key]
        yield verb, key, _value(takers[0], setting.value) if takers else setting.value, setting.origin


def _all_of(verb_command: Any, found: settings.Settings) -> Iterator[Row]:
    """Give every option of a verb with the value it would take."""
    for parameter in verb_command.params:
        key = settings.key_of(parameter)
        setting = settings.strongest(found, verb_command.name, key)
        value = _value(parameter, setting.value) if setting else parameter.default
        yield verb_command.name, key, value, setting.origin if setting else "default"


def _value(parameter: Any, given: Any) -> Any:
    """Convert what stands in the environment as text; a file's values are checked and stay as they are."""
    repeated = parameter.multiple or parameter.nargs != 1
    parts = given.split(",") if repeated and isinstance(given, str) else given
    converted = parameter.type_cast_value(typer.Context(command("config")), parts)
    return list(converted) if isinstance(converted, tuple) else converted


def _toml(rows: list[Row], *, origin: bool) -> str:
    lines: list[str] = []
    table = ""
    for verb, key, value, where in rows:
        if verb != table:
            lines += ["", f"[{verb}]"] if lines else [f"[{verb}]"]
            table = verb
        unset = value is None and where == "default"
        line = f"# {key} is not set" if unset else f"{key} = {toml_value(value)}"
        lines.append(f"{line:<40}  # {where}" if origin else line)
    return "".join(line + "\n" for line in lines)


def toml_value(value: Any) -> str:
    """Write a value as TOML; None, which TOML lacks, as the word our options take for it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(toml_value, value))}]"
    return json.dumps("none" if value is None else str(getattr(value, "value", value)))


def _init(path: Path, *, overwrite: bool) -> None:
    if os.path.exists(path) and not overwrite:
        raise CannotWrite(path, "exists", "name another file with -o or add --overwrite")
    write_text(path, template())
    print(path)
    say("every line is a comment: take the # away from what you want to change")


def template() -> str:
    """Give a configuration file with every key as a comment, its help and its default."""
    blocks = [
        "# Settings of focalcli: defaults for its flags. Take the # away to set a value.\n"
        "# FOCALCLI_* variables win over this file, flags over both; see `focalcli config show --origin`.\n\n"
        "# For every verb that has such an option:\n" + "".join(f"# {key} =\n" for key in settings.SHARED)
    ]
    for verb in VERBS:
        options = [p for p in command(verb).params if p.param_type_name == "option" and not p.required]
        own = [p for p in options if settings.key_of(p) not in (*settings.SHARED, *_FOR_FLAGS_ONLY)]
        if own and VERBS[verb].section != "Shell":
            blocks.append(f"[{verb}]\n" + "".join(map(_commented, own)))
    return "\n".join(blocks)


def _commented(parameter: Any) -> str:
    from focalcli.cli.pages import limits

    words = " ".join([*(parameter.help or "").split(), limits(parameter)]).strip()
    default = "" if parameter.default is None else " " + toml_value(parameter.default)
    return f"# {words}\n# {settings.key_of(parameter)} ={default}\n"
