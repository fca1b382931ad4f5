"""Every kind of output as the same rows, so that one comparison serves them all. numpy only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# How many of the best rows of `decoded` and `raw` are compared: these have one for every anchor and class.
BEST = 100


@dataclass(frozen=True, slots=True)
class Rows:
    """What was found in one image: boxes (n, 4), scores (n,), labels (n,), scores descending.

    Of `decoded` these are the best anchors of all; of `raw`, boxes are deltas, scores logits, labels their places.
    """

    boxes: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """Give n."""
        return len(self.scores)


def rows_of(outputs: Mapping[str, Array], kind: str) -> list[Rows]:
    """Give the rows of each image of a batch from the outputs of a file, by name."""
    match kind:
        case "decoded" | "trt":
            return [_decoded(boxes, scores) for boxes, scores in zip(outputs["boxes"], outputs["scores"], strict=True)]
        case "raw":
            names = list(outputs)
            return [_raw([outputs[name][i] for name in names]) for i in range(len(outputs[names[0]]))]
        case "flat7":
            return _flat(outputs["detections"])
        case _:
            padded = (outputs[name] for name in ("num_dets", "boxes", "scores", "labels"))
            return [rows(boxes[:n], scores[:n], labels[:n]) for n, boxes, scores, labels in zip(*padded, strict=True)]


def rows(boxes: Array, scores: Array, labels: Array) -> Rows:
    """Give rows in the types of `Rows`."""
    return Rows(boxes.astype(np.float64), scores.astype(np.float64), labels.astype(np.int64))


def _flat(table: Array) -> list[Rows]:
    """Take rows (N * D, 7) apart where their first column, the image, changes; its values are not trusted."""
    parts = np.split(table, np.flatnonzero(np.diff(table[:, 0])) + 1) if len(table) else []
    parts = [part[part[:, 6] >= 0] for part in parts]
    return [rows(part[:, 1:5], part[:, 5], part[:, 6]) for part in parts]


def _decoded(boxes: Array, scores: Array) -> Rows:
    place = _best(scores)
    anchor, label = np.divmod(place, scores.shape[1])
    return rows(boxes[anchor], scores.reshape(-1)[place], label)


def _raw(levels: Sequence[Array]) -> Rows:
    half = len(levels) // 2
    logits, deltas = (np.concatenate(part) for part in (levels[:half], levels[half:]))
    place = _best(logits)
    return rows(deltas[place // logits.shape[1]], logits.reshape(-1)[place], place)


def _best(scores: Array) -> npt.NDArray[np.int64]:
    order: npt.NDArray[np.int64] = np.argsort(-scores.reshape(-1), kind="stable")[:BEST]
    return order
