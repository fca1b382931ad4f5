"""`focalcli merge`: make one data set of two."""

from pathlib import Path
from typing import Annotated

import typer

from focalcli.cli.console import say
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


def merge(
    first: Annotated[Path, typer.Argument(metavar="A", help="Data set: a folder or an annotation file.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another, of the same format or another.")],
    destination: Annotated[Path, typer.Argument(metavar="DST", help="Folder to write.")],
    to: To = "coco",
    images: Images = None,
    crowd: Crowd = "error",
    allow_lossy: AllowLossy = False,
    dry_run: DryRun = False,
    overwrite: Overwrite = False,
    follow_symlinks: FollowSymlinks = False,
    max_pixels: MaxPixels = MAX_PIXELS,
) -> None:
    """Merge two data sets into one.

    Classes are joined by name. A photo whose name is taken gets a number, also where only the case differs; every new
    name is said. Neither source is changed. It prints where it wrote.

    Example: focalcli merge bay more both --to yolo
    """
    from focalcli.dataset.format import ReadOptions
    from focalcli.dataset.merge import merge as merged
    from focalcli.dataset.read import read_dataset

    transfer, folders = photo_options(images)
    options = ReadOptions(follow_symlinks=follow_symlinks, max_pixels=max_pixels)
    datasets = [read_dataset(path, images=folders, options=options) for path in (first, second)]
    for dataset in datasets:
        say_read(dataset)
    joined, renamed = merged(datasets)
    for (path, old), new in renamed.items():
        say(f"{path}: {old} is now {new}")
    write(joined, Target(destination, to, transfer, crowd, allow_lossy, overwrite, dry_run))
