"""`focalcli split`: give a data set new splits."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from focalcli.cli.console import detail, say


def split(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Data set: a folder or an annotation file.")],
    destination: Annotated[Path, typer.Argument(metavar="DST", help="Folder to write.")],
    ratio: Annotated[
        str, typer.Option("--ratio", metavar="80/10/10", help="Shares of train, val and test, or NAME=SHARE,...")
    ] = "80/10/10",
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            metavar="dir|REGEX",
            help="Keep photos together: of one folder, or those whose names match a pattern in the same text.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Another seed gives other splits.")] = 0,
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help="Format to write, as coco, voc or yolo.")] = "coco",
    images: Annotated[
        Literal["copy", "link", "symlink", "none"], typer.Option(help="What becomes of the photos.")
    ] = "copy",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is at the destination.")] = False,
) -> None:
    """Split a data set anew, every class in its ratio.

    Rare classes are dealt out first, photos without objects like a class of their own. The same data and seed give the
    same splits on every machine. The source is never changed.

    Example: focalcli split ../shared/data/bccd bccd-split --ratio 80/20
    """
    from focalcli.dataset.convert import convert
    from focalcli.dataset.read import read_dataset
    from focalcli.dataset.splits import groups_by, parse_ratio, resplit

    shares = parse_ratio(ratio)
    dataset = read_dataset(source)
    say(f"read as {dataset.info['read_as']}")
    for finding in dataset.findings:
        say(str(finding)) if finding.severity != "info" else detail(str(finding))
    done = resplit(dataset, shares, groups=groups_by(dataset, group), seed=seed)
    report = convert(done, destination, to=to, transfer=images, overwrite=overwrite)
    for loss in report.losses:
        words = f"{loss.what} ({loss.count})"
        say(f"warning: {words}") if loss.level != "info" else detail(f"info: {words}")
    for name in shares:
        print(f"{name}: {sum(image.split == name for image in done.images)} images")
