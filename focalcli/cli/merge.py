"""`focalcli merge`: make one data set of two."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from focalcli.cli.console import detail, say


def merge(
    first: Annotated[Path, typer.Argument(metavar="A", help="Data set: a folder or an annotation file.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another, of the same format or another.")],
    destination: Annotated[Path, typer.Argument(metavar="DST", help="Folder to write.")],
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help="Format to write, as coco, voc or yolo.")] = "coco",
    images: Annotated[
        Literal["copy", "link", "symlink", "none"], typer.Option(help="What becomes of the photos.")
    ] = "copy",
    crowd: Annotated[
        Literal["keep", "drop", "error"],
        typer.Option(help="Crowd regions the target cannot mark: keep as objects, drop, or stop."),
    ] = "error",
    allow_lossy: Annotated[
        bool, typer.Option("--allow-lossy", help="Accept losses that change what is trained or measured.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be written and lost; write nothing.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is at the destination.")] = False,
) -> None:
    """Merge two data sets into one.

    Classes are joined by name. A photo whose name is taken gets a number, also where only the case differs; every new
    name is said. Neither source is changed.

    Example: focalcli merge ../shared/data/bccd ../shared/data/bccd/Annotations twice --images none
    """
    from focalcli.dataset.convert import convert
    from focalcli.dataset.merge import merge as merged
    from focalcli.dataset.read import read_dataset

    datasets = [read_dataset(path) for path in (first, second)]
    for dataset in datasets:
        say(f"read as {dataset.info['read_as']}")
        for finding in dataset.findings:
            say(str(finding)) if finding.severity != "info" else detail(str(finding))
    joined, renamed = merged(datasets)
    for (path, old), new in renamed.items():
        say(f"{path}: {old} is now {new}")
    done = convert(
        joined,
        destination,
        to=to,
        transfer=images,
        crowd=crowd,
        allow_lossy=allow_lossy,
        overwrite=overwrite,
        dry_run=dry_run,
    )
    for loss in done.losses:
        words = f"{loss.what} ({loss.count})"
        say(f"warning: {words}") if loss.level != "info" else detail(f"info: {words}")
    made = f"{done.images} images, {done.boxes} boxes, {done.classes} classes"
    print(f"{'would write' if dry_run else 'wrote'} {done.destination}: {made} as {done.title}")
