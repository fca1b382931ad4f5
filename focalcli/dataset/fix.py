"""A data set as `validate --fix` writes it, and the list of what was changed; most of it was done while reading."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from focalcli.dataset.checks import box_place
from focalcli.dataset.formats import table
from focalcli.dataset.pairs import repeated
from focalcli.dataset.types import Dataset

DONE_BY_READING = {
    "E001": "left out",
    "E002": "left out",
    "E003": "left out",
    "E004": "given an id of its own",
    "E005": "left out",
    "E006": "box left out",
    "E007": "",
    "E008": "",
    "W101": "",
    "W119": "",
    "W121": "",
    "I201": "",
    "I202": "",
}
"""Findings that reading has acted on, and what it did where the finding's own words do not say."""


class Change(NamedTuple):
    """One change: the code of the finding it answers, where, and what was done."""

    code: str
    place: str
    fact: str


def fixed(dataset: Dataset) -> tuple[Dataset, tuple[Change, ...]]:
    """Give the data set without boxes that repeat another and without photos of unknown size, and all changes.

    The data set must have been read with `ReadOptions.examples` large enough to keep every place.
    """
    read = [
        Change(finding.code, place, "; ".join(filter(None, (finding.fact, DONE_BY_READING[finding.code]))))
        for finding in dataset.findings
        if finding.code in DONE_BY_READING
        for place in (finding.place, *finding.examples)
    ]
    again = repeated(dataset.boxes)
    dropped = [
        Change("W103", box_place(dataset, dataset.boxes, row), "repeats another box of its class exactly; dropped")
        for row in np.flatnonzero(again).tolist()
    ]
    kept = replace(dataset, boxes=dataset.boxes.take(~again))
    known = np.array([image.width > 0 and image.height > 0 for image in dataset.images], dtype=np.bool_)
    unknown = [
        Change("E001", image.key, "the size of the photo is unknown; photo and boxes left out")
        for image, good in zip(dataset.images, known, strict=True)
        if not good
    ]
    if unknown:
        kept = kept.take_images(np.flatnonzero(known))
    return kept, (*read, *dropped, *unknown)


def writable_format(name: str) -> str:
    """Give the format itself where it can be written, else COCO."""
    return name if name and table.load(name).INFO.can_write else "coco"
