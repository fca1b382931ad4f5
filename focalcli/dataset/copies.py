"""Photos that are there twice: the same bytes, or the same picture in other bytes.

A picture is known by its small grey version (`images.likeness`), of which only the steps from cell to cell count:
brightness, contrast, size and compression hardly change them. Two photos are alike where the steps correlate by
`ALIKE`. On BCCD's microscope photos copies of half the size, of JPEG quality 30 or a third brighter reach 0.98, without
a border of 1 % 0.87, and different photos at most 0.41. A mirrored or strongly cut copy is not found.
"""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from focalcli.dataset.findings import FindingLog
from focalcli.dataset.types import Dataset, Image, Ints

ALIKE = 0.8
TILE = 2048
"""Photos compared with as many others at a time: 16 MB of correlations."""

Grey = npt.NDArray[np.uint8]
Steps = npt.NDArray[np.float32]


def check_copies(dataset: Dataset, look: Callable[[Path], Grey | None], log: FindingLog) -> None:
    """Report W115: photos that are also in another split, byte for byte or to the eye."""
    if len(dataset.splits) < 2:
        return
    known = _same_bytes(dataset, log)
    number = {name: index for index, name in enumerate(dataset.splits)}
    split = np.array([-1 if image.split is None else number[image.split] for image in dataset.images], dtype=np.int64)
    partner = np.full(len(dataset.images), len(dataset.images))
    for first, second in alike(picture_steps(dataset, look)):
        apart = (split[first] != split[second]) & (split[first] >= 0) & (split[second] >= 0)
        np.minimum.at(partner, second[apart], first[apart])
    for index in np.flatnonzero(partner < len(partner)).tolist():
        image, other = dataset.images[index], dataset.images[partner[index]]
        if index not in known and image.path != other.path:
            log.add("W115", _both(image, other), "the same picture, in other bytes, is in two splits")


def picture_steps(dataset: Dataset, look: Callable[[Path], Grey | None]) -> Steps:
    """Give the steps of every photo as (images, k) vectors of length 1; zeros where there is no photo or no step."""
    paths = [image.path for image in dataset.images]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        greys = list(pool.map(lambda path: None if path is None else look(path), paths))
    shape = next((grey.shape for grey in greys if grey is not None), None)
    if shape is None:
        return np.zeros((len(greys), 1), dtype=np.float32)
    stack = np.zeros((len(greys), *shape), dtype=np.float32)
    for index, grey in enumerate(greys):
        if grey is not None:
            stack[index] = grey
    steps = np.concatenate([np.diff(stack, axis=axis).reshape(len(stack), -1) for axis in (1, 2)], axis=1)
    length = np.linalg.norm(steps, axis=1, keepdims=True)
    return np.asarray(steps / np.where(length > 0, length, 1.0), dtype=np.float32)


def alike(steps: Steps, least: float = ALIKE) -> Iterator[tuple[Ints, Ints]]:
    """Give positions (k,), (k,) of the pairs whose steps correlate by `least`, the earlier first, tile by tile."""
    for top in range(0, len(steps), TILE):
        for left in range(top, len(steps), TILE):
            rows, columns = np.nonzero(steps[top : top + TILE] @ steps[left : left + TILE].T >= least)
            first, second = rows + top, columns + left
            yield first[first < second], second[first < second]


def groups_of_copies(dataset: Dataset, look: Callable[[Path], Grey | None]) -> list[str]:
    """Give a group name for each image, the same for photos that are alike, also by way of others."""
    label = np.arange(len(dataset.images))
    for first, second in alike(picture_steps(dataset, look)):
        label = joined(label, first, second)
    return group_names(label, [image.key for image in dataset.images])


def joined(label: Ints, first: Ints, second: Ints) -> Ints:
    """Give labels (n,), each the first position of its group, after groups of the given pairs were made one.

    >>> import numpy as np
    >>> joined(np.arange(5), np.array([0, 3, 1]), np.array([3, 4, 2])).tolist()
    [0, 1, 1, 0, 0]
    """
    label = label.copy()
    while (label[first] != label[second]).any():
        one, other = label[first], label[second]
        np.minimum.at(label, np.maximum(one, other), np.minimum(one, other))
        while (label[label] != label).any():
            label = label[label]
    return label


def group_names(label: Ints, keys: Sequence[str]) -> list[str]:
    """Give every group the first of its keys as its name, so that the order of the images does not matter."""
    names: dict[int, str] = {}
    for own, key in zip(label.tolist(), keys, strict=True):
        names[own] = min(key, names.get(own, key))
    return [f"like {names[own]}" for own in label.tolist()]


def _same_bytes(dataset: Dataset, log: FindingLog) -> set[int]:
    """Report photos whose bytes are also in another split, give their positions; only equal lengths are read."""
    by_length: dict[int, list[int]] = defaultdict(list)
    for index, image in enumerate(dataset.images):
        if image.path is not None and image.path.is_file() and os.access(image.path, os.R_OK):
            by_length[os.path.getsize(image.path)].append(index)
    found = set()
    for positions in by_length.values():
        if len({dataset.images[index].split for index in positions}) == 1:
            continue
        first: dict[bytes, Image] = {}
        for index in positions:
            image = dataset.images[index]
            assert image.path is not None, "only photos that are there have a length"
            known = first.setdefault(_digest(image.path), image)
            if known.split != image.split and known.path != image.path:
                log.add("W115", _both(image, known), "the same photo, byte for byte, is in two splits")
                found.add(index)
    return found


def _both(image: Image, other: Image) -> str:
    return f"{image.key} in {image.split}, {other.key} in {other.split}"


def _digest(path: Path) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
