"""Growing columns of boxes: rows one by one or thousands at once, joined when all are there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from focalcli.dataset.types import Floats, Ints, Objects


@dataclass(slots=True)
class Chunk:
    """Columns of n boxes as a reader gives them; `fractions`: xyxy in fractions of the photo instead of pixels."""

    xyxy: Floats
    image: Ints
    category: Ints
    flags: Ints
    area: Floats
    source_id: Ints
    origin_file: Ints
    origin_line: Ints
    fractions: npt.NDArray[np.bool_]
    score: Floats | None = None
    segmentation: Objects | None = None
    attributes: Objects | None = None


COLUMNS: dict[str, Any] = {
    "xyxy": np.float64,
    "image": np.int64,
    "category": np.int64,
    "flags": np.int64,
    "area": np.float64,
    "source_id": np.int64,
    "origin_file": np.int64,
    "origin_line": np.int64,
    "fractions": np.bool_,
}
SPARSE: dict[str, tuple[Any, object]] = {
    "score": (np.float64, np.nan),
    "segmentation": (np.object_, None),
    "attributes": (np.object_, None),
}


@dataclass(slots=True)
class Rows:
    """Boxes added one by one, waiting to become a `Chunk`."""

    values: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in (*COLUMNS, *SPARSE)})

    def add(self, row: Mapping[str, object]) -> None:
        """Add one box, a value for every column."""
        for name, values in self.values.items():
            values.append(row[name])

    def chunk(self) -> Chunk | None:
        """Give what was added as columns; None where nothing was."""
        if not self.values["image"]:
            return None
        columns: dict[str, Any] = {name: np.array(self.values[name], dtype=kind) for name, kind in COLUMNS.items()}
        sparse: dict[str, Any] = {name: sparse_column(self.values[name], name) for name in SPARSE}
        return Chunk(**columns, **sparse)


def sparse_column(values: Sequence[object] | None, name: str) -> npt.NDArray[Any] | None:
    """Give a column few boxes have a value in, or None where none has; None marks a missing value."""
    if values is None or list(values).count(None) == len(values):
        return None
    kind, missing = SPARSE[name]
    column = np.full(len(values), missing, dtype=kind)
    for row, value in enumerate(values):
        if value is not None:
            column[row] = value
    return column


def joined(chunks: Sequence[Chunk]) -> Chunk:
    """Put chunks one after the other."""
    if len(chunks) == 1:
        return chunks[0]
    columns: dict[str, Any] = {}
    for name, kind in COLUMNS.items():
        empty = np.zeros((0, 4) if name == "xyxy" else 0, kind)
        columns[name] = np.concatenate([empty, *(getattr(chunk, name) for chunk in chunks)])
    for name, (kind, missing) in SPARSE.items():
        parts = [getattr(chunk, name) for chunk in chunks]
        if any(part is not None for part in parts):
            filled = [
                np.full(len(chunk.image), missing, dtype=kind) if part is None else part
                for chunk, part in zip(chunks, parts, strict=True)
            ]
            columns[name] = np.concatenate(filled)
    return Chunk(**columns)
