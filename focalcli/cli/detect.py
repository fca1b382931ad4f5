"""`focalcli detect`: objects in photos, as a stream."""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from focalcli.cli.console import escape, say
from focalcli.errors import DataError, GateFailed, InputNotFound

if TYPE_CHECKING:
    from focalcli.config import ClassInfo
    from focalcli.inference.outputs import Output
    from focalcli.inference.tally import Tally

Format = Literal["jsonl", "text"]


def detect(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Photos, folders or globs.")],
    model: Annotated[Path | None, typer.Option(help="Model file, .safetensors or .onnx. [default: newest run]")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Write JSON lines and pictures here.")
    ] = None,
    format: Annotated[
        Format | None, typer.Option(help="Of standard output. [default: text on a terminal, else jsonl]")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Keep scores of at least this. [default: the model's]")
    ] = None,
    draw_threshold: Annotated[float, typer.Option(min=0, max=1, help="Draw scores of at least this.")] = 0.3,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    batch: Annotated[int, typer.Option(min=1, help="Photos at once.")] = 4,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 when a photo could not be read.")] = False,
    max_pixels: Annotated[int, typer.Option(min=1, help="Refuse larger photos.")] = 178_956_970,
) -> None:
    """Find objects in photos, as a stream of JSON lines.

    Each photo gives one line, in the order given, as soon as it is known. A photo that cannot be read gives a line
    with "error" and the rest goes on.

    Example: focalcli detect photos/ | jq -r 'select(.detections != []) | .image'
    """
    from focalcli.inference.detector import Detector
    from focalcli.inference.open import find_model, open_runtime
    from focalcli.inference.sources import Finder
    from focalcli.inference.stream import detect_stream
    from focalcli.inference.tally import Tally

    sources = Finder(max_pixels, skip=output).named(paths)
    path = find_model(model)
    say(f"model: {path}")
    detector = Detector(open_runtime(path, device=device), batch=batch, threshold=threshold)
    classes = detector.config.classes
    tally = Tally()
    with ExitStack() as stack:
        outputs = open_outputs(stack, classes, output, format, draw_threshold)
        for result in detect_stream(sources, detector, keep_pixels=output is not None):
            tally.add(result.record)
            for each in outputs:
                each.put(result)
    if not tally.photos:
        raise InputNotFound(", ".join(paths), "holds no photos", "name a folder or files with photos")
    report(tally, strict=strict)


def open_outputs(
    stack: ExitStack,
    classes: "tuple[ClassInfo, ...]",
    folder: Path | None,
    format: Format | None,
    draw_threshold: float,
) -> "list[Output]":
    """Open what the results go to: the folder with lines and pictures, or standard output."""
    from focalcli.inference.outputs import PictureOutput, StreamOutput, file_output, json_line, text_line

    if folder is None:
        if (format or ("text" if sys.stdout.isatty() else "jsonl")) == "jsonl":
            return [StreamOutput(sys.stdout, json_line(classes))]
        line = text_line(classes)
        return [StreamOutput(sys.stdout, lambda result: escape(line(result)))]
    pictures = PictureOutput(folder / "pictures", classes, threshold=draw_threshold)
    lines = file_output(folder / "detections.jsonl", json_line(classes))
    return [stack.enter_context(lines), stack.enter_context(pictures)]


def report(tally: "Tally", *, strict: bool) -> None:
    """Say what was done; fail when every photo failed, or any with `strict`.

    Raises:
        DataError: no photo could be read.
        GateFailed: a photo could not be read, and `strict`.
    """
    say(str(tally))
    if tally.failed and tally.failed == tally.photos:
        raise DataError("detect", f"none of {tally.photos} photos could be read ({tally.first_error})")
    if tally.failed and strict:
        raise GateFailed("detect", f"{tally.failed} of {tally.photos} photos could not be read")
