"""Changes to a data set as a whole: classes renamed, merged or dropped, marked regions dropped."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from focalcli.dataset.source import Source
from focalcli.dataset.types import Category, Dataset, Flag
from focalcli.errors import DataError, UsageError


def drop_flagged(dataset: Dataset, flags: Flag) -> Dataset:
    """Drop the boxes that have any of these flags; their images stay."""
    return replace(dataset, boxes=dataset.boxes.take((dataset.boxes.flags & flags.value) == 0))


def drop_unused_classes(dataset: Dataset) -> Dataset:
    """Drop the classes without objects; the others keep their order and ids."""
    used = np.zeros(len(dataset.categories), dtype=np.bool_)
    used[dataset.boxes.category] = True
    category = (np.cumsum(used) - 1)[dataset.boxes.category]
    kept = tuple(c for c, keep in zip(dataset.categories, used, strict=True) if keep)
    return replace(dataset, categories=kept, boxes=replace(dataset.boxes, category=category.astype(np.int64)))


def with_classes(dataset: Dataset, policy: str) -> Dataset:
    """Give the data set with its classes as `--classes` says: `keep`, `drop` (those without objects), or a YAML file.

    Raises:
        InputNotFound: there is no such file.
        DataError: the file is no mapping of names.
        UsageError: it names a class that is not there.
    """
    if policy == "keep":
        return dataset
    return drop_unused_classes(dataset) if policy == "drop" else map_classes(dataset, read_class_map(Path(policy)))


def read_class_map(path: Path) -> dict[str, str]:
    """Read a YAML file of `old: new` class names; an empty new name drops the class. Raises as `with_classes`."""
    content = Source(path).yaml(path)
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content.values()):
        raise DataError(path, "is not a mapping of class names", "write lines like `old name: new name`")
    return content


def map_classes(dataset: Dataset, names: Mapping[str, str]) -> Dataset:
    """Rename classes; names that become equal are merged into the first, an empty name drops class and boxes.

    Classes the mapping does not name stay as they are.

    Raises:
        UsageError: the mapping names a class that is not there.
    """
    known = {category.name for category in dataset.categories}
    if missing := sorted(set(names) - known):
        raise UsageError("--classes", f"there is no class {missing[0]!r}", f"it has {', '.join(sorted(known))}")
    kept: list[Category] = []
    positions: dict[str, int] = {}
    target = np.full(len(dataset.categories), -1, dtype=np.int64)
    for index, category in enumerate(dataset.categories):
        name = names.get(category.name, category.name)
        if not name:
            continue
        if name not in positions:
            positions[name] = len(kept)
            kept.append(replace(category, name=name))
        target[index] = positions[name]
    boxes = replace(dataset.boxes, category=target[dataset.boxes.category])
    return replace(dataset, categories=tuple(kept), boxes=boxes.take(boxes.category >= 0))
