"""Classes meet by name: a model's, or a prediction file's, with the data set's."""

import difflib
from collections.abc import Sequence

import numpy as np

from focalcli.dataset.types import Category
from focalcli.errors import DataError
from focalcli.evaluation.columns import Ints


def class_map(names: Sequence[str], categories: Sequence[Category], *, place: str) -> Ints:
    """Give (len(names),) the position in `categories` of each name, -1 for a class that the data set does not have.

    A data set may lack classes of the model (their detections cannot be judged and are counted by the caller) and a
    model may lack classes of the data set (their objects are missed), as long as one is shared.

    Raises:
        DataError: no class is shared; the names on either side are listed.
    """
    position = {category.name: index for index, category in enumerate(categories)}
    mapped = np.array([position.get(name, -1) for name in names], np.int64)
    if len(names) and (mapped < 0).all():
        raise DataError(place, "no class of the model is in the data set: " + difference(names, categories),
                        "rename classes with `focalcli convert --rename OLD=NEW`")  # fmt: skip
    return mapped


def difference(names: Sequence[str], categories: Sequence[Category]) -> str:
    """Say which names are missing on either side, each with the likeliest partner; empty where all are shared."""
    theirs = [category.name for category in categories]
    only_ours = [name for name in names if name not in set(theirs)]
    only_theirs = [name for name in theirs if name not in set(names)]
    parts = []
    if only_ours:
        parts.append("only the model has " + ", ".join(_with_guess(name, only_theirs) for name in only_ours))
    if only_theirs:
        parts.append("only the data set has " + ", ".join(repr(name) for name in only_theirs))
    return "; ".join(parts)


def _with_guess(name: str, others: Sequence[str]) -> str:
    folded = {other.casefold().replace("_", " "): other for other in others}
    near = difflib.get_close_matches(name.casefold().replace("_", " "), folded, 1, 0.8)
    return f"{name!r} (is it {folded[near[0]]!r}?)" if near else repr(name)


def unmatched(names: Sequence[str], category: Ints, categories: Sequence[Category]) -> tuple[str, ...]:
    """Say which names the data set lacks, and that their detections, -1 in `category` (n,), were left out."""
    theirs = [category.name for category in categories]
    missing = [_with_guess(name, theirs) for name in names if name not in set(theirs)]
    if not missing:
        return ()
    left_out = int((category < 0).sum())
    return (f"left out {left_out} detections of classes that the data set does not have: {', '.join(missing)}",)
