"""`focalcli evaluate`: numbers of a model, or of saved predictions, on annotated photos."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from focalcli.cli.console import colored, detail, say
from focalcli.errors import DataError, UsageError

if TYPE_CHECKING:
    from focalcli.dataset.types import Dataset
    from focalcli.evaluation.columns import Predictions
    from focalcli.evaluation.metrics import Metrics

Format = Literal["table", "json", "csv", "junit"]


def evaluate(
    data: Annotated[Path, typer.Argument(help="Data set: a folder or an annotation file.")] = Path("."),
    split: Annotated[str | None, typer.Option(help="Measure on this split only.")] = None,
    model: Annotated[Path | None, typer.Option(help="Model file, .safetensors or .onnx.")] = None,
    predictions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Measure these saved detections: COCO results or JSON lines.")
    ] = None,
    images: Annotated[Path | None, typer.Option(metavar="DIR", help="Where the photos are.")] = None,
    predictions_out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Save the detections: .json COCO results, else JSON lines.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write the result here.")
    ] = None,
    format: Annotated[
        Format | None, typer.Option(help="Of the result. [default: table on a terminal, else json]")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    engine: Annotated[
        Literal["focalcli", "pycocotools"], typer.Option(help="Who computes; the numbers are the same.")
    ] = "focalcli",
    iou: Annotated[str | None, typer.Option(metavar="LIST", help="IoU thresholds. [default: COCO's ten]")] = None,
    max_dets: Annotated[
        str | None, typer.Option(metavar="LIST", help="Detections kept per image and class. [default: 1,10,100]")
    ] = None,
    area: Annotated[
        str | None, typer.Option(metavar="RANGES", help="Object areas, as small=0..1024,big=1024.. [default: COCO's]")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    batch: Annotated[int, typer.Option(min=1, help="Photos at once.")] = 4,
    max_pixels: Annotated[int, typer.Option(min=1, help="Refuse larger photos.")] = 178_956_970,
) -> None:
    """Measure mean average precision on a data set.

    The 12 COCO numbers and the same for every class, equal to pycocotools. NaN (null in JSON) says that there is no
    object to measure on.

    Example: focalcli evaluate bay --split test --predictions found.jsonl
    """
    from focalcli.evaluation.coco import evaluate as measure
    from focalcli.evaluation.predictions_file import write_predictions
    from focalcli.evaluation.reference import evaluate_with_pycocotools
    from focalcli.evaluation.settings import parse_settings

    settings = parse_settings(iou=iou, max_dets=max_dets, area=area)
    dataset = annotated(data, images=images, split=split)
    found = detections(dataset, model, predictions, device=device, batch=batch, max_pixels=max_pixels)
    if predictions_out is not None:
        write_predictions(predictions_out, dataset, found)
    run = measure if engine == "focalcli" else evaluate_with_pycocotools
    show(run(dataset, found, settings), "json" if json else format, output)


def annotated(data: Path, *, images: Path | None, split: str | None) -> "Dataset":
    """Read the data set to measure on, its boxes as they are in the file; say what was found and what is missing.

    Raises:
        DataError: it holds no image or no class.
    """
    from focalcli.dataset.format import ReadOptions
    from focalcli.dataset.read import read_dataset

    dataset = read_dataset(data, images=images, split=split, options=ReadOptions(bad_boxes="keep"))
    for finding in dataset.findings:
        (detail if finding.severity == "info" or finding.code == "W108" else say)(str(finding))
    if not dataset.images or not dataset.categories:
        raise DataError(data, f"holds no {'class' if dataset.images else 'image'}", "nothing can be measured on it")
    if not len(dataset.boxes):
        say(f"{data}: no object is annotated, so nothing can be measured")
    unseen = sum(not image.labelled for image in dataset.images)
    if unseen:
        say(f"{data}: {unseen} photos without labels count as photos without objects")
    return dataset


def detections(
    dataset: "Dataset", model: Path | None, saved: Path | None, *, device: str, batch: int, max_pixels: int
) -> "Predictions":
    """Read saved detections, or run the model that is meant; say what does not match.

    Raises:
        UsageError: both are named.
    """
    from focalcli.evaluation.predictions_file import read_predictions

    if saved is not None and model is not None:
        raise UsageError("--predictions", "cannot stand beside --model", "name one of the two")
    if saved is not None:
        loaded = read_predictions(saved, dataset)
    else:
        from focalcli.evaluation.predict import predict
        from focalcli.inference.open import find_model, open_runtime

        path = find_model(model)
        say(f"model: {path}")
        loaded = predict(open_runtime(path, device=device), dataset, batch=batch, max_pixels=max_pixels)
    for note in loaded.notes:
        say(note)
    return loaded.predictions


def show(metrics: "Metrics", format: Format | None, output: Path | None) -> None:
    """Print the numbers, or write them to a file: a table on a terminal, JSON elsewhere, or as asked."""
    from focalcli.evaluation.outputs import as_csv, as_dict, as_json, as_junit
    from focalcli.files import write_text

    chosen = format or ("table" if output is None and sys.stdout.isatty() else "json")
    if chosen == "table" and output is None:
        return print_table(metrics)
    writers = {"json": as_json, "csv": as_csv, "junit": as_junit, "table": as_csv}
    text = writers[chosen](as_dict(metrics))
    if output is None:
        print(text)
    else:
        write_text(output, text + "\n")


def print_table(metrics: "Metrics") -> None:
    """Print the numbers of all classes, then a row a class."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("class")
    for name in [*metrics.values, "objects"]:
        table.add_column(name, justify="right")
    total = sum(row.objects for row in metrics.classes)
    table.add_row("all", *(_three(value) for value in metrics.values.values()), str(total), style="bold")
    for row in metrics.classes:
        table.add_row(row.name, *(_three(value) for value in row.values.values()), str(row.objects))
    Console(no_color=not colored(sys.stdout), highlight=False, markup=False).print(table)


def _three(value: float) -> str:
    """Write a fraction as papers do: three digits after the point."""
    return "-" if value != value else f"{value:.3f}".removeprefix("0")
