"""One photo's line in a stream of results: what was found, or why nothing could be."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from focalcli.config import ClassInfo
from focalcli.errors import DataError, FocalError, InputNotFound
from focalcli.inference.detections import Detections

SCHEMA = "focalcli.detections/1"

# Decimals of boxes (pixels) and scores in all written formats: finer than any model is right.
BOX_DECIMALS, SCORE_DECIMALS = 3, 5


@dataclass(frozen=True, slots=True)
class Record:
    """A photo by its name as it was given, its upright (height, width), and its detections or an error."""

    image: str
    image_size: tuple[int, int] | None
    found: Detections | FocalError


def encode_record(record: Record, classes: Sequence[ClassInfo], **more: Any) -> str:
    """Write a record as one line of JSON, without its newline. Inverse of `read_records`, but for rounding.

    ASCII only, so that names of any bytes pass through any terminal and pipe. `more` is added at the top.
    """
    line: dict[str, Any] = {"schema": SCHEMA, "image": record.image}
    if record.image_size is not None:
        line |= {"width": record.image_size[1], "height": record.image_size[0]}
    if isinstance(record.found, FocalError):
        line |= {"error": str(record.found), "code": record.found.code}
    else:
        line["detections"] = list(detection_objects(record.found, classes))
    return json.dumps(line | more, ensure_ascii=True, allow_nan=False)


def detection_objects(found: Detections, classes: Sequence[ClassInfo]) -> Iterator[dict[str, Any]]:
    """Give each detection as the object that stands in the list `detections` of a line."""
    rows = zip(rounded_boxes(found), rounded_scores(found), found.classes.tolist(), strict=True)
    for box, score, index in rows:
        yield {"box": box, "score": score, "class": classes[index].name, "class_id": classes[index].id}


def rounded_boxes(found: Detections) -> list[list[float]]:
    """Give the boxes as they are written."""
    boxes: list[list[float]] = found.boxes.astype(np.float64).round(BOX_DECIMALS).tolist()
    return boxes


def rounded_scores(found: Detections) -> list[float]:
    """Give the scores as they are written."""
    scores: list[float] = found.scores.astype(np.float64).round(SCORE_DECIMALS).tolist()
    return scores


Coordinates = Annotated[list[float], Meta(min_length=4, max_length=4)]


class SavedDetection(msgspec.Struct, frozen=True, rename={"name": "class"}):
    """One object of a line's `detections`; other fields are allowed and ignored."""

    box: Coordinates
    score: float
    name: str
    class_id: int


class SavedRecord(msgspec.Struct, frozen=True):
    """A line as it was read; `detections` is None where the photo could not be read, and `error` says why."""

    schema: str
    image: str
    width: int | None = None
    height: int | None = None
    detections: list[SavedDetection] | None = None
    error: str | None = None


def read_records(path: Path) -> Iterator[SavedRecord]:
    """Read a file of JSON lines, one record at a time. Empty lines are passed over.

    Raises:
        InputNotFound: there is no such file.
        DataError: naming the line that is cut, not JSON, or of another schema.
    """
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield decode_record(line, f"{path}: line {number}")
    except FileNotFoundError as error:
        raise InputNotFound(path, "no such file", "give the detections written by `focalcli detect`") from error
    except OSError as error:
        raise DataError(path, f"cannot be read ({(error.strerror or str(error)).lower()})", "check it") from error


def decode_record(line: bytes | str, place: str) -> SavedRecord:
    """Read one line. Raises DataError naming `place`."""
    remedy = "give detections written by `focalcli detect`"
    try:
        record = msgspec.convert(json.loads(line), SavedRecord)
    except (ValueError, RecursionError) as error:
        raise DataError(place, f"not a detection record ({error})", remedy) from error
    if record.schema != SCHEMA:
        raise DataError(place, f"its schema is {record.schema!r}, not {SCHEMA!r}", remedy)
    if record.detections is None and record.error is None:
        raise DataError(place, "has neither detections nor an error", remedy)
    return record
