"""The five verbs as Python functions, with the command line's defaults and results as values.

    from focalcli import api

    api.convert("voc", "bay", to="coco")
    run = api.train("bay", epochs=20)
    print(api.evaluate("bay", split="test", model=run)["AP50"])
    for record in api.detect(["photos/"], model=run):
        print(record.image, len(record.found))
    api.export(run, "bay.onnx")

A user's mistake is a `FocalError` (`focalcli.errors`), its text the line that the command prints. Nothing is printed;
`say` receives what the command says on stderr. Importing this module loads nothing heavy.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from focalcli.errors import DataError

if TYPE_CHECKING:
    from focalcli.dataset.convert import CrowdPolicy, Report
    from focalcli.dataset.sink import Transfer
    from focalcli.export.certificate import Certificate
    from focalcli.export.options import ExportOptions
    from focalcli.inference.options import Nms, ViewConfig
    from focalcli.inference.records import Record

Say = Callable[[str], None]
PathLike = str | Path


def _quiet(text: str) -> None:
    """Say nothing."""


def _views(tile: str | int | None, overlap: float | None, tta: Sequence[Literal["flip", "scales"]]) -> "ViewConfig":
    from focalcli.inference.options import ViewConfig

    return ViewConfig(tile=None if tile is None else str(tile), overlap=overlap, tta=tuple(tta))


def convert(
    source: PathLike,
    destination: PathLike,
    *,
    to: str,
    from_: str | None = None,
    images: Sequence[PathLike] = (),
    transfer: "Transfer" = "copy",
    classes: str = "keep",
    split: str | None = None,
    crowd: "CrowdPolicy" = "error",
    allow_lossy: bool = False,
    overwrite: bool = False,
    dry_run: bool = False,
) -> "Report":
    """Convert annotations from one format to another; give what was written and what could not be carried over.

    Raises:
        FocalError: as `focalcli convert`: unknown format, damaged annotations, a loss that was not allowed.
    """
    from focalcli.dataset.convert import convert as write_as
    from focalcli.dataset.edit import with_classes
    from focalcli.dataset.read import read_dataset

    dataset = read_dataset(Path(source), format=from_, images=[Path(path) for path in images], split=split)
    return write_as(
        with_classes(dataset, classes),
        Path(destination),
        to=to,
        transfer=transfer,
        crowd=crowd,
        allow_lossy=allow_lossy,
        overwrite=overwrite,
        dry_run=dry_run,
    )


def train(
    data: PathLike = ".",
    *,
    output: PathLike | None = None,
    resume: bool = False,
    overwrite: bool = False,
    on_record: Callable[[dict[str, Any]], None] | None = None,
    say: Say = _quiet,
    **settings: Any,
) -> Path:
    """Train a detector; give the folder of the run, which holds `best.safetensors`.

    `settings` are the fields of `focalcli.train_config.TrainConfig`: epochs, batch, preset and so on. What a resumed
    run is not told, it knows: its own settings and data. `on_record` receives each line of the run's metrics.jsonl as
    it is written.

    Raises:
        ConfigError: a setting is unknown, of the wrong type or outside its limits.
        FocalError: as `focalcli train`.
    """
    from focalcli.config import checked
    from focalcli.train_config import TrainConfig
    from focalcli.training.run import run_training
    from focalcli.training.run_folder import open_run

    folder = Path(output) if output is not None else None
    config, known = checked(TrainConfig, settings, "api.train"), Path(".")
    if resume:
        run = open_run(folder)
        folder, (config, known) = run.path, run.settings(settings)
    outcome = run_training(
        config,
        known if data == "." else Path(data),
        output=folder,
        overwrite=overwrite,
        resume=resume,
        stopping=lambda: False,
        listeners=(on_record,) if on_record else (),
        say=say,
    )
    return outcome.folder.path


def evaluate(
    data: PathLike = ".",
    *,
    split: str | None = None,
    model: PathLike | None = None,
    predictions: PathLike | None = None,
    images: PathLike | None = None,
    reasons: bool = False,
    resamples: int = 0,
    voc: bool = False,
    sizes: str = "16,32,96",
    seed: int = 0,
    tile: str | int | None = None,
    overlap: float | None = None,
    tta: Sequence[Literal["flip", "scales"]] = (),
    device: str = "auto",
    batch: int | Literal["auto"] = "auto",
    say: Say = _quiet,
) -> dict[str, Any]:
    """Measure a model, or saved predictions, on a data set; give what `focalcli evaluate --json` prints.

    Parameters do what the flags of their names do.

    Raises:
        FocalError: as `focalcli evaluate`.
    """
    from focalcli.dataset.format import ReadOptions
    from focalcli.dataset.read import read_dataset
    from focalcli.evaluation.predict import predict
    from focalcli.evaluation.predictions_file import read_predictions
    from focalcli.evaluation.result import Wanted, result_of
    from focalcli.evaluation.settings import COCO, parse_numbers
    from focalcli.images.sizes import MAX_PIXELS
    from focalcli.inference.open import find_model, open_runtime

    folder = Path(images) if images is not None else None
    dataset = read_dataset(Path(data), images=folder, split=split, options=ReadOptions(bad_boxes="keep"))
    if not dataset.images or not dataset.categories:
        raise DataError(data, "holds no image or no class", "nothing can be measured on it")
    if predictions is not None:
        loaded = read_predictions(Path(predictions), dataset)
    else:
        runtime = open_runtime(find_model(Path(model) if model is not None else None), device=device, say=say)
        views = _views(tile, overlap, tta)
        at_once = None if batch == "auto" else batch
        loaded = predict(runtime, dataset, batch=at_once, max_pixels=MAX_PIXELS, views=views)
    for note in loaded.notes:
        say(note)
    sides = tuple(parse_numbers("sizes", sizes))
    wanted = Wanted("focalcli", reasons, report=None, resamples=resamples, voc=voc, sides=sides, seed=seed)
    return result_of(dataset, loaded.predictions, COCO, wanted)


def detect(
    paths: Iterable[PathLike],
    *,
    model: PathLike | None = None,
    threshold: float | str | None = None,
    classes: Iterable[str] | None = None,
    iou: float | None = None,
    max_dets: int | None = None,
    nms: "Nms" = "hard",
    agnostic: bool = False,
    tile: str | int | None = None,
    overlap: float | None = None,
    tta: Sequence[Literal["flip", "scales"]] = (),
    device: str = "auto",
    batch: int | Literal["auto"] = "auto",
    say: Say = _quiet,
) -> "Iterator[Record]":
    """Find objects in photos, folders of photos or globs; give a record for each photo, in order, as it is known.

    `threshold` is a number, or text as the flag takes it: `0.3,cat=0.5`. What is None is the model's own.

    A photo that cannot be read gives a record whose `found` is the error, and the rest goes on.

    Raises:
        FocalError: as `focalcli detect`.
    """
    from focalcli.inference.detector import Detector
    from focalcli.inference.open import find_model, open_runtime
    from focalcli.inference.options import SelectionConfig
    from focalcli.inference.sources import Finder
    from focalcli.inference.stream import detect_stream

    sources = Finder().named([str(path) for path in paths])
    runtime = open_runtime(find_model(Path(model) if model is not None else None), device=device, say=say)
    selection = SelectionConfig(
        threshold=None if threshold is None else str(threshold),
        classes=None if classes is None else ",".join(classes),
        iou=iou,
        max_dets=max_dets,
        nms=nms,
        agnostic=agnostic,
    )
    views, at_once = _views(tile, overlap, tta), None if batch == "auto" else batch
    detector = Detector(runtime, batch=at_once, views=views, selection=selection)
    return (result.record for result in detect_stream(sources, detector))


def export(
    model: PathLike | None = None,
    target: PathLike | None = None,
    *,
    options: "ExportOptions | None" = None,
    say: Say = _quiet,
) -> "Certificate":
    """Write a model as one ONNX file, beside it unless `target` says where, and give what proves it equal.

    Raises:
        GateFailed: the file's answers differ from torch's; nothing is left at its name.
        FocalError: as `focalcli export`.
    """
    from focalcli.checkpoint import load_model
    from focalcli.export.options import ExportOptions, check
    from focalcli.export.write import Proof, limits_for, write_onnx
    from focalcli.inference.open import find_model

    source = find_model(Path(model) if model is not None else None)
    wanted = options or ExportOptions()
    check(wanted, measured_for=None)
    path = Path(target) if target is not None else source.with_suffix(".onnx")
    return write_onnx(load_model(source), path, wanted, Proof(limits=limits_for(wanted)), say=say)
