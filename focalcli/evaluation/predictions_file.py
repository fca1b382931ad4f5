"""Saved detections in and out: COCO results (one JSON array) and our JSON lines, as columns.

Everything is checked here: unknown images and classes, scores that are no numbers, boxes of negative size.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import msgspec
import numpy as np

from focalcli.dataset.decode import collector_off
from focalcli.dataset.json_blocks import array_blocks
from focalcli.dataset.types import Dataset
from focalcli.errors import DataError, InputNotFound
from focalcli.evaluation.columns import Ints, Predictions, join, no_predictions, xyxy_to_xywh
from focalcli.evaluation.images import ImageFinder
from focalcli.evaluation.names import class_map, unmatched
from focalcli.files import replacing
from focalcli.inference.records import SCHEMA, SavedDetection, decode_record

COCO_RECORD, LINE = "detection {}", "line {}"


class Loaded(NamedTuple):
    """Predictions on a data set, and what a user should know of them, one sentence each."""

    predictions: Predictions
    notes: tuple[str, ...] = ()


class _Result(msgspec.Struct, gc=False):
    image_id: int | str
    category_id: int
    bbox: tuple[float, float, float, float]
    score: float


def read_predictions(path: Path, dataset: Dataset) -> Loaded:
    """Read a file of COCO results, or of JSON lines as `focalcli detect` writes them.

    Raises:
        InputNotFound: there is no such file.
        DataError: not such a file, or a detection in it is unsound or belongs to no image or class of the data set.
    """
    if not os.path.isfile(path):
        raise InputNotFound(path, "no such file of predictions", "check --predictions")
    content = path.read_bytes()
    start = content[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start == b"[":
        return Loaded(_from_results(path, content, dataset))
    if start == b"{" or not content.strip():
        return _from_lines(path, content, dataset)
    raise DataError(path, "neither COCO results nor JSON lines", "see `focalcli evaluate --predictions-out`")


def write_predictions(path: Path, dataset: Dataset, predictions: Predictions) -> None:
    """Write predictions: COCO results where the name ends in `.json`, else JSON lines. Inverse of `read_predictions`.

    The numbers are written in full, so that reading them gives the same evaluation.
    """
    lines = path.suffix.lower() != ".json"
    with replacing(path) as temporary, temporary.open("wb") as file:
        if lines:
            file.writelines(line + b"\n" for line in _lines(dataset, predictions))
        else:
            file.write(b"[" + b",\n".join(_results(dataset, predictions)) + b"]\n")


def _from_results(path: Path, content: bytes, dataset: Dataset) -> Predictions:
    images = ImageFinder(dataset).by_id()
    classes = {category.source_id: index for index, category in enumerate(dataset.categories)}
    parts, first = [no_predictions()], 0
    with collector_off():
        for rows in _decoded(path, content):
            image = _positions(rows, "image_id", images, path, first)
            category = _positions(rows, "category_id", classes, path, first)
            boxes = np.fromiter(chain.from_iterable(map(attrgetter("bbox"), rows)), np.float64, 4 * len(rows))
            score = np.fromiter(map(attrgetter("score"), rows), np.float64, len(rows))
            parts.append(Predictions(boxes.reshape(-1, 4), image, category, score))
            first += len(rows)
    found = join(parts)
    return _checked(found, path, COCO_RECORD, np.arange(1, len(found) + 1))


def _decoded(path: Path, content: bytes) -> Iterator[list[_Result]]:
    try:
        yield from array_blocks(content, _Result)
    except msgspec.DecodeError:
        _explain(path, content)


def _from_lines(path: Path, content: bytes, dataset: Dataset) -> Loaded:
    finder = ImageFinder(dataset)
    seen: dict[int, int] = {}
    rows: list[SavedDetection] = []
    counts: list[int] = []
    failed = 0
    for number, text in enumerate(content.splitlines(), 1):
        if not text.strip():
            continue
        place = f"{path}: {LINE.format(number)}"
        record = decode_record(text, place)
        image = finder.by_path(record.image, place)
        if image in seen:
            raise DataError(place, f"image {record.image!r} was already on line {seen[image]}", "keep one of the two")
        seen[image] = number
        rows += record.detections or []
        counts.append(len(record.detections or []))
        failed += record.detections is None
    images, numbers = (np.repeat(np.array(list(part), np.int64), counts) for part in (seen, seen.values()))
    loaded = _classed(rows, images, numbers, path, dataset)
    lost = f"{failed} photos could not be read when detecting; their objects count as missed"
    return loaded._replace(notes=(*loaded.notes, lost)) if failed else loaded


def _classed(rows: Sequence[SavedDetection], images: Ints, numbers: Ints, path: Path, dataset: Dataset) -> Loaded:
    """Bring class names to positions; detections of classes that the data set does not have are left out, and said."""
    names = sorted({row.name for row in rows})
    mapped = class_map(names, dataset.categories, place=str(path))
    position = dict(zip(names, mapped.tolist(), strict=True))
    category = np.array([position[row.name] for row in rows], np.int64)
    boxes = xyxy_to_xywh(np.array([row.box for row in rows], np.float64).reshape(-1, 4))
    score = np.array([row.score for row in rows], np.float64)
    found = _checked(Predictions(boxes, images, category, score), path, LINE, numbers)
    return Loaded(found.take(category >= 0), unmatched(names, category, dataset.categories))


def _positions(rows: Sequence[_Result], key: str, known: Mapping[Any, int], path: Path, before: int) -> Ints:
    """Give the position of the id that each result has under `key`; `before` results came in earlier blocks.

    Raises:
        DataError: an id is unknown; the first one is named with its record, and how many there are.
    """
    ids = [*map(attrgetter(key), rows)]
    try:
        return np.fromiter(map(known.__getitem__, ids), np.int64, len(ids))
    except KeyError:
        unknown = [number for number, own in enumerate(ids) if own not in known]
        first = unknown[0]
        more = f" (and {len(unknown) - 1} more such detections)" if len(unknown) > 1 else ""
        fact = f"{key} {ids[first]!r} is not in the data set{more}"
        place = f"{path}: {COCO_RECORD.format(before + first + 1)}"
        raise DataError(place, fact, "evaluate on the data set and split it is of") from None


def _checked(predictions: Predictions, path: Path, record: str, numbers: Ints) -> Predictions:
    """Give the predictions if every number is sound.

    Raises:
        DataError: a score or coordinate is not finite, or a box has a negative size.
    """
    for wrong, fact in (
        (~np.isfinite(predictions.score), "the score is not a finite number"),
        (~np.isfinite(predictions.xywh).all(axis=1), "a coordinate is not a finite number"),
        ((predictions.xywh[:, 2:] < 0).any(axis=1), "the box has a negative size"),
    ):
        if wrong.any():
            place = record.format(numbers[np.flatnonzero(wrong)[0]])
            raise DataError(f"{path}: {place}", fact, "repair what wrote it")
    return predictions


def _explain(path: Path, content: bytes) -> NoReturn:
    """Say what is wrong with COCO results that could not be read. Raises DataError."""
    if b"NaN" in content or b"Infinity" in content:
        raise DataError(path, "holds NaN or Infinity, which are no scores or coordinates", "repair what wrote it")
    remedy = "each needs image_id, category_id, bbox and score"
    try:
        msgspec.json.decode(content, type=list[_Result])  # as a whole: its places count from the first
    except msgspec.DecodeError as error:
        raise DataError(path, f"not COCO results ({error})", remedy) from error
    raise DataError(path, "not COCO results", remedy)


def _results(dataset: Dataset, predictions: Predictions) -> Iterable[bytes]:
    encode = msgspec.json.Encoder().encode
    ids = [image.key if image.source_id is None else image.source_id for image in dataset.images]
    classes = [category.source_id for category in dataset.categories]
    columns = (predictions.image, predictions.category, predictions.xywh, predictions.score)
    for image, category, box, score in zip(*(column.tolist() for column in columns), strict=True):
        yield encode({"image_id": ids[image], "category_id": classes[category], "bbox": box, "score": score})


def _lines(dataset: Dataset, predictions: Predictions) -> Iterable[bytes]:
    encode = msgspec.json.Encoder().encode
    order = np.argsort(predictions.image, kind="stable")
    bounds = np.searchsorted(predictions.image[order], np.arange(len(dataset.images) + 1))
    for index, image in enumerate(dataset.images):
        found = predictions.take(order[bounds[index] : bounds[index + 1]])
        boxes = np.concatenate([found.xywh[:, :2], found.xywh[:, :2] + found.xywh[:, 2:]], axis=1).tolist()
        classes = [dataset.categories[category] for category in found.category.tolist()]
        detections = [
            {"box": box, "score": score, "class": category.name, "class_id": category.source_id}
            for box, score, category in zip(boxes, found.score.tolist(), classes, strict=True)
        ]
        head = {"schema": SCHEMA, "image": image.key, "width": image.width, "height": image.height}
        yield encode({**head, "detections": detections})
