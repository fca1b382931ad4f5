"""The topics of `focalcli insight`: what each computes, prints and writes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from focalcli.cli.console import detail, say
from focalcli.files import write_text
from focalcli.insight.options import TopicOptions

if TYPE_CHECKING:
    from focalcli.dataset.types import Dataset
    from focalcli.detection.retinanet import RetinaNet
    from focalcli.evaluation.metrics import Metrics

_KNOWN = 0.5  # AP50 below which a model's word on a class is not worth a look at its labels


class Request(NamedTuple):
    """What the command line asked for."""

    data: Path
    model: Path | None
    split: str | None
    images: Path | None
    seed: int
    output: Path | None
    options: TopicOptions


def _anchors(request: Request) -> dict[str, Any]:
    from focalcli.config import ClassInfo, model_config
    from focalcli.insight.anchors import as_settings, fitted, resized_to, study, what_if

    dataset = _dataset(request)
    if request.model is not None:
        config = _network(request).config
    else:
        config = model_config(request.options.preset, tuple(ClassInfo(c.name, c.source_id) for c in dataset.categories))
    if request.options.min_size is not None:
        config = resized_to(config, request.options.min_size)
    found = study(dataset, config)
    result = {**found.as_dict(), "what_if": what_if(dataset, config)}
    if request.options.fit:
        result["settings"] = as_settings(fitted(dataset, config))
    if request.output is not None:
        from focalcli.insight.anchor_picture import draw_anchors

        draw_anchors(found, request.output / "anchors.png")
        if request.options.fit:
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


def _tune(request: Request) -> dict[str, Any]:
    from focalcli.insight.parts import learn_and_measure
    from focalcli.insight.search import command_line, settings_from
    from focalcli.insight.trial_picture import draw_trials
    from focalcli.insight.tune import budget, tune

    settings = settings_from(
        request.options.gammas, request.options.alphas, request.options.betas, ohem=request.options.ohem
    )
    train, test = learn_and_measure(_dataset(request))
    trials = tune(_network(request), train, test, seed=request.seed, settings=settings, steps=request.options.steps)
    best = trials[0]
    result = {
        "budget": budget(train, test, steps=request.options.steps),
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
    from focalcli.evaluation.coco import evaluate
    from focalcli.insight.audit import KINDS, audit
    from focalcli.insight.contact_sheet import write_contact_sheet
    from focalcli.insight.cross_predict import cross_predictions, given_predictions
    from focalcli.insight.fix_list import as_lines, surest, write_coco, write_fix_list
    from focalcli.train_config import TrainConfig

    dataset = _dataset(request)
    if request.model is not None:
        predictions = given_predictions(_network(request), dataset)
    else:
        config = TrainConfig(preset=request.options.preset, epochs=request.options.epochs, seed=request.seed)
        predictions = cross_predictions(dataset, config, count=request.options.folds, report=say)
    metrics = evaluate(dataset, predictions)
    findings = audit(dataset, predictions)
    # A label or place can be wrong in several ways; as many of each kind are listed as one in twenty labels.
    listed = surest(findings, max(len(dataset.boxes) // 20, 1))
    if request.output is not None:
        write_fix_list(request.output / "fixes.jsonl", dataset, listed)
        write_coco(request.output / "suggestions.json", dataset, listed)
        write_contact_sheet(request.output / "contact.png", dataset, listed)
        say(f"look at {request.output / 'contact.png'}; its numbers are the lines of fixes.jsonl beside it")
    found = _found_by_class(metrics)
    return {
        "photos": len(dataset.images),
        "labels": len(dataset.boxes),
        "AP50": found,
        "listed": {kind: sum(f.kind == kind for f in listed) for kind in KINDS},
        "surest": {kind: as_lines(dataset, [f for f in listed if f.kind == kind][:5]) for kind in KINDS},
    }


def _found_by_class(metrics: "Metrics") -> dict[str, float | None]:
    """Give AP50 of each class, None where it has no object; say which classes the models hardly know.

    What such a model says of a label tells of the model.
    """
    found = {c.name: None if (v := c.values["AP50"]) != v else round(v, 4) for c in metrics.classes}
    weak = [f"{name} {value:.2f}" for name, value in found.items() if value is not None and value < _KNOWN]
    if weak:
        fact = f"AP50 of {', '.join(weak)}: hardly known to the models, so doubt these before the labels"
        say(f"{fact}; models that learned longer (--epochs, --model) say more")
    return found


def _lab(request: Request) -> dict[str, Any]:
    from focalcli.insight.lab import as_markdown, draw_lab, run_lab
    from focalcli.insight.parts import learn_and_measure
    from focalcli.insight.tune import budget

    train, test = learn_and_measure(_dataset(request))
    tables = run_lab(_network(request), train, test, seed=request.seed, steps=request.options.steps)
    if request.output is not None:
        write_text(request.output / "lab.json", json.dumps(tables, indent=2) + "\n")
        write_text(request.output / "lab.md", as_markdown(tables))
        draw_lab(tables, request.output / "lab.png")
    return {"budget": budget(train, test, steps=request.options.steps), "tables": tables}


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
