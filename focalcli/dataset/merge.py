"""Two data sets made one: classes joined by name, photos that clash renamed, what came from where noted."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from focalcli.dataset.columns import SPARSE
from focalcli.dataset.names import folded, stem
from focalcli.dataset.types import SOURCE, Boxes, Category, Dataset, Image, Ints


def merge(datasets: Sequence[Dataset]) -> tuple[Dataset, dict[tuple[str, str], str]]:
    """Give one data set of all images and boxes of at least one, in the order given.

    Classes of one name are one, with the id it has first; a class whose id is taken gets the next free one. A photo
    whose name is taken, be it in another case, gets a number. Ids of images and annotations that are not unique over
    all are dropped, so that a writer numbers them anew. The mapping gives the new key for
    (data set, old key) of the photos that were renamed.
    """
    assert datasets, "there is nothing to merge"
    categories, targets = _joined_classes(datasets)
    images, renamed = _joined_images(datasets)
    offsets = np.cumsum([0, *(len(dataset.images) for dataset in datasets)])
    files = np.cumsum([0, *(len(dataset.files) for dataset in datasets)])
    parts = [
        replace(
            dataset.boxes,
            image=dataset.boxes.image + offset,
            category=target[dataset.boxes.category],
            origin_file=np.where(dataset.boxes.origin_file < 0, -1, dataset.boxes.origin_file + file),
        )
        for dataset, target, offset, file in zip(datasets, targets, offsets, files, strict=False)
    ]
    joined = Dataset(
        categories,
        images,
        _unique_ids(_stacked(parts)),
        datasets[0].root,
        datasets[0].format,
        tuple(f"{_name(d)}: {file}" for d in datasets for file in d.files),
        tuple(finding for dataset in datasets for finding in dataset.findings),
        {"paths": tuple(_name(dataset) for dataset in datasets)},
    )
    return joined, renamed


def _name(dataset: Dataset) -> str:
    return str(dataset.info.get("path", dataset.root))


def _joined_classes(datasets: Sequence[Dataset]) -> tuple[tuple[Category, ...], list[Ints]]:
    """Give all classes, and for each data set the new position of every class."""
    joined: list[Category] = []
    by_name: dict[str, int] = {}
    targets = []
    for dataset in datasets:
        taken = {category.source_id for category in joined}
        for category in dataset.categories:
            if category.name not in by_name:
                number = category.source_id if category.source_id not in taken else max(taken) + 1
                taken.add(number)
                by_name[category.name] = len(joined)
                joined.append(replace(category, source_id=number))
        targets.append(np.array([by_name[category.name] for category in dataset.categories], dtype=np.int64))
    return tuple(joined), targets


def _joined_images(datasets: Sequence[Dataset]) -> tuple[tuple[Image, ...], dict[tuple[str, str], str]]:
    """Give all images under unique keys, and which were renamed."""
    ids = [image.source_id for dataset in datasets for image in dataset.images]
    unique = len(set(ids)) == len(ids)
    taken: set[str] = set()
    images: list[Image] = []
    renamed: dict[tuple[str, str], str] = {}
    for dataset in datasets:
        for image in dataset.images:
            key, number = image.key, 0
            while folded(key) in taken:
                number += 1
                head = stem(image.key)
                key = f"{head}-{number}{image.key[len(head) :]}"
            taken.add(folded(key))
            if number:
                renamed[_name(dataset), image.key] = key
            extra = {**(image.extra or {}), SOURCE: _name(dataset)}
            images.append(image.but(key=key, source_id=image.source_id if unique else None, extra=extra))
    return tuple(images), renamed


def _stacked(parts: Sequence[Boxes]) -> Boxes:
    """Put the columns of boxes one after the other; a sparse column that some have is filled for the others."""
    columns: dict[str, Any] = {}
    for name in Boxes.__dataclass_fields__:
        values = [getattr(part, name) for part in parts]
        if name in SPARSE and any(value is not None for value in values):
            kind, missing = SPARSE[name]
            values = [
                np.full(len(part), missing, dtype=kind) if value is None else value
                for part, value in zip(parts, values, strict=True)
            ]
        columns[name] = None if values[0] is None else np.concatenate(values)
    return Boxes(**columns)


def _unique_ids(boxes: Boxes) -> Boxes:
    """Drop the ids of all boxes where two share one."""
    own = boxes.source_id[boxes.source_id >= 0]
    return boxes if len(np.unique(own)) == len(own) else replace(boxes, source_id=np.full(len(boxes), -1))
