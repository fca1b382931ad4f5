"""What the verbs share that write a data set anew: their options, what they say of reading, the call, what it lost."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, cast

import typer

from focalcli.cli.console import detail, say

if TYPE_CHECKING:
    from focalcli.dataset.convert import Report
    from focalcli.dataset.sink import Transfer
    from focalcli.dataset.types import Dataset

TRANSFERS = ("copy", "link", "symlink", "none")

To = Annotated[
    str, typer.Option("--to", metavar="FORMAT", help="coco, createml, cvat, hf, labelme, retinanet, tfod, voc, yolo.")
]
Images = Annotated[
    list[str] | None,
    typer.Option(
        metavar="copy|link|symlink|none|DIR",
        help="What becomes of the photos (default copy), or a folder where they are.",
    ),
]
Crowd = Annotated[
    Literal["keep", "drop", "error"],
    typer.Option(help="Crowd regions the target cannot mark: keep as objects, drop, or stop."),
]
AllowLossy = Annotated[
    bool, typer.Option("--allow-lossy", help="Accept losses that change what is trained or measured.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be written and lost; write nothing.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is at the destination.")]


class Target(NamedTuple):
    """Where and how a data set is written."""

    destination: Path
    to: str
    transfer: "Transfer" = "copy"
    crowd: Literal["keep", "drop", "error"] = "error"
    allow_lossy: bool = False
    overwrite: bool = False
    dry_run: bool = False


def photo_options(values: list[str] | None) -> tuple["Transfer", list[Path]]:
    """Tell the way photos are transferred from the folders they are in."""
    ways = [value for value in values or [] if value in TRANSFERS]
    folders = [Path(value) for value in values or [] if value not in TRANSFERS]
    return cast("Transfer", ways[-1] if ways else "copy"), folders


def say_read(dataset: "Dataset") -> None:
    """Say what a data set was read as, and what was found on the way."""
    say(f"read as {dataset.info['read_as']}")
    for finding in dataset.findings:
        say(str(finding)) if finding.severity != "info" else detail(str(finding))


def write(dataset: "Dataset", target: Target) -> "Report":
    """Write a data set; say what was lost and what was written, and print where."""
    from focalcli.dataset.convert import convert

    done = convert(dataset, **target._asdict())
    for loss in done.losses:
        words = f"{loss.what} ({loss.count})"
        say(f"warning: {words}") if loss.level != "info" else detail(f"info: {words}")
    say(_summary(done))
    if not target.dry_run:
        print(done.destination)
    return done


def _summary(done: "Report") -> str:
    made = f"{done.images} images, {done.boxes} boxes, {done.classes} classes"
    return f"{'would write' if done.dry_run else 'wrote'} {done.destination}: {made} as {done.title}"
