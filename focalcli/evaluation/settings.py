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
            raise UsageError("--area", "a range is empty", "for example --area tiny=0..256,rest=256..")

    def iou_index(self, threshold: float) -> int | None:
        """Give the position of an overlap, None where it is not among the thresholds."""
        return self.iou.index(threshold) if threshold in self.iou else None

    @property
    def analysis_iou(self) -> int:
        """Give the position of IoU 0.5, or of the lowest threshold where 0.5 is not asked for."""
        return self.iou_index(0.5) or 0


COCO = Settings()
