"""`focalcli split`: give a data set new splits."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

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
from focalcli.errors import UsageError

if TYPE_CHECKING:
    from focalcli.dataset.types import Dataset


def split(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Data set: a folder or an annotation file.")],
    destination: Annotated[Path, typer.Argument(metavar="DST", help="Folder to write.")],
    ratio: Annotated[
        str, typer.Option("--ratio", metavar="80/10/10", help="Shares of train, val and test, or NAME=SHARE,...")
    ] = "80/10/10",
    by: Annotated[
        Literal["class", "image"],
        typer.Option("--by", help="Keep every class in the ratio, or only the number of photos."),
    ] = "class",
    group: Annotated[
        list[str] | None,
        typer.Option(
            "--group",
            metavar="dir|near-duplicate|REGEX",
            help="Keep photos together: of one folder, that show the same picture, or whose names match a pattern in "
            "the same text.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random; another gives other splits.")] = 0,
    to: To = "coco",
    images: Images = None,
    crowd: Crowd = "error",
    allow_lossy: AllowLossy = False,
    dry_run: DryRun = False,
    overwrite: Overwrite = False,
    follow_symlinks: FollowSymlinks = False,
    max_pixels: MaxPixels = MAX_PIXELS,
) -> None:
    """Split a data set anew, every class in its ratio.

    Rare classes are dealt out first, photos without objects like a class of their own. The same data and seed give the
    same splits on every machine. `--group near-duplicate` looks at the photos: copies in another size, compression or
    brightness, and pictures taken twice of one scene, stay on one side. The source is never changed. It prints
    where it wrote.

    Example: focalcli split bay bay-again --ratio 80/20 --group near-duplicate
    """
    from focalcli.dataset.format import ReadOptions
    from focalcli.dataset.read import read_dataset
    from focalcli.dataset.splits import parse_ratio, resplit

    shares = parse_ratio(ratio)
    transfer, folders = photo_options(images)
    options = ReadOptions(follow_symlinks=follow_symlinks, max_pixels=max_pixels)
    dataset = read_dataset(source, images=folders, options=options)
    say_read(dataset)
    done = resplit(dataset, shares, by=by, groups=_groups(dataset, group or []), seed=seed)
    write(done, Target(destination, to, transfer, crowd, allow_lossy, overwrite, dry_run))
    for name in shares:
        say(f"{name}: {sum(image.split == name for image in done.images)} images")


def _groups(dataset: "Dataset", ways: list[str]) -> list[str] | None:
    """Give the group of each photo, and say how many belong together."""
    from focalcli.dataset.splits import NEAR_DUPLICATE, groups_by
    from focalcli.images.likeness import small_grey

    if NEAR_DUPLICATE in ways and dataset.images and all(image.path is None for image in dataset.images):
        raise UsageError(
            f"--group {NEAR_DUPLICATE}", "none of the photos is there to look at", "say where they are with --images"
        )
    groups = groups_by(dataset, ways, small_grey)
    if groups is not None:
        say(f"{len(groups)} images in {len(set(groups))} groups")
    return groups
