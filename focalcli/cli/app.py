"""The table of verbs, and the Typer command behind each. Only the module of the verb at hand is imported."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple


class Verb(NamedTuple):
    """Where a verb is defined (`module:function`), its section in the help, and its sentence."""

    target: str
    section: str
    help: str


VERBS: dict[str, Verb] = {
    "convert": Verb(
        "focalcli.cli.convert:convert", "From photos to detector", "Convert annotations from one format to another."
    ),
    "train": Verb("focalcli.cli.train:train", "From photos to detector", "Train a detector on annotated photos."),
    "evaluate": Verb(
        "focalcli.cli.evaluate:evaluate", "From photos to detector", "Measure mean average precision on a data set."
    ),
    "detect": Verb(
        "focalcli.cli.detect:detect", "From photos to detector", "Find objects in photos, as a stream of JSON lines."
    ),
    "export": Verb(
        "focalcli.cli.export:export",
        "From photos to detector",
        "Write a model as one ONNX file that gives the same answers.",
    ),
    "verify": Verb("focalcli.cli.verify:verify", "Models", "Check an exported file against its certificate."),
    "import": Verb(
        "focalcli.cli.import_model:import_model", "Models", "Turn another program's RetinaNet into a checkpoint."
    ),
    "split": Verb("focalcli.cli.split:split", "Data", "Split a data set anew, every class in its ratio."),
    "inspect": Verb("focalcli.cli.inspect:inspect", "Data", "Show what a data set holds: classes, box sizes, photos."),
    "validate": Verb(
        "focalcli.cli.validate:validate", "Data", "Check a data set for errors, duplicates, damage and leaks."
    ),
    "merge": Verb("focalcli.cli.merge:merge", "Data", "Merge two data sets into one."),
    "demo": Verb("focalcli.cli.demo:demo", "Data", "Write a small synthetic data set to try things on."),
    "runs": Verb("focalcli.cli.runs:runs", "Models", "List trainings with their best numbers, best first."),
    "compare": Verb("focalcli.cli.compare:compare", "Models", "Compare two models on the same photos, with intervals."),
    "calibrate": Verb(
        "focalcli.cli.calibrate:calibrate", "Models", "Choose a score threshold for each class, to a target."
    ),
    "doctor": Verb(
        "focalcli.cli.doctor:doctor", "Shell", "Say what this machine can do and try the whole chain on it."
    ),
    "insight": Verb("focalcli.cli.insight:insight", "Models", "Show what anchors and focal loss do to your data."),
    "config": Verb(
        "focalcli.cli.config:config", "Shell", "Show what is configured and where, or write a file to start from."
    ),
    "schema": Verb(
        "focalcli.cli.schema:schema", "Shell", "Print the JSON Schema of a file or stream, for editors and scripts."
    ),
    "completions": Verb(
        "focalcli.cli.completions:completions", "Shell", "Print the script that teaches a shell to complete focalcli."
    ),
    "man": Verb(
        "focalcli.cli.man:man",
        "Shell",
        "Print the manual page, for man to show.",
    ),
}


def load(verb: str) -> Callable[..., None]:
    """Import the function behind a verb."""
    module, _, function = VERBS[verb].target.partition(":")
    loaded: Callable[..., None] = getattr(import_module(module), function)
    return loaded


def command(verb: str) -> Any:
    """Build the Typer command of a verb; a struct among its parameters becomes one option per field."""
    import typer

    from focalcli.cli.options import expand

    app = typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.command(verb)(expand(load(verb)))
    return typer.main.get_command(app)
