"""`focalcli demo`: a data set to try things on, made here and now."""

from pathlib import Path
from typing import Annotated

import typer

from focalcli.cli.console import say


def demo(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write.")],
    photos: Annotated[int, typer.Option(min=6, help="How many photos; two thirds are for training.")] = 360,
    size: Annotated[int, typer.Option(min=160, max=4096, help="Longer side of the photos in pixels.")] = 320,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random; the same gives the same files.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is at the destination.")] = False,
) -> None:
    """Write a small synthetic data set to try things on.

    A bay from above with many buoys, some boats and an orca now and then, partly hidden, in COCO format with the
    splits train, val and test. It prints the folder.

    Example: focalcli demo bay
    """
    from focalcli.images.synthetic_set import write_bay

    counts = write_bay(folder, photos, size=size, seed=seed, overwrite=overwrite)
    print(folder)
    found = ", ".join(f"{count} of class {name}" for name, count in counts.most_common())
    say(f"{photos} photos, {found}; next: focalcli train {folder}")
