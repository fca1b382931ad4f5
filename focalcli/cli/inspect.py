"""`focalcli inspect`: what a data set holds."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from focalcli.cli.console import say
from focalcli.cli.data_options import MAX_PIXELS, FollowSymlinks, MaxPixels, PhotoFolder
from focalcli.cli.rewrite import say_read

if TYPE_CHECKING:
    from rich.table import Table

_SHAPES = {
    "box width, pixels": "box_width",
    "box height, pixels": "box_height",
    "side relative to photo": "box_relative_side",
    "width / height": "box_aspect",
    "boxes per image": "boxes_per_image",
    "image width": "image_width",
    "image height": "image_height",
}


def inspect(
    data: Annotated[Path, typer.Argument(help="Data set: a folder or an annotation file.")] = Path("."),
    split: Annotated[str | None, typer.Option(metavar="NAME", help="Look at this split only.")] = None,
    images: PhotoFolder = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, also to a terminal.")] = False,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write all of it as one HTML file.")] = None,
    follow_symlinks: FollowSymlinks = False,
    max_pixels: MaxPixels = MAX_PIXELS,
) -> None:
    """Show what a data set holds: classes, box sizes, photos.

    Counts of classes and their imbalance, sizes and shapes of boxes, boxes per photo and sizes of photos, in all and
    by split. Empty images were annotated and hold nothing; unlabelled ones nobody has looked at. Small, medium and
    large are COCO's, of the annotated area. No pixels are read. A table on a terminal, JSON otherwise.

    Example: focalcli inspect bay
    """
    from focalcli.cli.tables import print_result
    from focalcli.dataset.format import ReadOptions
    from focalcli.dataset.read import read_dataset
    from focalcli.dataset.statistics import statistics

    options = ReadOptions(follow_symlinks=follow_symlinks, max_pixels=max_pixels)
    dataset = read_dataset(data, images=images, split=split, options=options)
    say_read(dataset)
    found = {"data": str(data), "format": dataset.format, **statistics(dataset)}
    print_result(found, _tables(found), "json" if as_json else None, None)
    if report is not None:
        from focalcli.dataset.report import write_report

        write_report(report, dataset, found)
        say(f"wrote {report}")


def _tables(found: dict[str, Any]) -> Iterable["Table"]:
    """Lay out the counts of all and of each split, the classes, and the sizes and shapes."""
    from focalcli.cli.tables import table_of

    parts = {"all": found, **found["splits"]}
    yield table_of(
        ("split", "images", "empty", "unlabelled", "boxes", "crowd", "small", "medium", "large", "imbalance"),
        [
            (
                name,
                part["images"],
                part["empty_images"],
                part["unlabelled_images"],
                part["boxes"],
                part["crowd_boxes"],
                *part["box_area"].values(),
                _number(part["imbalance"]),
            )
            for name, part in parts.items()
        ],
    )
    yield table_of(
        ("class", "boxes", "images", "share"),
        [(row["name"], row["boxes"], row["images"], row["share"]) for row in found["classes"]],
    )
    names = ("min", "p05", "p25", "median", "p75", "p95", "max")
    shapes = [(words, *(_number(found[key][name]) for name in names)) for words, key in _SHAPES.items()]
    yield table_of(("", *names), shapes)
    sizes = found["image_sizes"]
    common = [(size, count) for size, count in sizes["common"].items()]
    yield table_of((f"image size, {sizes['distinct']} in all", "images"), common)


def _number(value: float | None) -> float | int:
    """Give what the table shows: a number that is not there is NaN, which it writes as a dash; whole ones are whole."""
    if value is None:
        return float("nan")
    return int(value) if value == int(value) else value
