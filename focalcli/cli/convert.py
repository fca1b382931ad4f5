"""`focalcli convert`: read annotations of one format, write them in another."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from focalcli.cli.console import detail, say

if TYPE_CHECKING:
    from focalcli.dataset.convert import Report
    from focalcli.dataset.sink import Transfer
    from focalcli.dataset.types import Dataset

TRANSFERS = ("copy", "link", "symlink", "none")


def convert(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Data set: a folder or an annotation file.")],
    destination: Annotated[Path, typer.Argument(metavar="DST", help="Folder to write, or a .json file for COCO.")],
    to: Annotated[
        str,
        typer.Option("--to", metavar="FORMAT", help="coco, createml, cvat, hf, labelme, retinanet, tfod, voc, yolo."),
    ],
    from_: Annotated[
        str | None, typer.Option("--from", metavar="FORMAT", help="Format to read, where it is not recognised.")
    ] = None,
    images: Annotated[
        list[str] | None,
        typer.Option(
            metavar="copy|link|symlink|none|DIR",
            help="What becomes of the photos (default copy), or a folder where they are; repeatable.",
        ),
    ] = None,
    classes: Annotated[
        str,
        typer.Option(
            metavar="keep|drop|FILE", help="Keep all, drop those without objects, or a YAML file of `old: new` names."
        ),
    ] = "keep",
    split: Annotated[str | None, typer.Option(metavar="NAME", help="Convert only this split.")] = None,
    voc_coords: Annotated[
        Literal["auto", "one-based", "zero-based"],
        typer.Option(help="What the first pixel is called in Pascal VOC files."),
    ] = "auto",
    crowd: Annotated[
        Literal["keep", "drop", "error"],
        typer.Option(help="Crowd regions the target cannot mark: keep as objects, drop, or stop."),
    ] = "error",
    bad_boxes: Annotated[
        Literal["clip", "drop", "error"],
        typer.Option(help="Boxes that stick out of the photo: clip, drop, or stop at any bad box."),
    ] = "clip",
    allow_lossy: Annotated[
        bool, typer.Option("--allow-lossy", help="Accept losses that change what is trained or measured.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be written and lost; write nothing.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all findings and losses to this JSON file.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is at the destination.")] = False,
    follow_symlinks: Annotated[
        bool, typer.Option("--follow-symlinks", help="Follow symbolic links out of the data set.")
    ] = False,
    max_pixels: Annotated[int, typer.Option(min=1, help="Refuse photos with more pixels.")] = 178_956_970,
) -> None:
    """Convert annotations from one format to another.

    The format is recognised by its content. Boxes that stick out of their photo are clipped, those without area
    dropped, and both counted; losses that change what is trained or measured stop the conversion unless a policy or
    `--allow-lossy` accepts them. The source is never changed.

    Example: focalcli convert ../shared/data/bccd bccd-coco --to coco
    """
    from focalcli.dataset.convert import convert as write_as
    from focalcli.dataset.edit import with_classes
    from focalcli.dataset.format import ReadOptions
    from focalcli.dataset.read import read_dataset

    transfer, folders = _photo_options(images or [])
    options = ReadOptions(
        voc_coords=voc_coords, bad_boxes=bad_boxes, follow_symlinks=follow_symlinks, max_pixels=max_pixels
    )
    dataset = read_dataset(source, format=from_, images=folders, split=split, options=options)
    say(f"read as {dataset.info['read_as']}")
    for finding in dataset.findings:
        say(str(finding)) if finding.severity != "info" else detail(str(finding))
    done = write_as(
        with_classes(dataset, classes),
        destination,
        to=to,
        transfer=transfer,
        crowd=crowd,
        allow_lossy=allow_lossy,
        overwrite=overwrite,
        dry_run=dry_run,
    )
    _tell(done)
    if report is not None:
        _write_report(report, dataset, done)


def _photo_options(values: list[str]) -> tuple["Transfer", list[Path]]:
    """Tell the way photos are transferred from the folders they are in."""
    ways = [value for value in values if value in TRANSFERS]
    return cast("Transfer", ways[-1] if ways else "copy"), [Path(value) for value in values if value not in TRANSFERS]


def _tell(done: "Report") -> None:
    """Print the losses to stderr and the outcome to stdout."""
    for loss in done.losses:
        words = f"{loss.what} ({loss.count})"
        say(f"warning: {words}") if loss.level != "info" else detail(f"info: {words}")
    made = f"{done.images} images, {done.boxes} boxes, {done.classes} classes"
    print(f"{'would write' if done.dry_run else 'wrote'} {done.destination}: {made} as {done.title}")


def _write_report(path: Path, dataset: "Dataset", done: "Report") -> None:
    import msgspec

    from focalcli.files import write_bytes

    content = {
        "schema": "focalcli.convert/1",
        "read_as": dataset.info["read_as"],
        "source": dataset.info["path"],
        **msgspec.to_builtins(done),
        "findings": msgspec.to_builtins(dataset.findings),
    }
    write_bytes(path, msgspec.json.format(msgspec.json.encode(content)) + b"\n")
