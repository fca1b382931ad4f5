"""`focalcli detect`: objects in photos, as a stream."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from focalcli.cli.console import escape, say
from focalcli.cli.data_options import MAX_PIXELS, MaxPixels
from focalcli.cli.options import BATCH
from focalcli.cli.ranks import Devices, found_world, launched
from focalcli.errors import DataError, FocalError, GateFailed, InputNotFound
from focalcli.inference.options import SelectionConfig, ViewConfig

if TYPE_CHECKING:
    from focalcli.inference.outputs import Output
    from focalcli.inference.stream import Result
    from focalcli.inference.tally import Gate, Tally

Format = Literal["jsonl", "text", "coco", "csv", "yolo", "voc", "label-studio", "cvat"]


def _option(*flags: str, group: str, help: str, **more: Any) -> Any:
    return typer.Option(*flags, help=help, rich_help_panel=group, **more)


def detect(
    selection: SelectionConfig,
    views: ViewConfig,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH", help="Photos, folders, globs, videos, URLs, an annotation file; - for names on stdin."
        ),
    ] = None,
    model: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Model file, .safetensors or .onnx. [default: newest run]")
    ] = None,
    files_from: Annotated[
        Path | None,
        _option(
            "--files-from",
            metavar="FILE",
            help="Read names from a file or pipe, one a line; - is stdin.",
            group="Input",
        ),
    ] = None,
    null: Annotated[
        bool, _option("-0", "--null", help="Names end with a NUL byte, as of find -print0.", group="Input")
    ] = False,
    every: Annotated[int, _option("--every", min=1, help="Of a video, take every N-th frame.", group="Input")] = 1,
    shard: Annotated[
        str | None, _option("--shard", metavar="I/N", help="Take part I of N; I from 1 to N.", group="Input")
    ] = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    output: Annotated[
        Path | None,
        _option("-o", "--output", help="A file, or a folder for lines and pictures.", group="Output"),
    ] = None,
    format: Annotated[
        Format | None,
        _option(
            "--format",
            help="Format of the results. [default: what -o's suffix says, text on a terminal, else jsonl]",
            group="Output",
        ),
    ] = None,
    draw: Annotated[
        Path | None, _option("--draw", metavar="DIR", help="Write pictures with boxes here.", group="Output")
    ] = None,
    crops: Annotated[
        Path | None, _option("--crops", metavar="DIR", help="Write each object as a picture here.", group="Output")
    ] = None,
    draw_threshold: Annotated[
        float, _option("--draw-threshold", min=0, max=1, help="Draw and cut out scores from here.", group="Output")
    ] = 0.3,
    details: Annotated[
        bool, _option("--details", help="Add model and seconds to each JSON line.", group="Output")
    ] = False,
    resume: Annotated[
        bool, _option("--resume", help="Keep the lines of an earlier run and do the rest.", group="Output")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps or openvino.")] = "auto",
    devices: Devices = 1,
    batch: Annotated[Any, BATCH] = "auto",
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 when a photo could not be read.")] = False,
    fail_if: Annotated[
        list[str] | None,
        typer.Option("--fail-if", metavar="CONDITION", help='Exit with 1 when it holds, as "person>0".'),
    ] = None,
) -> None:
    """Find objects in photos, as a stream of JSON lines.

    Each photo gives one line, in the order given, as soon as it is known. A photo that cannot be read gives a line
    with "error" and the rest goes on. Videos need focalcli[video], URLs focalcli[remote].

    Example: focalcli detect photos/ | jq -r 'select(.detections != []) | .image'
    """
    from focalcli.inference.dealing import Deal
    from focalcli.inference.destinations import Destinations, result_folders, usual_format
    from focalcli.inference.detector import Detector
    from focalcli.inference.lists import STANDARD_INPUT
    from focalcli.inference.open import find_model, model_id, open_runtime
    from focalcli.inference.sources import Finder, without
    from focalcli.inference.stream import detect_stream
    from focalcli.inference.tally import Gate, Tally

    if launched(devices):
        return
    deal = Deal(found_world(device))
    windows = views.tile not in (None, "off")
    skip = result_folders(output, draw, crops)
    finder = Finder(max_pixels=max_pixels, every=every, skip=skip, windows=windows, once=deal.once)
    sources = finder.all(paths or [], files_from, null=null, shard=shard)
    path = find_model(model)
    if deal.speaks:
        say(f"model: {path}")
    destinations = Destinations(
        format=format or usual_format(output, terminal=sys.stdout.isatty()),
        output=output,
        draw=draw,
        crops=crops,
        draw_threshold=draw_threshold,
        model=model_id(path) if details else None,
        resume=resume,
    )
    runtime = open_runtime(path, device=deal.device(device), say=say)
    detector = Detector(runtime, batch=batch, views=views, selection=selection)
    deal.run = detector.batch
    known = detector.config.classes
    gates = [Gate.parse(text, known) for text in fail_if or []]
    tally = Tally(known)
    done = Counter(deal.once(lambda: destinations.done(known).elements()))
    mine = detect_stream(deal.my_sources(without(sources, done)), detector, keep_pixels=destinations.wants_pixels)
    with destinations.pictures(known) as pictures, ExitStack() as stack:
        texts = [stack.enter_context(destinations.texts(known, escape=escape))] if deal.speaks else []
        for result in deal.in_order(_put(mine, pictures)):
            tally.add(result.record)
            if destinations.format not in ("jsonl", "text") and isinstance(result.record.found, FocalError):
                say(f"error: {result.record.found}")
            for each in texts:
                each.put(result)
    if not deal.speaks:
        return
    named = [word for word in paths or [] if word != STANDARD_INPUT]
    if not tally.photos and named and not resume and not shard:  # a list, and a part of one, may be empty
        raise InputNotFound(", ".join(named), "holds no photos", "name a folder or files with photos")
    report(tally, gates, strict=strict)


def _put(results: "Iterator[Result]", outputs: "list[Output]") -> "Iterator[Result]":
    """Give the results on, after each output has taken them."""
    for result in results:
        for each in outputs:
            each.put(result)
        yield result


def report(tally: "Tally", gates: "list[Gate]", *, strict: bool) -> None:
    """Say what was done; fail when every photo failed, any with `strict`, or a gate holds.

    Raises:
        DataError: no photo could be read.
        GateFailed: a photo could not be read, and `strict`; or a gate holds.
    """
    say(str(tally))
    if tally.failed and tally.failed == tally.photos:
        raise DataError("detect", f"none of {tally.photos} photos could be read ({tally.first_error})")
    if tally.failed and strict:
        raise GateFailed("detect", f"{tally.failed} of {tally.photos} photos could not be read")
    for gate in gates:
        if gate.holds(tally):
            raise GateFailed("--fail-if", f"{gate}: there are {gate.count(tally)}")
