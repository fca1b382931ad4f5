"""Which of all detections are kept: by class, score, overlap and number."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from focalcli.config import ModelConfig, PostprocessConfig
from focalcli.errors import UsageError, did_you_mean
from focalcli.inference.detections import Detections
from focalcli.inference.merge import hard_nms, soft_nms, weighted_nms
from focalcli.inference.options import Nms, SelectionConfig


@dataclass(frozen=True, slots=True)
class Selection:
    """`thresholds`: one a class, infinite for classes that are not wanted. `limit`: per photo, None for any number.

    `nms` decides between boxes that overlap by more than `iou`: the best stays (hard), takes the mean of those it
    stands for (weighted), or all stay with lowered scores (soft). `agnostic`: between boxes of different classes too.
    """

    thresholds: tuple[float, ...]
    iou: float
    nms: Nms = "hard"
    agnostic: bool = False
    limit: int | None = None

    @classmethod
    def of(cls, config: ModelConfig, wanted: SelectionConfig) -> "Selection":
        """Take what is wanted for the classes of a model.

        Raises:
            UsageError: a class the model does not have, or a threshold that is none.
        """
        own = config.postprocess
        thresholds = list(own.class_thresholds or (own.score_threshold,) * config.num_classes)
        names = [info.name for info in config.classes]
        for name, value in _thresholds(wanted.threshold):
            for i in range(len(names)) if name is None else [_index(name, names, "--threshold")]:
                thresholds[i] = value
        if wanted.classes is not None:
            kept = {_index(name.strip(), names, "--classes") for name in wanted.classes.split(",")}
            thresholds = [value if i in kept else inf for i, value in enumerate(thresholds)]
        iou = own.nms_iou if wanted.iou is None else wanted.iou
        return cls(tuple(thresholds), iou, wanted.nms, wanted.agnostic, wanted.max_dets)

    @property
    def done_by_model(self) -> bool:
        """Tell whether the model's own post-processing has already decided between boxes of a view."""
        return self.nms == "hard" and not self.agnostic

    def postprocess(self, own: PostprocessConfig) -> PostprocessConfig:
        """Give what the model has to do itself, so that nothing is missing here; `own` where that is all it does."""
        same = set(self.thresholds) == {own.score_threshold} and own.class_thresholds is None
        if not same and own.class_thresholds != self.thresholds:
            own = replace(own, score_threshold=min(1.0, *self.thresholds), class_thresholds=self.thresholds)
        if not self.done_by_model:
            return replace(own, nms_iou=1.0, max_detections=max(own.max_detections, own.candidates))
        return replace(own, nms_iou=self.iou, max_detections=self.limit or own.max_detections)

    def passing(self, found: Detections) -> Detections:
        """Keep what reaches its threshold and has an area: boxes can lose theirs when they are clipped to the photo."""
        limits = np.array(self.thresholds, np.float64)[found.classes]
        sides = found.boxes[:, 2:] - found.boxes[:, :2]
        # Scores are float32: a threshold of 0.3 must let a score of float32(0.3) pass.
        return take(found, (found.scores >= limits.astype(np.float32)) & (sides > 0).all(axis=1))

    def suppress(self, found: Detections) -> Detections:
        """Let overlapping boxes of the same object become one, in the way that `nms` says."""
        groups = np.zeros_like(found.classes) if self.agnostic else found.classes
        boxes, scores = found.boxes, found.scores
        match self.nms:
            case "hard":
                rows = hard_nms(boxes, scores, groups, self.iou)
                return take(found, rows)
            case "weighted":
                rows, means = weighted_nms(boxes, scores, groups, self.iou)
                return Detections(means, scores[rows], found.classes[rows])
            case "soft":
                rows, lowered = soft_nms(boxes, scores, groups)
                return self.passing(Detections(boxes[rows], lowered, found.classes[rows]))

    def first(self, found: Detections, limit: int | None) -> Detections:
        """Keep the best, as many as are wanted or else `limit`."""
        count = self.limit or limit
        return found if count is None else take(found, slice(count))


def take(found: Detections, rows: "npt.NDArray[np.int64] | npt.NDArray[np.bool_] | slice") -> Detections:
    """Give the detections of these rows."""
    return Detections(found.boxes[rows], found.scores[rows], found.classes[rows])


def _thresholds(option: str | None) -> list[tuple[str | None, float]]:
    """Take `0.3,cat=0.5` apart; None stands for all classes, which come first."""
    pairs: list[tuple[str | None, float]] = []
    for part in option.split(",") if option is not None else []:
        name, equals, number = part.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if not 0 <= value <= 1:
            raise UsageError("--threshold", f"{part!r} is no score from 0 to 1", "for example 0.3 or 0.3,cat=0.5")
        pairs.append((name.strip() if equals else None, value))
    return sorted(pairs, key=lambda pair: pair[0] is not None)


def _index(name: str, names: Sequence[str], option: str) -> int:
    if name not in names:
        raise UsageError(option, f"the model has no class {name!r}", did_you_mean(name, names))
    return names.index(name)
