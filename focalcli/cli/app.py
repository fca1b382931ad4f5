"""The table of verbs, and the Typer application built from it. Only the module of the verb at hand is imported."""

from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

import typer

from focalcli import __version__


class Verb(NamedTuple):
    """Where a verb is defined (`module:function`), its section in the help, and its sentence."""

    target: str
    section: str
    help: str


VERBS: dict[str, Verb] = {
    "convert": Verb("focalcli.cli.convert:convert", "The path", "Convert annotations from one format to another."),
    "train": Verb("focalcli.cli.train:train", "The path", "Train a detector on annotated photos."),
    "evaluate": Verb("focalcli.cli.evaluate:evaluate", "The path", "Measure mean average precision on a data set."),
    "detect": Verb("focalcli.cli.detect:detect", "The path", "Find objects in photos, as a stream of JSON lines."),
    "export": Verb("focalcli.cli.export:export", "The path", "Write a model as one ONNX file, proved equal."),
    "demo": Verb("focalcli.cli.demo:demo", "Data", "Write a small synthetic data set to try things on."),
}


def load(verb: str) -> Callable[..., None]:
    """Import the function behind a verb."""
    module, _, function = VERBS[verb].target.partition(":")
    loaded: Callable[..., None] = getattr(import_module(module), function)
    return loaded


def build(arguments: list[str]) -> typer.Typer:
    """Build the application: the verb at hand in full, the others as their sentence."""
    app = typer.Typer(
        name="focalcli",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
        help="From annotated photos to a verified object detector.",
    )
    app.callback()(_root)
    chosen = next((word for word in arguments if not word.startswith("-")), None)
    for name, verb in VERBS.items():
        app.command(name, help=None if name == chosen else verb.help)(load(name) if name == chosen else _stub)
    return app


def _stub() -> None:
    """Stand for a verb that is not being called."""


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"focalcli {__version__}")
        raise typer.Exit


def _root(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    """Hold the options of the program itself."""
