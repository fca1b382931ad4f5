"""`focalcli validate`: what is wrong with a data set, and a repaired copy of it."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from focalcli.cli.console import say
from focalcli.cli.data_options import MAX_PIXELS, FollowSymlinks, MaxPixels, PhotoFolder
from focalcli.cli.rewrite import Overwrite
from focalcli.errors import GateFailed

if TYPE_CHECKING:
    from rich.table import Table

    from focalcli.dataset.findings import FindingLog
    from focalcli.dataset.fix import Change
    from focalcli.dataset.types import Dataset, Finding

Level = Literal["error", "warning"]


def validate(
    data: Annotated[Path, typer.Argument(help="Data set: a folder or an annotation file.")] = Path("."),
    split: Annotated[str | None, typer.Option(metavar="NAME", help="Look at this split only.")] = None,
    images: PhotoFolder = None,
    fail_on: Annotated[Level, typer.Option(help="Exit 1 at findings this bad or worse.")] = "error",
    deep: Annotated[bool, typer.Option("--deep", help="Decode every photo to its last byte.")] = False,
    preset: Annotated[
        str, typer.Option(help="Model whose anchors are to reach the objects (W117); none leaves that out.")
    ] = "lite0",
    fix: Annotated[
        Path | None, typer.Option(metavar="DST", help="Write a repaired copy here and list every change.")
    ] = None,
    format: Annotated[
        Literal["table", "json", "junit"] | None,
        typer.Option(help="Format of the result. [default: table on a terminal, else json]"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    overwrite: Overwrite = False,
    follow_symlinks: FollowSymlinks = False,
    max_pixels: MaxPixels = MAX_PIXELS,
) -> None:
    """Check a data set for errors, duplicates, damage and leaks.

    Every finding has a stable code (E001 to E008 errors, W101 to W122 warnings), a file and record, and a count.
    Headers and ends of photos are read, small versions to find pictures that are in two splits, and with `--deep` all
    their pixels. `--fix` swaps, clips and drops boxes,
    never photos that can be read; the copy has the same format, or COCO where that cannot be written. The source
    stays as it is.

    Example: focalcli validate bay --fail-on warning
    """
    import sys

    from focalcli.dataset.checks import all_findings, check
    from focalcli.dataset.copies import check_copies
    from focalcli.dataset.findings import EXAMPLES, FindingLog
    from focalcli.dataset.format import ReadOptions
    from focalcli.dataset.photo_checks import check_photos
    from focalcli.dataset.read import read_dataset
    from focalcli.images.condition import condition
    from focalcli.images.likeness import small_grey

    # A repair lists all it changed, so every place is kept.
    limit = EXAMPLES if fix is None else sys.maxsize
    options = ReadOptions(lenient=True, follow_symlinks=follow_symlinks, max_pixels=max_pixels, examples=limit)
    dataset = read_dataset(data, images=images, split=split, options=options)
    say(f"read as {dataset.info['read_as']}")
    log = FindingLog(limit)
    check(dataset, log)
    _check_anchors(dataset, preset, log)
    check_photos(dataset, partial(condition, deep=deep, max_pixels=max_pixels), log)
    check_copies(dataset, partial(small_grey, max_pixels=max_pixels), log)
    findings = all_findings(dataset, log)
    changes = () if fix is None else _fixed(dataset, fix, overwrite=overwrite)
    bad = sum(f.count for f in findings if f.severity in ({"error"} if fail_on == "error" else {"error", "warning"}))
    _show(data, dataset, findings, changes if fix else None, fail_on, "json" if json else format)
    if bad:
        raise GateFailed(
            data, f"{bad} finding{'s' if bad > 1 else ''} at or above --fail-on {fail_on}", "repair them, or see --fix"
        )


def _check_anchors(dataset: "Dataset", preset: str, log: "FindingLog") -> None:
    """Report W117: objects that no anchor of a model overlaps enough at its input size."""
    if preset == "none":
        return
    try:
        from focalcli.insight.anchors import UNREACHED, unreached
    except ModuleNotFoundError as error:
        say(f"W117 is left out: {error.name} is not installed")
        return
    from focalcli.config import ClassInfo, model_config
    from focalcli.dataset.checks import report_rows

    model = model_config(preset, tuple(ClassInfo(c.name, c.source_id) for c in dataset.categories))
    fit = model.fit
    fact = f"no anchor of {preset} overlaps the object by {UNREACHED:g} at {fit.min_size}..{fit.max_size} pixels"
    report_rows(dataset, log, "W117", unreached(dataset, model), fact)


def _fixed(dataset: "Dataset", destination: Path, *, overwrite: bool) -> Sequence["Change"]:
    """Write the repaired copy and give what was changed."""
    from focalcli.dataset.convert import convert
    from focalcli.dataset.fix import fixed, writable_format

    repaired, changes = fixed(dataset)
    done = convert(repaired, destination, to=writable_format(dataset.format), overwrite=overwrite)
    for loss in done.losses:
        say(f"{loss.what} ({loss.count})")
    say(f"wrote {done.destination}: {done.images} images, {done.boxes} boxes, {len(changes)} changes as {done.title}")
    return changes


def _show(
    data: Path,
    dataset: "Dataset",
    findings: Sequence["Finding"],
    changes: Sequence["Change"] | None,
    fail_on: Level,
    format: str | None,
) -> None:
    from focalcli.cli.tables import print_result

    if format == "junit":
        from focalcli.dataset.junit import as_junit

        print(as_junit(findings, fail_on))
        return
    counts = {level: sum(f.count for f in findings if f.severity == level) for level in ("error", "warning", "info")}
    result: dict[str, Any] = {
        "data": str(data),
        "format": dataset.format,
        "images": len(dataset.images),
        "boxes": len(dataset.boxes),
        "counts": counts,
        "findings": [_plain(finding) for finding in findings],
    }
    if changes is not None:
        result["changes"] = [{"code": c.code, "place": c.place, "fact": c.fact} for c in changes]
    print_result(result, _tables(result), format, None)


def _plain(finding: "Finding") -> dict[str, Any]:
    from focalcli.dataset.findings import CODES, EXAMPLES

    return {
        "code": finding.code,
        "severity": finding.severity,
        "place": finding.place,
        "fact": finding.fact,
        "count": finding.count,
        "examples": list(finding.examples[:EXAMPLES]),
        "remedy": CODES[finding.code].remedy,
    }


def _tables(result: dict[str, Any]) -> Iterable["Table"]:
    from focalcli.cli.tables import table_of

    rows = [(f["code"], f["severity"], f["count"], f["place"], f["fact"]) for f in result["findings"]]
    yield table_of(("code", "level", "count", "where, first", "what"), rows or [("-", "", 0, "", "nothing found")])
    if "changes" in result:
        made = [(c["code"], c["place"], c["fact"]) for c in result["changes"]]
        yield table_of(("change", "where", "what"), made or [("-", "", "nothing to change")])
