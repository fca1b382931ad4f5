"""The options that every verb takes: how much to say, in which colours, how errors look, which configuration file.

They are taken out of the command line before the verb's own options are parsed, so that they may stand anywhere and
hold even when the rest cannot be understood.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from focalcli.errors import ConfigError, UsageError, did_you_mean


class Common(NamedTuple):
    """What the common options were set to."""

    config: str = ""
    verbosity: int = 0  # below 0 only errors, above 0 details
    color: str = "auto"
    error_format: str = "text"
    debug: bool = False


# Names, metavar and help, as the help texts, the manual and the completions show them.
HELP = (
    (("--config",), "FILE", "Read settings from this file instead of focalcli.toml."),
    (("-q", "--quiet"), "", "Say nothing but errors."),
    (("-v", "--verbose"), "", "Say more."),
    (
        ("--color",),
        "auto|always|never",
        "Whether to colour; auto does on a terminal, unless NO_COLOR is set. [default: auto]",
    ),
    (("--error-format",), "text|json", "An error as one line or as one JSON object. [default: text]"),
    (("--debug",), "", "Show the traceback of an error."),
    (("-h", "--help"), "", "Show this help."),
)
_STEPS = {"-q": -1, "-qq": -2, "--quiet": -1, "-v": 1, "-vv": 2, "--verbose": 1}
VALUES: dict[str, tuple[str, ...]] = {  # option -> its choices; none: any text
    "--config": (),
    "--color": ("auto", "always", "never"),
    "--error-format": ("text", "json"),
}


def split(arguments: list[str], environment: Mapping[str, str]) -> tuple[list[str], Common]:
    """Take the common options out of the command line: give the other words, and what the options were set to.

    Raises:
        UsageError: an option lacks its value, or has one it does not know.
        ConfigError: a variable of the environment has such a value.
    """
    common = _from_environment(environment)
    words: list[str] = []
    rest = iter(arguments)
    for word in rest:
        name, joined, value = word.partition("=")
        if word == "--":
            words += [word, *rest]
        elif name in VALUES:
            given = value if joined else next(rest, "")
            common = _set(common, name, given, UsageError(name, *_complaint(given, VALUES[name])))
        elif word in _STEPS:
            common = common._replace(verbosity=common.verbosity + _STEPS[word])
        elif word == "--debug":
            common = common._replace(debug=True)
        else:
            words.append(word)
    return words, common


def _from_environment(environment: Mapping[str, str]) -> Common:
    common = Common()
    for name, choices in VALUES.items():
        variable = "FOCALCLI_" + _field(name).upper()
        if given := environment.get(variable):
            common = _set(common, name, given, ConfigError(variable, *_complaint(given, choices)))
    return common


def _set(common: Common, name: str, given: str, error: UsageError | ConfigError) -> Common:
    if not given or (VALUES[name] and given not in VALUES[name]):
        raise error
    change: dict[str, Any] = {_field(name): given}
    return common._replace(**change)


def _complaint(given: str, choices: tuple[str, ...]) -> tuple[str, str]:
    if not given:
        return "needs a value", ", ".join(choices)
    return f"no such choice {given!r}", did_you_mean(given, choices)


def _field(name: str) -> str:
    return name.lstrip("-").replace("-", "_")
