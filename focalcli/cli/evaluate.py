"""`focalcli evaluate`: numbers of a model, or of saved predictions, on annotated photos."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from focalcli.cli.console import detail, say
from focalcli.cli.data_options import MAX_PIXELS, MaxPixels, PhotoFolder, Seed
from focalcli.cli.options import BATCH
from focalcli.cli.ranks import Devices, found_world, launched
from focalcli.errors import DataError, GateFailed, UsageError
from focalcli.inference.options import ViewConfig

if TYPE_CHECKING:
    from focalcli.dataset.types import Dataset
    from focalcli.evaluation.columns import Predictions
    from focalcli.inference.dealing import Deal


def evaluate(
    views: ViewConfig,
    data: Annotated[Path, typer.Argument(help="Data set: a folder or an annotation file.")] = Path("."),
    split: Annotated[str | None, typer.Option(metavar="NAME", help="Measure on this split only.")] = None,
    model: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Model file, .safetensors or .onnx. [default: newest run]")
    ] = None,
    predictions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Measure these saved detections: COCO results or JSON lines.")
    ] = None,
    images: PhotoFolder = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write the result here.")
    ] = None,
    format: Annotated[
        Literal["table", "json", "csv", "junit"] | None,
        typer.Option(help="Format of the result. [default: table on a terminal, else json]"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    reasons: Annotated[
        bool, typer.Option("--reasons", help="Say why: kinds of errors, confusions, calibration, slices, worst photos.")
    ] = False,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write all of it as one HTML file.")] = None,
    resamples: Annotated[
        int, typer.Option(min=0, help="Draw the photos this often for 95 % intervals; 200 in a report.")
    ] = 0,
    fail_under: Annotated[float | None, typer.Option(min=0, max=1, help="Exit 1 where AP is below this.")] = None,
    predictions_out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Save the detections: .json COCO results, else JSON lines.")
    ] = None,
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
    sizes: Annotated[
        str, typer.Option(metavar="LIST", help="Edges of the size bins of --reasons, pixels.")
    ] = "16,32,96",
    voc: Annotated[
        bool, typer.Option("--voc", help="Add Pascal VOC's AP: VOC (all points), VOC07 (11 points).")
    ] = False,
    seed: Seed = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps or openvino.")] = "auto",
    devices: Devices = 1,
    batch: Annotated[Any, BATCH] = "auto",
    max_pixels: MaxPixels = MAX_PIXELS,
) -> None:
    """Measure mean average precision on a data set.

    The 12 COCO numbers, overall and by class, equal to pycocotools; null in JSON says that there is no object to
    measure on. Boxes are measured as the file has them. Detections and classes meet by name.

    Example: focalcli evaluate bay --split test --predictions found.jsonl
    """
    from focalcli.evaluation.predictions_file import write_predictions
    from focalcli.evaluation.result import Wanted, result_of
    from focalcli.evaluation.settings import parse_numbers, parse_settings
    from focalcli.inference.dealing import Deal

    settings = parse_settings(iou=iou, max_dets=max_dets, area=area)
    wanted = Wanted(engine, reasons, report, resamples, voc, tuple(parse_numbers("--sizes", sizes)), seed)
    if predictions is None and launched(devices):
        return
    deal = Deal(found_world(device))
    dataset = annotated(data, images=images, split=split)
    found = detections(
        dataset, model, predictions, device=device, batch=batch, max_pixels=max_pixels, views=views, deal=deal
    )
    if not deal.speaks:
        return
    if predictions_out is not None:
        write_predictions(predictions_out, dataset, found)
    result = result_of(dataset, found, settings, wanted)
    too_low = fail_under is not None and not result["AP"] >= fail_under
    failure = f"AP is {result['AP']:.4f}, below --fail-under {fail_under:g}" if too_low else ""

    from focalcli.cli.tables import show

    show(result, "json" if json else format, output, failures={"all": failure} if failure else {})
    if failure:
        raise GateFailed(data, failure)


def annotated(data: Path, *, images: Path | None, split: str | None) -> "Dataset":
    """Read the data set to measure on, its boxes as they are in the file; say what was found and what is missing.

    Raises:
        DataError: it holds no image or no class.
    """
    from focalcli.dataset.format import ReadOptions
    from focalcli.dataset.read import read_dataset

    dataset = read_dataset(data, images=images, split=split, options=ReadOptions(bad_boxes="keep"))
    for finding in dataset.findings:
        # a photo is missed when it is needed, and then by name
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
    dataset: "Dataset",
    model: Path | None,
    saved: Path | None,
    *,
    device: str,
    batch: int | None,
    max_pixels: int,
    views: ViewConfig | None = None,
    deal: "Deal | None" = None,
) -> "Predictions":
    """Read saved detections, or run the model that is meant; say what does not match.

    Raises:
        UsageError: both are named.
    """
    if saved is not None and model is not None:
        raise UsageError("--predictions", "cannot stand beside --model", "name one of the two")
    if saved is not None:
        from focalcli.evaluation.predictions_file import read_predictions

        loaded = read_predictions(saved, dataset)
    else:
        from focalcli.evaluation.predict import predict
        from focalcli.inference.open import find_model, open_runtime

        path = find_model(model)
        say(f"model: {path}")
        # A measurement is taken in float32, so that every runtime gives the same number.
        runtime = open_runtime(path, device=deal.device(device) if deal else device, precision="fp32", say=say)
        loaded = predict(runtime, dataset, batch=batch, max_pixels=max_pixels, views=views, deal=deal)
    for note in loaded.notes:
        say(note)
    return loaded.predictions
