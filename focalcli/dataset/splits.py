"""New splits for a data set: every class in its ratio, groups of photos whole, the same on every machine."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from focalcli.dataset.copies import Grey, group_names, groups_of_copies, joined
from focalcli.dataset.types import Dataset, Floats, Ints
from focalcli.errors import UsageError

NEAR_DUPLICATE = "near-duplicate"


def parse_ratio(text: str) -> dict[str, float]:
    """Give the share of each split from `80/10/10` or `train=8,val=2`, as parts of 1.

    Two numbers are train and val, three train, val and test.

    Raises:
        UsageError: they are no positive numbers, or too many without names.

    >>> parse_ratio("80/20"), parse_ratio("a=1,b=3")
    ({'train': 0.8, 'val': 0.2}, {'a': 0.25, 'b': 0.75})
    """
    named = "=" in text
    pairs = [part.partition("=") for part in text.split("," if named else "/")]
    names = [name.strip() for name, _, _ in pairs] if named else ["train", "val", "test"][: len(pairs)]
    try:
        parts = [float(value if named else name) for name, _, value in pairs]
    except ValueError:
        parts = []
    if len(set(names)) != len(parts) or not all(part > 0 and part < float("inf") for part in parts) or "" in names:
        raise UsageError("--ratio", f"{text!r} is no ratio of splits", "write 80/10/10 or train=80,val=20")
    return {name: part / sum(parts) for name, part in zip(names, parts, strict=True)}


def resplit(
    dataset: Dataset,
    ratio: Mapping[str, float],
    *,
    by: Literal["class", "image"] = "class",
    groups: Sequence[str] | None = None,
    seed: int = 0,
) -> Dataset:
    """Give the data set with its images in new splits.

    By class, classes keep their ratio as well as whole groups allow, rarest first (after Sechidis, Tsoumakas and
    Vlahavas 2011, `On the stratification of multi-label data`); images without objects count as a class of their own.
    By image, only the number of images is kept, and classes fall as chance has it. `groups`: a name for each image,
    and images of one name stay together; None leaves each image to itself. The order depends on the seed and the
    names alone.
    """
    names = list(groups) if groups is not None else [image.key for image in dataset.images]
    assert len(names) == len(dataset.images), "one group for every image"
    known = sorted(set(names))
    number = {name: index for index, name in enumerate(known)}
    member = np.array([number[name] for name in names], dtype=np.int64)
    counts = _class_counts(dataset, member, len(known)) if by == "class" else _image_counts(member, len(known))
    rarest = _rarest(counts)
    chosen = _assigned(counts, np.array(list(ratio.values())), rarest, _order(counts, rarest, known, seed))
    splits = list(ratio)
    images = tuple(
        image.but(split=splits[chosen[group]]) for image, group in zip(dataset.images, member.tolist(), strict=True)
    )
    return replace(dataset, images=images, info={**dataset.info, "splits": tuple(splits)})


def groups_by(
    dataset: Dataset, ways: Sequence[str], look: Callable[[Path], Grey | None] | None = None
) -> list[str] | None:
    """Give the group of each image, None for none; groups of several ways that share an image are one.

    `dir` groups by folder, `near-duplicate` photos that `look` shows to be alike (`copies`), any other word is a
    pattern: what it finds in a key names the group, with a group in parentheses what that holds; a key it does not
    match is a group of its own.

    Raises:
        UsageError: a pattern is none, or in none of the keys.
    """
    groupings = [_groups(dataset, way, look) for way in ways]
    if len(groupings) < 2:
        return groupings[0] if groupings else None
    label = np.arange(len(dataset.images))
    for names in groupings:
        first: dict[str, int] = {}
        firsts = np.array([first.setdefault(name, index) for index, name in enumerate(names)], dtype=np.int64)
        label = joined(label, firsts, np.arange(len(names)))
    return group_names(label, [image.key for image in dataset.images])


def _groups(dataset: Dataset, how: str, look: Callable[[Path], Grey | None] | None) -> list[str]:
    if how == "dir":
        return [image.key.rpartition("/")[0] for image in dataset.images]
    if how == NEAR_DUPLICATE:
        assert look is not None, "photos are compared by what they show"
        return groups_of_copies(dataset, look)
    try:
        pattern = re.compile(how)
    except re.error as error:
        raise UsageError(
            "--group",
            f"{how!r} is no pattern ({error})",
            "use `dir`, `near-duplicate`, or a pattern like '^(day\\d+)_'",
        ) from error
    found = [pattern.search(image.key) for image in dataset.images]
    if found and not any(found):
        raise UsageError(
            "--group", f"{how!r} is in no name", "use `dir`, `near-duplicate`, or a pattern like '^(day\\d+)_'"
        )
    texts = [match and (match.group(1) if pattern.groups else match.group()) for match in found]
    return [f"match {text}" if text else f"key {image.key}" for text, image in zip(texts, dataset.images, strict=True)]


def _class_counts(dataset: Dataset, member: Ints, groups: int) -> Floats:
    """Give (groups, classes + 2): boxes of each class, images without objects, images."""
    classes = len(dataset.categories)
    counts = np.zeros((groups, classes + 2))
    np.add.at(counts, (member[dataset.boxes.image], dataset.boxes.category), 1)
    np.add.at(counts[:, classes], member[np.diff(dataset.row_bounds()) == 0], 1)
    np.add.at(counts[:, classes + 1], member, 1)
    return counts


def _image_counts(member: Ints, groups: int) -> Floats:
    """Give (groups, 2): images, as the only class there is, and again as what splits are measured in."""
    return np.repeat(np.bincount(member, minlength=groups)[:, None].astype(np.float64), 2, axis=1)


def _rarest(counts: Floats) -> Ints:
    """Give the class each group holds of which there is least in all; images without objects are a class here."""
    held = np.where(counts[:, :-1] > 0, counts[:, :-1].sum(axis=0), np.inf)
    return np.asarray(held.argmin(axis=1), dtype=np.int64)


def _order(counts: Floats, rarest: Ints, names: Sequence[str], seed: int) -> list[int]:
    """Give the groups by how rare their rarest class is, the fuller of it first; the seed breaks ties."""
    rarity = counts.sum(axis=0)[rarest].tolist()
    fullness = counts[np.arange(len(names)), rarest].tolist()
    digests = [hashlib.sha256(f"{seed}\t{name}".encode("utf-8", "surrogateescape")).digest() for name in names]
    return sorted(range(len(names)), key=lambda group: (rarity[group], -fullness[group], digests[group]))


def _assigned(counts: Floats, shares: Floats, rarest: Ints, order: Sequence[int]) -> Ints:
    """Give the split of each group: the one that lacks most of its rarest class, of equals most images."""
    lacking = shares[:, None] * counts.sum(axis=0)
    chosen = np.zeros(len(counts), dtype=np.int64)
    for group in order:
        need, images = np.round(lacking[:, rarest[group]], 6), np.round(lacking[:, -1], 6)
        chosen[group] = max(range(len(shares)), key=lambda split: (need[split], images[split], -split))
        lacking[chosen[group]] -= counts[group]
    return chosen
