"""What an evaluation is asked: which overlaps, how many detections an image, which sizes of object."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from focalcli.errors import UsageError

# pycocotools.Params: the very same doubles, since overlaps are compared with them exactly.
COCO_IOU: tuple[float, ...] = tuple(np.linspace(0.5, 0.95, 10).tolist())
COCO_AREAS: dict[str, tuple[float, float]] = {
    "all": (0.0, 1e10),
    "s": (0.0, 1024.0),
    "m": (1024.0, 9216.0),
    "l": (9216.0, 1e10),
}
_AREA_EXAMPLE = "for example --area tiny=0..256,rest=256.."
RECALL_POINTS: npt.NDArray[np.float64] = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, slots=True)
class Settings:
    """IoU thresholds, detections kept per image and class, and object areas in square pixels (both ends included).

    The defaults are COCO's. `areas` begins with the one that holds all objects.
    """

    iou: tuple[float, ...] = COCO_IOU
    max_dets: tuple[int, ...] = (1, 10, 100)
    areas: dict[str, tuple[float, float]] = field(default_factory=lambda: dict(COCO_AREAS))

    def __post_init__(self) -> None:
        """Check the ranges and the order."""
        if not self.iou or not all(0 < value <= 1 for value in self.iou) or list(self.iou) != sorted(set(self.iou)):
            raise UsageError("--iou", f"{self.iou} are not rising overlaps in (0, 1]", "for example --iou 0.5,0.75")
        if not self.max_dets or min(self.max_dets) < 1 or list(self.max_dets) != sorted(set(self.max_dets)):
            raise UsageError("--max-dets", f"{self.max_dets} are not rising counts", "for example --max-dets 1,10,100")
        if any(not 0 <= low < high for low, high in self.areas.values()):
            raise UsageError("--area", "a range is empty", _AREA_EXAMPLE)

    def iou_index(self, threshold: float) -> int | None:
        """Give the position of an overlap, None where it is not among the thresholds."""
        return self.iou.index(threshold) if threshold in self.iou else None

    @property
    def analysis_iou(self) -> int:
        """Give the position of IoU 0.5, or of the lowest threshold where 0.5 is not asked for."""
        return self.iou_index(0.5) or 0


COCO = Settings()


def parse_settings(*, iou: str | None, max_dets: str | None, area: str | None) -> Settings:
    """Read `0.5,0.75`, `1,10,300` and `tiny=0..256,rest=256..` (square pixels); None stands for COCO's own.

    Raises:
        UsageError: one cannot be read or makes no sense.
    """
    return Settings(
        COCO.iou if iou is None else tuple(parse_numbers("--iou", iou)),
        COCO.max_dets if max_dets is None else tuple(int(value) for value in parse_numbers("--max-dets", max_dets)),
        COCO.areas if area is None else {"all": COCO_AREAS["all"], **_ranges(area)},
    )


def parse_numbers(option: str, text: str) -> list[float]:
    """Read numbers with commas; COCO's own overlaps come back as the very doubles it compares with."""
    try:
        values = [float(word) for word in text.split(",")]
    except ValueError as error:
        raise UsageError(option, f"{text!r} is not a list of numbers with commas", "for example 0.5,0.75") from error
    return [next((known for known in COCO_IOU if abs(known - value) < 1e-9), value) for value in values]


def _ranges(text: str) -> dict[str, tuple[float, float]]:
    ranges = {}
    for part in text.split(","):
        name, _, limits = part.partition("=")
        low, dots, high = limits.partition("..")
        try:
            ranges[name.strip()] = (float(low or 0), float(high or COCO_AREAS["all"][1]))
        except ValueError:
            dots = ""
        if not dots or not name.strip():
            raise UsageError("--area", f"{part!r} is not NAME=LOW..HIGH", _AREA_EXAMPLE)
    return ranges
