"""Where readers put what they read. `finish` repairs, checks and sorts it into a `Dataset`; nothing goes unreported."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from focalcli.dataset.columns import Chunk, Rows, joined, sparse_column
from focalcli.dataset.findings import CODES, EXAMPLES, FindingLog
from focalcli.dataset.format import FormatInfo, ReadOptions
from focalcli.dataset.names import printable, safe_relative, split_name
from focalcli.dataset.repair import Mask, repair
from focalcli.dataset.source import Source
from focalcli.dataset.types import Boxes, Category, Dataset, Floats, Image, Ints
from focalcli.errors import DataError, FocalError, UsageError

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
        self._log = FindingLog()
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

    def finding(self, code: str, place: str, fact: str, *, count: int = 1) -> None:
        """Report something seen while reading; the codes are in `findings.CODES`."""
        self._log.add(code, place, fact, count=count)

    def finish(self) -> Dataset:
        """Give the data set: sizes resolved, keys unique, boxes repaired and sorted by image, all findings kept.

        Raises:
            DataError: a fatal finding, unless the options say lenient.
            UsageError: the wanted split is not there.
        """
        self._flush()
        self._resolve_images()
        rows = joined(self._chunks)
        keep = self._repair(rows)
        order = np.flatnonzero(keep)[np.argsort(rows.image[keep], kind="stable")]
        findings = self._log.findings()
        if not self.options.lenient:
            self._refuse_fatal()
        dataset = Dataset(
            tuple(self._categories),
            tuple(self._images),
            _boxes(rows).take(order),
            self.source.folder,
            self._format.name,
            tuple(self._files),
            findings,
            {"splits": tuple(self._splits or ()), **self.extras},
        )
        return self._only_wanted(dataset)

    def _flush(self) -> None:
        if (chunk := self._rows.chunk()) is not None:
            self._chunks.append(chunk)
            self._rows = Rows()

    def _resolve_images(self) -> None:
        """Read missing sizes from headers and make clashing keys unique by their split, else by a number."""
        clashes = Counter(image.key for image in self._images)
        taken = set(clashes)
        for index, image in enumerate(self._images):
            key = image.key
            if clashes[key] > 1:
                key = _free_key(image, taken)
                taken.add(key)
            width, height = self._size(image)
            if key != image.key or (width, height) != (image.width, image.height):
                self._images[index] = replace(image, key=key, width=width, height=height)

    def _size(self, image: Image) -> tuple[int, int]:
        if image.width > 0 and image.height > 0:
            return image.width, image.height
        if image.path is None:
            self.finding("E001", image.key, "has no size in the annotations and no photo to read it from")
            return 0, 0
        try:
            return self.source.size(image.path)
        except FocalError as error:
            self.finding("E001", error.place, error.fact)
            return 0, 0

    def _repair(self, rows: Chunk) -> Mask:
        """Scale, swap, clip in place, report each kind, and give the mask of the rows to keep."""
        sizes = np.array([(image.width, image.height) for image in self._images], dtype=np.float64).reshape(-1, 2)
        size = sizes[rows.image] if len(sizes) else np.zeros((len(rows.image), 2))
        scale = np.where(rows.fractions[:, None], np.hstack([size, size]), 1.0)
        known = np.asarray((size > 0).all(axis=1))
        source = rows.xyxy * scale
        fixed = repair(source, np.where(known[:, None], size, np.inf))
        kept = (fixed.clipped | fixed.rounded) & ~fixed.swapped & (self.options.bad_boxes == "keep")
        rows.xyxy = np.where(kept[:, None], source, fixed.xyxy)
        lost = np.isnan(rows.area) | (fixed.clipped & ~kept)
        rows.area = np.where(lost, (rows.xyxy[:, 2:] - rows.xyxy[:, :2]).prod(axis=1), rows.area)
        for code, mask, fact in (
            ("E006", fixed.infinite, "a coordinate is not a finite number"),
            ("E007", fixed.swapped, "the corners are inverted, swapped"),
            ("E008", fixed.empty, "the box has no area within the photo, dropped"),
            ("W101", fixed.clipped, "the box sticks out of the photo, " + self._out_of_bounds()),
            ("I201", fixed.rounded, f"the box sticks out of the photo by a rounding, {self._rounded()}"),
        ):
            self._report(code, rows, np.flatnonzero(mask), fact)
        drop = fixed.infinite | fixed.empty
        if self.options.bad_boxes == "drop":
            drop |= fixed.clipped
        return np.asarray(~drop)

    def _out_of_bounds(self) -> str:
        return "dropped" if self.options.bad_boxes == "drop" else self._rounded()

    def _rounded(self) -> str:
        return "kept" if self.options.bad_boxes == "keep" else "clipped"

    def _report(self, code: str, rows: Chunk, found: Ints, fact: str) -> None:
        if len(found):
            places = [self._place(rows, row) for row in found[: EXAMPLES + 1]]
            self._log.add(code, places[0], fact, count=len(found), others=places[1:])

    def _place(self, rows: Chunk, row: int) -> str:
        """Give `file: record` of a box as well as it is known."""
        files = list(self._files)
        number = int(rows.origin_file[row])
        place = files[number] if 0 <= number < len(files) else self._images[int(rows.image[row])].key
        if rows.source_id[row] >= 0:
            return f"{place}: {self._format.record} id {rows.source_id[row]}"
        line = int(rows.origin_line[row])
        return f"{place}: {self._format.record} {line}" if line else place

    def _refuse_fatal(self) -> None:
        """Raise the first finding that stops reading, with how many more there are."""
        spared = {"E006"} if self.options.bad_boxes == "drop" else set()
        stops = {"E007", "E008", "W101"} if self.options.bad_boxes == "error" else set()
        fatal = [
            found
            for found in self._log.findings()
            if found.code in stops or (CODES[found.code].fatal and found.code not in spared)
        ]
        if fatal:
            first, more = fatal[0], sum(found.count for found in fatal) - 1
            also = f" (and {more} more like it)" if more else ""
            remedy = "repair it, or choose --bad-boxes clip" if first.code in stops else CODES[first.code].remedy
            raise DataError(first.place, first.fact.removesuffix(", dropped") + also, remedy)

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


def _free_key(image: Image, taken: set[str]) -> str:
    """Give a key nobody has: below its split, else with a number before the suffix."""
    if image.split and (key := f"{image.split}/{image.key}") not in taken:
        return key
    head, dot, suffix = image.key.rpartition(".")
    number = 1
    while (key := f"{head if dot else image.key}-{number}{dot + suffix if dot else ''}") in taken:
        number += 1
    return key


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
