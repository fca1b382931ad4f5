"""Where readers put what they read. `finish` repairs, checks and sorts it into a `Dataset`; nothing goes unreported."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from focalcli.dataset.columns import Chunk, Rows, joined, sparse_column
from focalcli.dataset.findings import CODES, FindingLog
from focalcli.dataset.finish import refuse_fatal, resolve_images, sound_rows
from focalcli.dataset.format import FormatInfo, ReadOptions
from focalcli.dataset.names import printable, safe_relative, split_name
from focalcli.dataset.source import Source
from focalcli.dataset.types import Boxes, Category, Dataset, Floats, Image, Ints
from focalcli.errors import DataError, UsageError

Column = Sequence[int] | Ints | int


class DatasetBuilder:
    """Collects categories, images, boxes and findings of one data set in source order.

    Readers hand over what the source says; sizes they do not know are 0 and read from the photos' headers at the end.
    """

    def __init__(self, source: Source, info: FormatInfo, options: ReadOptions) -> None:
        self.source = source
        self.options = options
        self.extras: dict[str, object] = {}
        self._format = info
        self._log = FindingLog(options.examples)
        if options.lenient:
            source.report = lambda error: self._log.add("E005", error.place, error.fact)
        self._categories: list[Category] = []
        self._category_names: dict[str, int] = {}
        self._images: list[Image] = []
        self._files: dict[str, int] = {}
        self._rows = Rows()
        self._chunks: list[Chunk] = []
        self._splits: list[str] | None = None

    def choose_splits(self, available: Sequence[str]) -> list[str]:
        """Say which splits the source has; get those to read: the one wanted, else all.

        Raises:
            UsageError: the wanted split is not among them.
        """
        self._splits = list(available)
        wanted = self.options.split
        if wanted is None:
            return self._splits
        for name in available:
            if name == wanted:
                return [name]
        found = [name for name in available if split_name(name) == split_name(wanted)]
        if len(found) != 1:
            raise _no_split(self.source.path, wanted, available)
        return found

    def category(self, name: str, source_id: int | None = None, supercategory: str = "") -> int:
        """Add a class and give its position; without `source_id`, a name that is known gives its first position.

        Sources without ids of their own number from 1, as COCO does.
        """
        if source_id is None and name in self._category_names:
            return self._category_names[name]
        if printable(name) != name:
            raise DataError(self.source.path, f"the class name {name!r} has control characters", "rename the class")
        index = len(self._categories)
        self._category_names.setdefault(name, index)
        self._categories.append(Category(name, index + 1 if source_id is None else source_id, supercategory))
        return index

    @property
    def categories(self) -> Sequence[Category]:
        """Give the classes added so far."""
        return self._categories

    @property
    def images(self) -> Sequence[Image]:
        """Give the images added so far."""
        return self._images

    def image(
        self,
        key: str,
        *,
        path: Path | None = None,
        width: int = 0,
        height: int = 0,
        split: str | None = None,
        source_id: int | str | None = None,
        labelled: bool = True,
        extra: Mapping[str, object] | None = None,
    ) -> int:
        """Add a photo and give its position. `key` must be a safe relative path, as `Source.find` demands."""
        self._images.append(Image(key, path, width, height, split, source_id, labelled, extra))
        return len(self._images) - 1

    def file(self, path: Path) -> int:
        """Give the number of an annotation file, for the origin of boxes."""
        return self._files.setdefault(self.source.name(path), len(self._files))

    def box(
        self,
        image: int,
        category: int,
        xyxy: Sequence[float],
        *,
        file: int = -1,
        line: int = 0,
        flags: int = 0,
        area: float | None = None,
        source_id: int = -1,
        fractions: bool = False,
        score: float | None = None,
        segmentation: object = None,
        attributes: Mapping[str, object] | None = None,
    ) -> None:
        """Add one box: xyxy pixel edges, or fractions of the photo. It may be wrong; `finish` sees to that."""
        self._rows.add(
            {
                "xyxy": tuple(xyxy),
                "image": image,
                "category": category,
                "flags": flags,
                "area": np.nan if area is None else area,
                "source_id": source_id,
                "origin_file": file,
                "origin_line": line,
                "fractions": fractions,
                "score": score,
                "segmentation": segmentation,
                "attributes": attributes,
            }
        )

    def boxes(
        self,
        image: Column,
        category: Column,
        xyxy: npt.ArrayLike,
        *,
        file: Column = -1,
        line: Column = 0,
        flags: Column = 0,
        area: npt.ArrayLike | None = None,
        source_id: Column = -1,
        fractions: bool = False,
        score: Sequence[float | None] | None = None,
        segmentation: Sequence[object] | None = None,
        attributes: Sequence[Mapping[str, object] | None] | None = None,
    ) -> None:
        """Add n boxes at once: columns of n values, or one value for all. See `box`."""
        self._flush()
        corners = np.asarray(xyxy, dtype=np.float64).reshape(-1, 4)
        n = len(corners)

        def ints(values: Column) -> Ints:
            return np.array(np.broadcast_to(np.asarray(values, dtype=np.int64), (n,)))

        areas = np.full(n, np.nan) if area is None else np.asarray(area, dtype=np.float64)
        self._chunks.append(
            Chunk(
                corners,
                ints(image),
                ints(category),
                ints(flags),
                areas,
                ints(source_id),
                ints(file),
                ints(line),
                np.full(n, fractions),
                sparse_column(score, "score"),
                sparse_column(segmentation, "segmentation"),
                sparse_column(attributes, "attributes"),
            )
        )

    def finding(self, code: str, place: str, fact: str, *, count: int = 1, others: Sequence[str] = ()) -> None:
        """Report something seen while reading, `count` times in all; the codes are in `findings.CODES`."""
        self._log.add(code, place, fact, count=count, others=others)

    @property
    def failed(self) -> bool:
        """Tell whether a finding was reported that reading cannot go on from."""
        return any(CODES[finding.code].fatal for finding in self._log.findings())

    def finish(self) -> Dataset:
        """Give the data set: sizes resolved, keys unique, boxes repaired and sorted by image, all findings kept.

        Raises:
            DataError: a fatal finding, unless the options say lenient.
            UsageError: the wanted split is not there.
        """
        self._flush()
        resolve_images(self._images, self.source, self._log)
        rows = joined(self._chunks)
        kept = sound_rows(rows, self._images, tuple(self._files), self._format.record, self.options, self._log)
        if not self.options.lenient:
            refuse_fatal(self._log.as_seen(), self.options)
        dataset = Dataset(
            tuple(self._categories),
            tuple(self._images),
            _boxes(rows) if kept is None else _boxes(rows).take(kept),
            self.source.folder,
            self._format.name,
            tuple(self._files),
            self._log.findings(),
            {"splits": tuple(self._splits or ()), **self.extras},
        )
        return self._only_wanted(dataset)

    def _flush(self) -> None:
        if (chunk := self._rows.chunk()) is not None:
            self._chunks.append(chunk)
            self._rows = Rows()

    def _only_wanted(self, dataset: Dataset) -> Dataset:
        """Keep the images of the wanted split where the reader did not choose by itself."""
        wanted = self.options.split
        if wanted is None or self._splits is not None:
            return dataset
        chosen = [name for name in dataset.splits if wanted in (name, split_name(name))]
        if not chosen:
            raise _no_split(self.source.path, wanted, dataset.splits)
        positions = [i for i, image in enumerate(dataset.images) if image.split == chosen[0]]
        return dataset.take_images(np.array(positions, dtype=np.int64))


def _boxes(rows: Chunk) -> Boxes:
    """Give the columns without those only the builder needs."""
    columns: dict[str, Any] = {name: getattr(rows, name) for name in Chunk.__dataclass_fields__ if name != "fractions"}
    return Boxes(**columns)


def _no_split(path: Path, wanted: str, available: Sequence[str]) -> UsageError:
    known = f"it has {', '.join(available)}" if available else "it has no splits, so leave --split away"
    return UsageError(path, f"there is no split {wanted!r}", known)


def checked_key(builder: DatasetBuilder, name: str, place: str) -> str | None:
    """Give the safe key of an image named by an untrusted file; None, with finding E005, where there is none."""
    try:
        return safe_relative(name)
    except ValueError as error:
        builder.finding("E005", place, f"the image name {name!r} {error}")
        return None


def corners(columns: Floats) -> Floats:
    """Give xyxy (n, 4) of xywh (n, 4): top-left corner, width and height.

    >>> import numpy as np
    >>> corners(np.array([[1.0, 2, 3, 4]])).tolist()
    [[1.0, 2.0, 4.0, 6.0]]
    """
    return np.hstack([columns[:, :2], columns[:, :2] + columns[:, 2:]])
