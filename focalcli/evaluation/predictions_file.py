"""Saved detections in and out: COCO results (one JSON array) and our JSON lines, as columns.

Everything is checked here: unknown images and classes, scores that are no numbers, boxes of negative size.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import msgspec
import numpy as np

from focalcli.dataset.types import Dataset
from focalcli.errors import DataError, InputNotFound
from focalcli.evaluation.columns import Ints, Predictions
from focalcli.evaluation.images import ImageFinder
from focalcli.evaluation.names import class_map, unmatched
from focalcli.files import replacing

SCHEMA = "focalcli.detections/1"
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


class _Detection(msgspec.Struct, gc=False):
    box: tuple[float, float, float, float]
    score: float
    name: str = msgspec.field(name="class")


class _Line(msgspec.Struct, gc=False):
    image: str
    detections: list[_Detection] = []
    error: str | dict[str, object] | None = None


def read_predictions(path: Path, dataset: Dataset) -> Loaded:
    """Read a file of COCO results, or of JSON lines as `focalcli detect` writes them.

    Raises:
        InputNotFound: there is no such file.
        DataError: not such a file, or a detection in it is unsound or belongs to no image or class of the data set.
    """
    if not path.is_file():
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
    try:
        rows = msgspec.json.decode(content, type=list[_Result])
    except msgspec.DecodeError as error:
        _explain(path, content, error)
    image = _positions((row.image_id for row in rows), ImageFinder(dataset).by_id(), path, COCO_RECORD, "image_id")
    ids = {category.source_id: index for index, category in enumerate(dataset.categories)}
    category = _positions((row.category_id for row in rows), ids, path, COCO_RECORD, "category_id")
    boxes = np.fromiter(chain.from_iterable(row.bbox for row in rows), np.float64, 4 * len(rows)).reshape(-1, 4)
    score = np.fromiter((row.score for row in rows), np.float64, len(rows))
    return _checked(Predictions(boxes, image, category, score), path, COCO_RECORD, np.arange(1, len(rows) + 1))


def _from_lines(path: Path, content: bytes, dataset: Dataset) -> Loaded:
    decoder = msgspec.json.Decoder(_Line)
    finder = ImageFinder(dataset)
    seen: dict[int, int] = {}
    rows: list[_Detection] = []
    images: list[int] = []
    numbers: list[int] = []
    for number, text in enumerate(content.splitlines(), 1):
        if not text.strip():
            continue
        try:
            line = decoder.decode(text)
        except msgspec.DecodeError as error:
            raise DataError(f"{path}: line {number}", f"not a detection line ({error})", "write it again") from error
        image = finder.by_path(line.image, f"{path}: line {number}")
        if image in seen:
            fact = f"image {line.image!r} was already on line {seen[image]}"
            raise DataError(f"{path}: line {number}", fact, "keep one line an image")
        seen[image] = number
        rows += line.detections
        images += [image] * len(line.detections)
        numbers += [number] * len(line.detections)
    return _classed(rows, images, numbers, path, dataset)


def _classed(
    rows: Sequence[_Detection], images: Sequence[int], numbers: Sequence[int], path: Path, dataset: Dataset
) -> Loaded:
    """Bring class names to positions; detections of classes that the data set does not have are left out, and said."""
    names = sorted({row.name for row in rows})
    mapped = class_map(names, dataset.categories, place=str(path))
    position = dict(zip(names, mapped.tolist(), strict=True))
    category = np.fromiter((position[row.name] for row in rows), np.int64, len(rows))
    boxes = np.array([row.box for row in rows], np.float64).reshape(-1, 4)
    boxes[:, 2:] -= boxes[:, :2]
    score = np.fromiter((row.score for row in rows), np.float64, len(rows))
    found = Predictions(boxes, np.array(images, np.int64), category, score)
    found = _checked(found, path, LINE, np.array(numbers, np.int64))
    return Loaded(found.take(category >= 0), unmatched(names, category, dataset.categories))


def _positions(ids: Iterable[int | str], known: Mapping[Any, int], path: Path, record: str, key: str) -> Ints:
    """Give the position of each id.

    Raises:
        DataError: an id is unknown; the first one is named with its record, and how many there are.
    """
    listed = list(ids)
    positions = np.fromiter((known.get(value, -1) for value in listed), np.int64, len(listed))
    unknown = np.flatnonzero(positions < 0)
    if len(unknown):
        first = int(unknown[0])
        more = f" (and {len(unknown) - 1} more such detections)" if len(unknown) > 1 else ""
        fact = f"{key} {listed[first]!r} is not in the data set{more}"
        raise DataError(f"{path}: {record.format(first + 1)}", fact, "evaluate on the data set and split they are of")
    return positions


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


def _explain(path: Path, content: bytes, error: msgspec.DecodeError) -> NoReturn:
    """Say what is wrong with COCO results that could not be read. Raises DataError."""
    if b"NaN" in content or b"Infinity" in content:
        raise DataError(path, "holds NaN or Infinity, which are no scores or coordinates", "repair what wrote it")
    raise DataError(path, f"not COCO results ({error})", "each needs image_id, category_id, bbox and score") from error


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
