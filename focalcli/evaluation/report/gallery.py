"""Photos of the report: small copies inside the file, boxes drawn over them as SVG, sharp at any size."""

import base64
from dataclasses import dataclass
from io import BytesIO

from PIL import Image as Pillow

from focalcli.dataset.types import Flag, Image
from focalcli.errors import FocalError
from focalcli.evaluation.columns import Floats
from focalcli.evaluation.error_kinds import KINDS, MISSED
from focalcli.evaluation.outputs import printable
from focalcli.evaluation.reasons import Reasons
from focalcli.evaluation.worst import ImageVerdict
from focalcli.images.decode import read_image

WORST, BEST = 24, 6
LONGEST_SIDE = 640
JPEG_QUALITY = 80


@dataclass(frozen=True, slots=True)
class Mark:
    """A box over a photo: xywh in its pixels, which sort of mark, and what a reader is told of it."""

    box: tuple[float, float, float, float]
    sort: str
    label: str


@dataclass(frozen=True, slots=True)
class Card:
    """A photo with its marks; `picture` is a data URI, or empty with `problem` saying why."""

    key: str
    width: int
    height: int
    picture: str
    problem: str
    marks: tuple[Mark, ...]
    why: str
    f1: float
    classes: tuple[str, ...]
    kinds: tuple[str, ...]


def worst_cards(reasons: Reasons) -> list[Card]:
    """Give the images with most mistakes."""
    return [_card(reasons, verdict) for verdict in reasons.verdicts[:WORST] if verdict.mistakes]


def best_cards(reasons: Reasons) -> list[Card]:
    """Give the images with most objects among those without a mistake."""
    flawless = [verdict for verdict in reasons.verdicts if not verdict.mistakes and verdict.right]
    flawless.sort(key=lambda verdict: (-verdict.right, verdict.image))
    return [_card(reasons, verdict) for verdict in flawless[:BEST]]


def _card(reasons: Reasons, verdict: ImageVerdict) -> Card:
    image = reasons.dataset.images[verdict.image]
    picture, problem = _picture(image)
    names = [printable(category.name) for category in reasons.dataset.categories]
    objects = reasons.dataset.boxes.category[verdict.objects]
    shown = {*objects.tolist(), *reasons.predictions.category[verdict.detections].tolist()}
    return Card(
        image.key,
        image.width,
        image.height,
        picture,
        problem,
        (*_object_marks(reasons, verdict), *_detection_marks(reasons, verdict)),
        verdict.why,
        verdict.f1,
        tuple(names[index] for index in sorted(shown)),
        tuple(verdict.mistakes),
    )


def _object_marks(reasons: Reasons, verdict: ImageVerdict) -> list[Mark]:
    boxes, names = reasons.dataset.boxes, reasons.dataset.categories
    missed = set(verdict.missed.tolist())
    marks = []
    for row in verdict.objects.tolist():
        sort = "crowd" if reasons.matches.truth.region[row] else KINDS[MISSED] if row in missed else "object"
        difficult = " (difficult)" if boxes.flags[row] & Flag.DIFFICULT else ""
        label = f"annotated {names[boxes.category[row]].name}{difficult}" + (", missed" if row in missed else "")
        marks.append(Mark(_numbers(reasons.matches.truth.xywh[row]), sort, label))
    return marks


def _detection_marks(reasons: Reasons, verdict: ImageVerdict) -> list[Mark]:
    found, names = reasons.predictions, reasons.dataset.categories
    marks = []
    for row, kind in zip(verdict.detections.tolist(), verdict.kinds.tolist(), strict=True):
        label = f"{names[found.category[row]].name} {found.score[row]:.2f}"
        sort = "right" if kind < 0 else "wrong"
        label += "" if kind < 0 else f": {KINDS[kind]}"
        marks.append(Mark(_numbers(found.xywh[row]), sort, label))
    return marks


def _numbers(box: Floats) -> tuple[float, float, float, float]:
    x, y, width, height = box.tolist()
    return x, y, width, height


def _picture(image: Image) -> tuple[str, str]:
    """Give a small copy as a data URI, or why there is none: a report is worth reading without photos."""
    if image.path is None:
        return "", "the photo is not there"
    try:
        picture = Pillow.fromarray(read_image(image.path))
    except FocalError as error:
        return "", error.fact
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    content = BytesIO()
    picture.save(content, "JPEG", quality=JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode(), ""
