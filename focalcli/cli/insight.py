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
    from focalcli.insight.tune import Trial

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


def insight(
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
    request = Request(data, model, split, images, preset, min_size, fit, folds, epochs, seed, output)
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


def _report(trial: "Trial") -> None:
    loss, (low, high) = trial.loss, trial.interval
    say(f"AP {trial.ap:.3f} ({low:.3f} to {high:.3f}): {loss.kind}, gamma {loss.gamma:g}, alpha {loss.alpha}")


def _tune(request: Request) -> dict[str, Any]:
    from focalcli.insight.parts import learn_and_measure
    from focalcli.insight.tune import command_line, tune

    train, test = learn_and_measure(_dataset(request))
    trials = tune(_network(request), train, test, seed=request.seed, report=_report)
    best = trials[0]
    close = [t.as_dict() for t in trials[1:] if t.ap >= best.interval.low]
    result = {
        "photos": [len(train.images), len(test.images)],
        "trials": [trial.as_dict() for trial in trials],
        "recommended": best.as_dict(),
        "within_its_interval": len(close),
        "command": command_line(best.loss, str(request.data)),
    }
    if request.output is not None:
        write_text(request.output / "tune.json", json.dumps(result, indent=2) + "\n")
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

    train, test = learn_and_measure(_dataset(request))
    tables = run_lab(_network(request), train, test, seed=request.seed, report=_report)
    if request.output is not None:
        write_text(request.output / "lab.json", json.dumps(tables, indent=2) + "\n")
        write_text(request.output / "lab.md", as_markdown(tables))
        draw_lab(tables, request.output / "lab.png")
    return {"photos": [len(train.images), len(test.images)], "tables": tables}


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
