"""`focalcli calibrate`: score thresholds that reach a target, put into the model file."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from focalcli.cli.console import say
from focalcli.cli.data_options import MAX_PIXELS, MaxPixels, PhotoFolder, Seed
from focalcli.cli.evaluate import annotated
from focalcli.cli.options import BATCH
from focalcli.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table


def calibrate(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Model file, .safetensors; the thresholds go into it.")
    ],
    data: Annotated[Path, typer.Argument(help="Data set, one the model was not trained on.")],
    target: Annotated[str, typer.Option(help="What each class must reach: precision=0.9, recall=0.95 or f1.")] = "f1",
    split: Annotated[str | None, typer.Option(metavar="NAME", help="Use this split only.")] = None,
    images: PhotoFolder = None,
    temperature: Annotated[
        bool, typer.Option("--temperature", help="Also scale the scores so that they say how often they are right.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Model file to write. [default: MODEL itself]")
    ] = None,
    format: Annotated[
        Literal["table", "json"] | None,
        typer.Option(help="Format of the result. [default: table on a terminal, else json]"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    seed: Seed = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    batch: Annotated[Any, BATCH] = "auto",
    max_pixels: MaxPixels = MAX_PIXELS,
) -> None:
    """Choose a score threshold for each class, to a target.

    The thresholds go into the model file; detect applies them and export takes them along. The held-out columns say
    what the thresholds of one half of the photos do on the other half. Evaluate before you calibrate: average
    precision needs the low scores too.

    Example: focalcli calibrate runs/bay/best.safetensors bay --split val --target precision=0.9
    """
    from focalcli.checkpoint import load_checkpoint, read_header, save_model
    from focalcli.cli.tables import print_result
    from focalcli.evaluation.calibrate import calibrate as choose
    from focalcli.evaluation.calibrate import uncalibrated
    from focalcli.evaluation.predict import predict
    from focalcli.evaluation.thresholds import parse_target

    wanted = parse_target(target)
    if model.suffix.lower() == ".onnx":
        raise UsageError(model, "an ONNX file is not changed", "calibrate the .safetensors file and export it again")
    config, state = load_checkpoint(model)
    dataset = annotated(data, images=images, split=split)
    loaded = predict(uncalibrated(model, device=device), dataset, batch=batch, max_pixels=max_pixels)
    for note in loaded.notes:
        say(note)
    done = choose(config, dataset, loaded.predictions, wanted, fit_temperature=temperature, seed=seed)
    names = [category.name for category in dataset.categories]
    for name, row in zip(names, done.classes, strict=True):
        if row.chosen.threshold != row.chosen.threshold:
            say(f"class {name}: no object or no detection, its threshold stays")
        elif not row.reached:
            say(f"class {name}: no threshold reaches {target}; took the one that comes nearest")
    save_model(output or model, state, done.config, read_header(model)[1])
    rows = [
        {"name": name, **row.chosen._asdict(), "held_out": row.held_out._asdict(), "reached": row.reached}
        for name, row in zip(names, done.classes, strict=True)
    ]
    heat = done.config.postprocess.temperature
    ece = {"before": done.ece_before, "after": done.ece_after}
    result = {"model": str(output or model), "target": target, "temperature": heat, "ECE": ece, "classes": rows}
    print_result(result, _tables(result), "json" if json else format, None)


def _tables(result: dict[str, Any]) -> Iterable["Table"]:
    from focalcli.cli.tables import table_of

    keys = ("precision", "recall", "f1")
    rows = [
        (row["name"], row["threshold"], *(row[key] for key in keys), *(row["held_out"][key] for key in keys))
        for row in result["classes"]
    ]
    yield table_of(("class", "threshold", *keys, *(f"held-out {key}" for key in keys)), rows)
    ece = (result["temperature"], result["ECE"]["before"], result["ECE"]["after"])
    yield table_of(("temperature", "ECE before", "ECE after"), [ece])
