"""`focalcli convert`: read annotations of one format, write them in another."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from focalcli.cli.data_options import MAX_PIXELS, FollowSymlinks, MaxPixels
from focalcli.cli.rewrite import (
    AllowLossy,
    Crowd,
    DryRun,
    Images,
    Overwrite,
    Target,
    To,
    photo_options,
    say_read,
    write,
)

if TYPE_CHECKING:
    from focalcli.dataset.convert import Report
    from focalcli.dataset.types import Dataset


def convert(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Data set: a folder or an annotation file.")],
    destination: Annotated[Path, typer.Argument(metavar="DST", help="Folder to write, or a .json file for COCO.")],
    to: To,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="FORMAT", help="Format to read, where it is not recognised.")
    ] = None,
    images: Images = None,
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
    crowd: Crowd = "error",
    bad_boxes: Annotated[
        Literal["clip", "drop", "error"],
        typer.Option(help="Boxes that stick out of the photo: clip, drop, or stop at any bad box."),
    ] = "clip",
    allow_lossy: AllowLossy = False,
    dry_run: DryRun = False,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all findings and losses to this JSON file.")
    ] = None,
    overwrite: Overwrite = False,
    follow_symlinks: FollowSymlinks = False,
    max_pixels: MaxPixels = MAX_PIXELS,
) -> None:
    """Convert annotations from one format to another.

    The format is recognised by its content. Boxes that stick out of their photo are clipped, those without area
    dropped, and both counted; losses that change what is trained or measured stop the conversion unless a policy or
    `--allow-lossy` accepts them. The source is never changed. It prints
    where it wrote.

    Example: focalcli convert bay bay-yolo --to yolo
    """
    from focalcli.dataset.edit import with_classes
    from focalcli.dataset.format import ReadOptions
    from focalcli.dataset.read import read_dataset

    transfer, folders = photo_options(images)
    options = ReadOptions(
        voc_coords=voc_coords, bad_boxes=bad_boxes, follow_symlinks=follow_symlinks, max_pixels=max_pixels
    )
    dataset = read_dataset(source, format=from_, images=folders, split=split, options=options)
    say_read(dataset)
    target = Target(destination, to, transfer, crowd, allow_lossy, overwrite, dry_run)
    done = write(with_classes(dataset, classes), target)
    if report is not None:
        _write_report(report, dataset, done)


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
