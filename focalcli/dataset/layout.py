"""How a data set is laid out when it is written: its splits as groups, and a file name for every photo."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from focalcli.dataset.names import folded, stem
from focalcli.dataset.types import Dataset, Ints

if TYPE_CHECKING:
    from focalcli.dataset.sink import Sink

UNASSIGNED = "unassigned"
"""The split written for images without one where others have one."""


def split_groups(dataset: Dataset) -> dict[str, Ints]:
    """Give the positions of the images of every split; one nameless group where there are no splits."""
    if not dataset.splits:
        return {"": np.arange(len(dataset.images))}
    names = [image.split or UNASSIGNED for image in dataset.images]
    groups: dict[str, list[int]] = {name: [] for name in dataset.splits}
    for position, name in enumerate(names):
        groups.setdefault(name, []).append(position)
    return {name: np.array(positions, dtype=np.int64) for name, positions in groups.items()}


def rows_of(dataset: Dataset, positions: Ints) -> Iterator[tuple[int, slice]]:
    """Give each image position with the slice of its boxes."""
    bounds = dataset.row_bounds().tolist()
    return ((position, slice(bounds[position], bounds[position + 1])) for position in positions.tolist())


def file_names(dataset: Dataset, sink: "Sink", *, stems: bool = False, shared: bool = False) -> list[str]:
    """Give the path every photo gets below the folder of its split, and report those that had to be renamed.

    A key that begins with its split loses it, since the target has a folder for that. Names that differ only in case
    or Unicode form, or with `stems` only in their suffix, get a number; with `shared` all splits share one folder.
    """
    taken: set[tuple[str, str]] = set()
    names: list[str] = []
    renamed: dict[str, str] = {}
    for image in dataset.images:
        scope = "" if shared else image.split or UNASSIGNED
        plain = image.key if shared else image.key.removeprefix(f"{image.split}/")
        name, number = plain, 0
        while (token := (scope, folded(stem(name) if stems else name))) in taken:
            number += 1
            name = _numbered(plain, number)
        taken.add(token)
        names.append(name)
        if number:
            renamed[image.key] = name
    sink.renamed.update(renamed)
    sink.loss("medium", "images renamed, as only their case or suffix told them apart", len(renamed))
    return names


def _numbered(name: str, number: int) -> str:
    """Give `a-1.jpg` for `a.jpg`."""
    head = stem(name)
    return f"{head}-{number}{name[len(head) :]}"
