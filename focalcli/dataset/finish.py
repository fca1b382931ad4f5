"""The last step of reading: sizes from headers, keys made unique, boxes made sound, every change reported."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from focalcli.dataset.columns import Chunk
from focalcli.dataset.findings import CODES, FindingLog
from focalcli.dataset.format import ReadOptions
from focalcli.dataset.repair import Mask, Repaired, repair
from focalcli.dataset.source import Source
from focalcli.dataset.types import Boxes, Finding, Floats, Image, Ints
from focalcli.errors import DataError, FocalError

LONGEST_SIDE = (1 << 31) - 1
"""Pixels: no photo format holds a longer side, so a longer one is taken for none and read from the photo."""
STUCK_OUT = {"clip": "clipped", "error": "clipped", "drop": "dropped", "keep": "kept"}


def resolve_images(images: list[Image], source: Source, log: FindingLog) -> None:
    """Read missing sizes from headers, and make clashing keys unique by their split, else by a number; in place."""
    clashes = Counter([image.key for image in images])
    taken = set(clashes)
    for index, image in enumerate(images):
        key = image.key
        if clashes[key] > 1:
            key = _free_key(image, taken)
            taken.add(key)
        if 0 < image.width <= LONGEST_SIDE and 0 < image.height <= LONGEST_SIDE:
            if key != image.key:
                images[index] = image.but(key=key)
            continue
        width, height = _size(image, source, log)
        images[index] = image.but(key=key, width=width, height=height)


def _free_key(image: Image, taken: set[str]) -> str:
    """Give a key nobody has: below its split, else with a number before the suffix."""
    if image.split and (key := f"{image.split}/{image.key}") not in taken:
        return key
    head, dot, suffix = image.key.rpartition(".")
    number = 1
    while (key := f"{head if dot else image.key}-{number}{dot + suffix if dot else ''}") in taken:
        number += 1
    return key


def _size(image: Image, source: Source, log: FindingLog) -> tuple[int, int]:
    if image.path is None:
        log.add("E001", image.key, "has no size in the annotations and no photo to read it from")
        return 0, 0
    try:
        return source.size(image.path)
    except FocalError as error:
        log.add("E001", error.place, error.fact)
        return 0, 0


def sound_rows(
    rows: Chunk, images: Sequence[Image], files: Sequence[str], record: str, options: ReadOptions, log: FindingLog
) -> Ints | None:
    """Scale, swap and clip boxes in place and report each kind; give the rows to keep by image, None for all as is."""
    sizes = np.array([(image.width, image.height) for image in images], dtype=np.float64).reshape(-1, 2)
    size = sizes[rows.image] if len(sizes) else np.zeros((len(rows.image), 2))
    if rows.fractions.any():
        rows.xyxy = rows.xyxy * np.where(rows.fractions[:, None], np.hstack([size, size]), 1.0)
    keep = np.ones(len(rows.image), dtype=np.bool_)
    wrong = np.flatnonzero(~_sound(rows.xyxy, size))
    fixed = repair(rows.xyxy[wrong], np.where(size[wrong] > 0, size[wrong], LONGEST_SIDE))
    _put(rows, wrong, fixed, options)
    keep[wrong] = ~(fixed.infinite | fixed.empty | (fixed.clipped & (options.bad_boxes == "drop")))
    done = STUCK_OUT[options.bad_boxes]
    for code, mask, fact in (
        ("E006", fixed.infinite, "a coordinate is not a finite number"),
        ("E007", fixed.swapped, "the corners are inverted, swapped"),
        ("E008", fixed.empty, "the box has no area within the photo, dropped"),
        ("W101", fixed.clipped, f"the box sticks out of the photo, {done}"),
        ("I201", fixed.rounded, f"the box sticks out of the photo by a rounding, {done.replace('dropped', 'clipped')}"),
    ):
        found = wrong[mask]
        places = [record_place(rows, row, images, files, record) for row in found[: log.limit + 1]]
        if places:
            log.add(code, places[0], fact, count=len(found), others=places[1:])
    areas = np.isnan(rows.area)
    with np.errstate(over="ignore"):  # boxes that are kept as they are may be of any size
        rows.area[areas] = (rows.xyxy[areas, 2:] - rows.xyxy[areas, :2]).prod(axis=1)
    if keep.all() and bool((rows.image[1:] >= rows.image[:-1]).all()):
        return None
    return np.flatnonzero(keep)[np.argsort(rows.image[keep], kind="stable")]


def _sound(xyxy: Floats, size: Floats) -> Mask:
    """Tell which boxes need nothing done; NaN compares false and so is not sound."""
    x0, y0, x1, y1 = xyxy.T
    width, height = size.T
    sound: Mask = (x0 >= 0) & (y0 >= 0) & (x1 <= width) & (y1 <= height) & (x1 > x0) & (y1 > y0)
    return sound


def _put(rows: Chunk, wrong: Ints, fixed: Repaired, options: ReadOptions) -> None:
    """Store repaired boxes; one that was clipped has no more area than what is left of it."""
    stays = (fixed.clipped | fixed.rounded) & ~fixed.swapped & (options.bad_boxes == "keep")
    rows.xyxy[wrong] = np.where(stays[:, None], rows.xyxy[wrong], fixed.xyxy)
    left = (fixed.xyxy[:, 2:] - fixed.xyxy[:, :2]).prod(axis=1)
    rows.area[wrong] = np.where(stays, rows.area[wrong], np.minimum(rows.area[wrong], left))


def record_place(rows: Chunk | Boxes, row: int, images: Sequence[Image], files: Sequence[str], record: str) -> str:
    """Give `file: record` of a box as well as it is known."""
    number, line = int(rows.origin_file[row]), int(rows.origin_line[row])
    place = files[number] if 0 <= number < len(files) else images[int(rows.image[row])].key
    if rows.source_id[row] >= 0:
        return f"{place}: {record} id {rows.source_id[row]}"
    return f"{place}: {record} {line}" if line else place


def refuse_fatal(findings: Sequence[Finding], options: ReadOptions) -> None:
    """Stop at findings that reading cannot go on from, or that the user wants to stop at.

    Raises:
        DataError: the first of them, with how many more there are.
    """
    spared = {"E006"} if options.bad_boxes == "drop" else set()
    stops = {"E007", "E008", "W101"} if options.bad_boxes == "error" else set()
    fatal = [f for f in findings if f.code in stops or (CODES[f.code].fatal and f.code not in spared)]
    if fatal:
        first, more = fatal[0], sum(finding.count for finding in fatal) - 1
        also = f" (and {more} more like it)" if more else ""
        fact = first.fact.removesuffix(", dropped").removesuffix(", clipped").removesuffix(", swapped")
        remedy = "repair it, or choose --bad-boxes clip" if first.code in stops else CODES[first.code].remedy
        raise DataError(first.place, fact + also, remedy)
