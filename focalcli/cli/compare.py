"""`focalcli compare`: two models on the same photos, and whether the difference is more than luck."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from focalcli.cli.data_options import MAX_PIXELS, MaxPixels, PhotoFolder, Seed
from focalcli.cli.evaluate import annotated, detections
from focalcli.cli.options import BATCH
from focalcli.errors import GateFailed

if TYPE_CHECKING:
    from rich.table import Table

    from focalcli.evaluation.compare import Comparison


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="A model file, or saved detections.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another; what is reported is B minus A.")],
    data: Annotated[
        Path, typer.Option(metavar="DATA", help="Data set to compare on: a folder or an annotation file.")
    ] = Path("."),
    split: Annotated[str | None, typer.Option(metavar="NAME", help="Compare on this split only.")] = None,
    images: PhotoFolder = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write the result here.")
    ] = None,
    format: Annotated[
        Literal["table", "json"] | None,
        typer.Option(help="Format of the result. [default: table on a terminal, else json]"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    fail_if_drop: Annotated[
        float | None,
        typer.Option(min=0, metavar="POINTS", help="Exit 1 where B's AP is lower by more than this; 1 point is 0.01."),
    ] = None,
    resamples: Annotated[int, typer.Option(min=1, help="How often the photos are drawn.")] = 200,
    seed: Seed = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps or openvino.")] = "auto",
    batch: Annotated[Any, BATCH] = "auto",
    max_pixels: MaxPixels = MAX_PIXELS,
) -> None:
    """Compare two models on the same photos, with intervals.

    A paired bootstrap: photos are drawn again with replacement, the same for both, and the middle 95 % of the
    differences are the interval. A difference is sure where the interval leaves 0 out.

    Example: focalcli compare old.jsonl new.jsonl --data bay --split test --fail-if-drop 0.5
    """
    from focalcli.cli.tables import print_result
    from focalcli.evaluation.coco import matches_of
    from focalcli.evaluation.compare import compare as measure

    dataset = annotated(data, images=images, split=split)
    found = []
    for source in (a, b):
        saved = source if _is_detections(source) else None
        model = None if saved else source
        found.append(detections(dataset, model, saved, device=device, batch=batch, max_pixels=max_pixels))
    matches_a, matches_b = (matches_of(dataset, part) for part in found)
    comparison = measure(matches_a, matches_b, dataset.categories, resamples=resamples, seed=seed)
    print_result(as_dict(comparison), _tables(comparison), "json" if json else format, output)
    change = comparison.values["AP"]
    if fail_if_drop is not None and not -100 * change.difference <= fail_if_drop:
        low, high = change.interval
        fact = f"AP is {100 * change.difference:+.2f} points against {a} (95 %: {100 * low:+.2f} to {100 * high:+.2f})"
        raise GateFailed(b, fact, f"--fail-if-drop allows {fail_if_drop:g}")


def as_dict(comparison: "Comparison") -> dict[str, Any]:
    """Give the comparison as plain values: `values` and `classes`, each with a, b, difference, interval, p, sure."""

    def plain(values: dict[str, Any]) -> dict[str, Any]:
        return {name: {**row._asdict(), "sure": row.sure} for name, row in values.items()}

    return {
        "values": plain(comparison.values),
        "images": comparison.images,
        "resamples": comparison.resamples,
        "classes": [
            {"name": row.name, "id": row.id, "objects": row.objects, "values": plain(row.values)}
            for row in comparison.classes
        ],
    }


def _is_detections(path: Path) -> bool:
    return path.suffix.lower() in (".json", ".jsonl", ".ndjson")


def _tables(comparison: "Comparison") -> Iterable["Table"]:
    from focalcli.cli.tables import table_of

    head = ("A", "B", "B - A", "95 % from", "to", "p", "sure")
    rows = [(name, *_cells(row)) for name, row in comparison.values.items()]
    yield table_of(("number", *head), rows)
    classes = [(row.name, *_cells(row.values["AP"])) for row in comparison.classes]
    yield table_of(("AP of class", *head), classes)


def _cells(row: Any) -> tuple[object, ...]:
    return row.a, row.b, row.difference, row.interval.low, row.interval.high, row.p, "yes" if row.sure else "no"
