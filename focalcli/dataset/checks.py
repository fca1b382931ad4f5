"""What is suspicious in annotations that could be read: boxes, names, classes and splits, without opening a photo."""

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from focalcli.dataset.findings import FindingLog
from focalcli.dataset.finish import record_place
from focalcli.dataset.formats import table
from focalcli.dataset.names import folded, split_name, stem
from focalcli.dataset.pairs import close_pairs, repeated
from focalcli.dataset.types import Boxes, Dataset, Finding, Flag, Ints

SHORTEST_SIDE = 4.0
"""W102: pixels; below that a shift of one pixel makes an IoU under 0.75."""
WHOLE_PHOTO, LONGEST_ASPECT, IDENTICAL_BOXES = 0.95, 20.0, 3
FEWEST_OBJECTS = 10
REGIONS = Flag.CROWD | Flag.IGNORE | Flag.GROUP
"""Marked regions, which may lie over objects."""


def check(dataset: Dataset, log: FindingLog) -> None:
    """Report everything that annotations alone show; what the reader reported is not reported again."""
    for one in CHECKS:
        one(dataset, log)


def all_findings(dataset: Dataset, log: FindingLog) -> tuple[Finding, ...]:
    """Give the reader's findings and those of the checks, errors first, by code."""
    return tuple(sorted((*dataset.findings, *log.as_seen()), key=lambda finding: finding.code))


def _small_boxes(dataset: Dataset, log: FindingLog) -> None:
    sides = (dataset.boxes.xyxy[:, 2:] - dataset.boxes.xyxy[:, :2]).min(axis=1, initial=np.inf)
    report_rows(dataset, log, "W102", np.flatnonzero(sides < SHORTEST_SIDE), "a side is under 4 pixels")


def _repeated_boxes(dataset: Dataset, log: FindingLog) -> None:
    report_rows(
        dataset, log, "W103", np.flatnonzero(repeated(dataset.boxes)), "repeats another box of its class exactly"
    )


def _overlapping_boxes(dataset: Dataset, log: FindingLog) -> None:
    boxes = dataset.boxes
    rows = np.flatnonzero(~repeated(boxes) & ((boxes.flags & REGIONS.value) == 0))
    first, second = (rows[side] for side in close_pairs(boxes.take(rows)))
    later = np.maximum(first, second)
    same = boxes.category[first] == boxes.category[second]
    report_rows(dataset, log, "W104", np.unique(later[same]), "overlaps a box of its class with IoU of at least 0.9")
    report_rows(
        dataset, log, "W105", np.unique(later[~same]), "overlaps a box of another class with IoU of at least 0.9"
    )


def _suspicious_boxes(dataset: Dataset, log: FindingLog) -> None:
    boxes = dataset.boxes
    sides = boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]
    photo = np.array([image.width * image.height for image in dataset.images], dtype=np.float64)
    whole = sides.prod(axis=1) > WHOLE_PHOTO * np.where(photo > 0, photo, np.inf)[boxes.image]
    report_rows(dataset, log, "W113", np.flatnonzero(whole), "the box covers more than 95 % of its photo")
    long = sides.max(axis=1, initial=0.0) > LONGEST_ASPECT * sides.min(axis=1, initial=np.inf)
    report_rows(dataset, log, "W113", np.flatnonzero(long), "one side of the box is over 20 times the other")
    _identical_boxes(dataset, log)


def _identical_boxes(dataset: Dataset, log: FindingLog) -> None:
    boxes, number = dataset.boxes, len(dataset.categories)
    low, high = np.full((number, 4), np.inf), np.full((number, 4), -np.inf)
    np.minimum.at(low, boxes.category, boxes.xyxy)
    np.maximum.at(high, boxes.category, boxes.xyxy)
    counts = np.bincount(boxes.category, minlength=number)
    for index in np.flatnonzero((low == high).all(axis=1) & (counts >= IDENTICAL_BOXES)):
        log.add("W113", f"class {dataset.categories[index].name!r}", f"all its {counts[index]} boxes are the same")


def _photos(dataset: Dataset, log: FindingLog) -> None:
    """Report photos that are not there (W108) and those nobody labelled (W110)."""
    reported = {finding.code for finding in dataset.findings}
    for image in dataset.images:
        if image.path is None and "W108" not in reported:
            log.add("W108", image.key, "the photo is not there")
        if not image.labelled and "W110" not in reported:
            log.add("W110", image.key, "has no annotation, not even an empty one, so it counts as not labelled")


def _name_clashes(dataset: Dataset, log: FindingLog) -> None:
    names: dict[str, str] = {}
    stems: dict[str, str] = {}
    for image in dataset.images:
        whole, short = folded(image.key), folded(stem(image.key))
        if whole in names:
            log.add("W112", image.key, "differs from another photo's name only in case or Unicode form")
        elif short in stems:
            log.add("W111", image.key, "differs from another photo's name only in its suffix: both have one label file")
        names[whole] = stems[short] = image.key


def _splits(dataset: Dataset, log: FindingLog) -> None:
    """Report classes that are measured but not trained: W114."""
    usual = np.array([split_name(image.split or "") for image in dataset.images], dtype=object)
    if "train" not in usual:
        return
    split = usual[dataset.boxes.image]
    number = len(dataset.categories)
    trained = np.bincount(dataset.boxes.category[split == "train"], minlength=number)
    for name in dict.fromkeys(usual.tolist()):
        there = np.bincount(dataset.boxes.category[split == name], minlength=number)
        for index in np.flatnonzero((there > 0) & (trained == 0)) if name else ():
            words = f"class {dataset.categories[index].name!r}"
            log.add("W114", words, f"has {there[index]} objects in {name} and none in train")


def _rare_classes(dataset: Dataset, log: FindingLog) -> None:
    counts = np.bincount(dataset.boxes.category, minlength=len(dataset.categories))
    for category, count in zip(dataset.categories, counts.tolist(), strict=True):
        if count < FEWEST_OBJECTS:
            fact = f"has {count} object{'s' if count > 1 else ''}" if count else "has no objects"
            log.add("W116", f"class {category.name!r}", fact)


def _class_names(dataset: Dataset, log: FindingLog) -> None:
    """Report classes that are one but for case: W122."""
    known: dict[str, list[str]] = defaultdict(list)
    for category in dataset.categories:
        known[folded(category.name.strip())].append(category.name)
    for names in known.values():
        for name in names[1:]:
            log.add("W122", f"class {name!r}", f"is {names[0]!r} but for case, spaces or id")


def report_rows(dataset: Dataset, log: FindingLog, code: str, rows: Ints, fact: str) -> None:
    """Note a fact of some boxes, with the file and record of as many as the log keeps."""
    if len(rows):
        places = [box_place(dataset, dataset.boxes, row) for row in rows[: log.limit + 1]]
        log.add(code, places[0], fact, count=len(rows), others=places[1:])


def box_place(dataset: Dataset, boxes: Boxes, row: int) -> str:
    """Give `file: record` of a box."""
    record = table.load(dataset.format).INFO.record if dataset.format else "line"
    return record_place(boxes, row, dataset.images, dataset.files, record)


CHECKS: Sequence[Callable[[Dataset, FindingLog], None]] = (
    _small_boxes,
    _repeated_boxes,
    _overlapping_boxes,
    _suspicious_boxes,
    _photos,
    _name_clashes,
    _splits,
    _rare_classes,
    _class_names,
)
