"""`focalcli insight`: what anchors and focal loss do to a data set, one topic at a time."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from focalcli.cli.console import detail, say
from focalcli.files import write_text

if TYPE_CHECKING:
    from focalcli.dataset.types import Dataset
    from focalcli.detection.retinanet import RetinaNet

Topic = Literal["anchors", "loss", "curve", "tune", "audit", "lab"]


class Request(NamedTuple):
    """What the command line asked for."""

    data: Path
    model: Path | None
    split: str | None
    images: Path | None
    preset: str
    min_size: int | None
    fit: bool
    folds: int
    epochs: int
    seed: int
    output: Path | None
    gammas: str | None
    alphas: str | None
    betas: str | None
    ohem: bool
    steps: int


# Options that only some topics read: elsewhere they would be silently without effect.
OWN_OPTIONS: dict[str, tuple[str, ...]] = {
    "anchors": ("preset", "min_size", "fit"),
    "tune": ("gammas", "alphas", "betas", "ohem", "steps"),
    "lab": ("steps",),
    "audit": ("preset", "folds", "epochs"),
}


def insight(
    context: typer.Context,
    topic: Annotated[
        Topic,
        typer.Argument(
            help="anchors: do they cover the objects. loss: which examples make it up (Figure 4). curve: Figure 1. "
            "tune: gamma and alpha on frozen features. audit: errors in the labels. lab: the paper's tables, small."
        ),
    ],
    data: Annotated[Path, typer.Argument(help="Data set: a folder or an annotation file.")] = Path("."),
    model: Annotated[Path | None, typer.Option(help="Model file, .safetensors.")] = None,
    split: Annotated[str | None, typer.Option(help="Look at this split only.")] = None,
    images: Annotated[Path | None, typer.Option(metavar="DIR", help="Where the photos are.")] = None,
    preset: Annotated[str, typer.Option(help="Model to train, where none is named (anchors, audit).")] = "lite0",
    min_size: Annotated[
        int | None, typer.Option(min=16, help="Shorter side of a photo in the network, pixels (anchors).")
    ] = None,
    fit: Annotated[bool, typer.Option("--fit", help="Fit anchors to the data and write the settings (anchors).")] = (
        False
    ),
    folds: Annotated[
        int, typer.Option(min=2, max=5, help="Models that each leave one part of the photos out (audit).")
    ] = 3,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the photos (audit).")] = 12,
    gammas: Annotated[
        str | None,
        typer.Option(metavar="NUMBER,...", help="Try these with every alpha, not the twelve settings (tune)."),
    ] = None,
    alphas: Annotated[
        str | None, typer.Option(metavar="NUMBER,...", help="Try these with every gamma; `none` is off (tune).")
    ] = None,
    betas: Annotated[
        str | None, typer.Option(metavar="NUMBER,...", help="Try focal-star too, every gamma with each (tune).")
    ] = None,
    ohem: Annotated[bool, typer.Option("--ohem", help="Try OHEM too (tune).")] = False,
    steps: Annotated[int, typer.Option(min=1, help="Steps that each setting is trained (tune, lab).")] = 160,
    seed: Annotated[int, typer.Option(min=0, help="Where random numbers start.")] = 0,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Write tables and pictures into this folder.")
    ] = None,
) -> None:
    """Show what anchors and focal loss do to your data.

    Prints one JSON object; with -o also tables (CSV, JSON lines) and pictures (PNG) into a folder. tune and lab train
    the last layer of a model anew for each setting; audit trains one model a fold unless --model names one, which
    must not have seen the photos.

    Example: focalcli insight anchors bay --fit -o insight
    """
    request = Request(
        data, model, split, images, preset, min_size, fit, folds, epochs, seed, output,
        gammas, alphas, betas, ohem, steps,
    )  # fmt: skip
    _refuse_foreign(context, topic)
    print(json.dumps(TOPICS[topic](request), indent=2))


def _anchors(request: Request) -> dict[str, Any]:
    from focalcli.config import ClassInfo, model_config
    from focalcli.insight.anchors import as_settings, fitted, resized_to, study, what_if

    dataset = _dataset(request)
    if request.model is not None:
        config = _network(request).config
    else:
        config = model_config(request.preset, tuple(ClassInfo(c.name, c.source_id) for c in dataset.categories))
    if request.min_size is not None:
        config = resized_to(config, request.min_size)
    found = study(dataset, config)
    result = {**found.as_dict(), "what_if": what_if(dataset, config)}
    if request.fit:
        result["settings"] = as_settings(fitted(dataset, config))
    if request.output is not None:
        from focalcli.insight.anchor_picture import draw_anchors

        draw_anchors(found, request.output / "anchors.png")
        if request.fit:
            write_text(request.output / "focalcli.toml", result["settings"])
    return result


def _loss(request: Request) -> dict[str, Any]:
    from focalcli.insight.concentration import as_csv, draw_shares, shares, summary, wrongness

    dataset = _dataset(request)
    counts = wrongness(_network(request), dataset)
    result = summary(counts)
    if request.output is not None:
        curves = shares(counts)
        write_text(request.output / "loss.csv", as_csv(curves))
        write_text(request.output / "loss.json", json.dumps(result, indent=2) + "\n")
        draw_shares(curves, request.output / "loss.png")
    return result


def _curve(request: Request) -> dict[str, Any]:
    from focalcli.insight.curve import GAMMAS, as_csv, draw_curves, easy_factors

    if request.output is not None:
        write_text(request.output / "curve.csv", as_csv())
        draw_curves(request.output / "curve.png")
    return {"gammas": list(GAMMAS), "cross_entropy_over_focal": easy_factors()}


def _refuse_foreign(context: typer.Context, topic: str) -> None:
    """Refuse an option that another topic reads and this one does not.

    Raises:
        UsageError: naming the option and the topics it is for.
    """
    from focalcli.errors import UsageError

    own = OWN_OPTIONS.get(topic, ())
    for name in dict.fromkeys(option for options in OWN_OPTIONS.values() for option in options):
        source = context.get_parameter_source(name)
        if name not in own and source is not None and source.name == "COMMANDLINE":
            topics = " and ".join(t for t, options in OWN_OPTIONS.items() if name in options)
            raise UsageError(f"--{name.replace('_', '-')}", f"does nothing for {topic}", f"it is for {topics}")


def _tune(request: Request) -> dict[str, Any]:
    from focalcli.insight.parts import learn_and_measure
    from focalcli.insight.search import command_line, settings_from
    from focalcli.insight.trial_picture import draw_trials
    from focalcli.insight.tune import budget, tune

    settings = settings_from(request.gammas, request.alphas, request.betas, ohem=request.ohem)
    train, test = learn_and_measure(_dataset(request))
    trials = tune(_network(request), train, test, seed=request.seed, settings=settings, steps=request.steps)
    best = trials[0]
    result = {
        "budget": budget(train, test, steps=request.steps),
        "trials": [trial.as_dict(best) for trial in trials],
        "recommended": best.as_dict(),
        "not_surely_worse": sum(trial.behind(best).low <= 0 for trial in trials[1:]),
        "command": command_line(best.loss, str(request.data)),
    }
    if request.output is not None:
        write_text(request.output / "tune.json", json.dumps(result, indent=2) + "\n")
        draw_trials(trials, request.output / "tune.png")
    return result


def _audit(request: Request) -> dict[str, Any]:
    from focalcli.insight.audit import KINDS, audit
    from focalcli.insight.cross_predict import cross_predictions, given_predictions
    from focalcli.insight.fix_list import as_lines, surest, write_coco, write_contact_sheet, write_fix_list
    from focalcli.train_config import TrainConfig

    dataset = _dataset(request)
    if request.model is not None:
        predictions = given_predictions(_network(request), dataset)
    else:
        config = TrainConfig(preset=request.preset, epochs=request.epochs, seed=request.seed)
        predictions = cross_predictions(dataset, config, count=request.folds, report=say)
    findings = audit(dataset, predictions)
    # A label or place can be wrong in several ways; as many of each kind are listed as one in twenty labels.
    listed = surest(findings, max(len(dataset.boxes) // 20, 1))
    if request.output is not None:
        write_fix_list(request.output / "fixes.jsonl", dataset, listed)
        write_coco(request.output / "suggestions.json", dataset, listed)
        write_contact_sheet(request.output / "contact.png", dataset, surest(findings, 12))
    top = {kind: as_lines(dataset, [f for f in findings if f.kind == kind][:5]) for kind in KINDS}
    return {"photos": len(dataset.images), "labels": len(dataset.boxes), "listed": len(listed), "surest": top}


def _lab(request: Request) -> dict[str, Any]:
    from focalcli.insight.lab import as_markdown, draw_lab, run_lab
    from focalcli.insight.parts import learn_and_measure
    from focalcli.insight.tune import budget

    train, test = learn_and_measure(_dataset(request))
    tables = run_lab(_network(request), train, test, seed=request.seed, steps=request.steps)
    if request.output is not None:
        write_text(request.output / "lab.json", json.dumps(tables, indent=2) + "\n")
        write_text(request.output / "lab.md", as_markdown(tables))
        draw_lab(tables, request.output / "lab.png")
    return {"budget": budget(train, test, steps=request.steps), "tables": tables}


TOPICS: dict[str, Callable[[Request], dict[str, Any]]] = {
    "anchors": _anchors,
    "loss": _loss,
    "curve": _curve,
    "tune": _tune,
    "audit": _audit,
    "lab": _lab,
}


def _dataset(request: Request) -> "Dataset":
    """Read the data set, or its split; say what the reader found.

    Raises:
        DataError: it holds no class or no object.
    """
    from focalcli.dataset.read import read_dataset
    from focalcli.errors import DataError

    dataset = read_dataset(request.data, images=request.images, split=request.split)
    for finding in dataset.findings:
        (detail if finding.severity == "info" else say)(str(finding))
    if not dataset.categories or not len(dataset.boxes):
        raise DataError(request.data, f"holds no {'object' if dataset.categories else 'class'}", "annotate some first")
    return dataset


def _network(request: Request) -> "RetinaNet":
    """Load the model that is meant; say which."""
    from focalcli.checkpoint import load_model
    from focalcli.inference.open import find_model

    path = find_model(request.model)
    say(f"model: {path}")
    return load_model(path)
