"""Where a value comes from when no flag gives it: `pyproject.toml` < `focalcli.toml` < `FOCALCLI_*` < flags.

A verb's author has nothing to do: what is found here becomes the verb's defaults before the command line is parsed, so
that flags win by themselves and the verb stays a plain function. A key is the flag's name without its dashes (or the
name of a positional argument); `image-size` and `image_size` are the same key. At the top of the file stand the keys
of `SHARED`, which go to every verb that has such an option; the rest stands in a table of the verb's name:

    model = "runs/first/best.safetensors"

    [train]
    epochs = 20

The same in the environment is `FOCALCLI_MODEL` and `FOCALCLI_TRAIN_EPOCHS`. Paths are relative to the working
directory, as flags are. Only the verb at hand is checked to the last key; `focalcli config show` checks them all.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import typer

from focalcli.errors import ConfigError, did_you_mean

FILE = "focalcli.toml"
PREFIX = "FOCALCLI_"

# Keys that may stand outside a table: they mean the same in every verb that knows them, but for a few.
SHARED = ("data", "model", "images", "device", "max_pixels", "seed")
NOT_SHARED = {
    ("convert", "images"): "says what becomes of the photos",
    ("merge", "images"): "says what becomes of the photos",
    ("export", "data"): "asks for a measurement, which takes its time",
}

# Environment variables that are not settings of a verb: `cli/common.py` and `dataset/formats/table.py` read them.
PROGRAM = ("CONFIG", "COLOR", "ERROR_FORMAT", "NO_PLUGINS")

# What TOML must hold for each kind of option; kinds that are not here check for themselves.
_TOML: dict[str, tuple[tuple[type, ...], str]] = {
    "boolean": ((bool,), "true or false"),
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "str": ((str,), "text in quotes"),
    "path": ((str,), "a path in quotes"),
    "file": ((str,), "a path in quotes"),
    "directory": ((str,), "a path in quotes"),
    "choice": ((str,), "a word in quotes"),
    "list": ((list,), "a list"),
    "batch": ((int, str), 'a whole number or "auto"'),
}

# Typer keeps Click's classes private. Of a command we use `name` and `params`; of a parameter its names and its type.
Command = Any
Parameter = Any
Key = tuple[str, str]  # (verb, key); the verb is "" for a shared key


class Setting(NamedTuple):
    """A value as it was found, and where: `focalcli.toml: [train] epochs` or `FOCALCLI_TRAIN_EPOCHS`."""

    value: Any
    origin: str
    layer: int  # the higher layer wins; within a layer, the verb's own table


Settings = dict[Key, Setting]

ENVIRONMENT = 2  # the layer above the two files


def find(folder: Path, environment: Mapping[str, str], verbs: Collection[str], *, file: Path | None = None) -> Settings:
    """Gather all settings, the stronger over the weaker; `file` stands in the place of the two files.

    Raises:
        ConfigError: a file cannot be read, or names a table or a shared key that does not exist.
    """
    settings: Settings = {}
    for layer, path in enumerate([file] if file else [folder / "pyproject.toml", folder / FILE]):
        if path == file or path.is_file():
            settings |= _from_file(path, verbs, layer)
    return settings | _from_environment(environment, verbs)


def defaults(settings: Settings, command: Command) -> dict[str, Any]:
    """Give the checked value of each parameter of a verb's command that the settings name, by parameter name.

    Raises:
        ConfigError: a key of this verb is unknown or its value has the wrong type.
    """
    by_key = {key_of(parameter): parameter for parameter in command.params}
    for (owner, key), setting in settings.items():
        if owner == command.name and key not in by_key:
            raise ConfigError(setting.origin, "no such key", did_you_mean(key, by_key))
    context = typer.Context(command)
    found = {key: strongest(settings, command.name, key) for key in by_key}
    return {by_key[key].name: _checked(by_key[key], setting, context) for key, setting in found.items() if setting}


def strongest(settings: Settings, verb: str, key: str) -> Setting | None:
    """Give the setting of a verb's key that wins: the higher layer, then the verb's own over the shared one."""
    owners = (verb,) if (verb, key) in NOT_SHARED else ("", verb)
    found = [setting for owner in owners if (setting := settings.get((owner, key)))]
    return max(reversed(found), key=lambda setting: setting.layer, default=None)


def given(context: Any, environment: Mapping[str, str], verbs: Collection[str]) -> set[str]:
    """Give the names of a verb's parameters that flags or the environment have set, not a file."""
    told = {key for owner, key in _from_environment(environment, verbs) if owner in ("", context.command.name)}
    return {
        parameter.name
        for parameter in context.command.params
        if key_of(parameter) in told or context.get_parameter_source(parameter.name).name == "COMMANDLINE"
    }


def key_of(parameter: Parameter) -> str:
    """Give the key of an option or argument: its longest flag without dashes, words joined by `_`."""
    return str(max(parameter.opts, key=len)).lstrip("-").replace("-", "_")


def _from_file(path: Path, verbs: Collection[str], layer: int) -> Settings:
    content = _load(path)
    place = str(path.name if path.parent == Path() else path)
    if path.name == "pyproject.toml":
        tool = content.get("tool")
        content = tool.get("focalcli", {}) if isinstance(tool, dict) else {}
    settings: Settings = {}
    for name, value in content.items():
        if isinstance(value, dict):
            _known(f"{place}: [{name}]", name, verbs, "no such verb")
            for key, item in value.items():
                settings[name, _key(key)] = Setting(item, f"{place}: [{name}] {key}", layer)
        else:
            _known(f"{place}: {name}", _key(name), SHARED, "not a key that stands outside a table")
            settings["", _key(name)] = Setting(value, f"{place}: {name}", layer)
    return settings


def _load(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(path, f"cannot be read ({(error.strerror or str(error)).lower()})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(path, "is not UTF-8 text") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(path, f"is not TOML: {error}") from error


def _from_environment(environment: Mapping[str, str], verbs: Collection[str]) -> Settings:
    settings: Settings = {}
    for name in sorted(environment):
        key = name.removeprefix(PREFIX)
        if key == name or key in PROGRAM or not environment[name]:
            continue
        verb = next((verb for verb in verbs if key.startswith(verb.upper() + "_")), "")
        key = key[len(verb) + 1 :].lower() if verb else key.lower()
        if not verb:
            _known(name, name, [PREFIX + word.upper() for word in (*SHARED, *PROGRAM)], "no such setting")
        settings[verb, key] = Setting(environment[name], name, ENVIRONMENT)
    return settings


def _key(name: str) -> str:
    return name.replace("-", "_")


def _known(place: str, word: str, words: Collection[str], fact: str) -> None:
    if word not in words:
        raise ConfigError(place, fact, did_you_mean(word, words))


def _checked(parameter: Parameter, setting: Setting, context: typer.Context) -> Any:
    """Convert a value as the flag would, but take no number for text nor text for a number from a file."""
    value, origin, layer = setting
    repeated = parameter.multiple or parameter.nargs != 1
    if layer == ENVIRONMENT:
        value = value.split(",") if repeated else value
    else:
        value = [value] if repeated and not isinstance(value, list) else value
        for item in value if repeated else [value]:
            _check_type(parameter.type.name, item, origin)
    try:
        parameter.type_cast_value(context, value)
    except typer.BadParameter as error:
        raise ConfigError(origin, error.message.rstrip(".")) from error
    return value


def _check_type(kind: str, value: Any, origin: str) -> None:
    if value in kind.split(" or ")[1:]:
        return
    types, words = _TOML.get(kind.split()[0], ((object,), ""))
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise ConfigError(origin, f"must be {words}, not {value!r}")
