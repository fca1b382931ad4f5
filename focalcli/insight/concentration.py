"""Who makes up the loss: Figure 4 of Lin et al. 2017, arXiv 1708.02002, on the user's own model and photos.

Logits are counted in bins of 0.01 instead of kept: losses rise with the logit, so the sorted order is the bins' order.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from focalcli.dataset.types import Dataset
from focalcli.detection.formulas import Hardness, hardness_of
from focalcli.detection.retinanet import RetinaNet
from focalcli.detection.targets import BACKGROUND
from focalcli.insight.observe import observe
from focalcli.insight.pictures import COLOURS, figure, save
from focalcli.losses import alpha_for

GAMMAS = (0.0, 0.5, 1.0, 2.0, 5.0)
_LIMIT, _WIDTH = 30.0, 0.01
_CENTRES = np.arange(-_LIMIT, _LIMIT, _WIDTH) + _WIDTH / 2
_POINTS = 200  # of a curve in the CSV and the picture


@dataclass(frozen=True, slots=True)
class Wrongness:
    """How many examples have the wrong side's logit z in each bin: objects at their own class, background at all.

    `prior` is the probability the model was started with, of every class at every anchor.
    """

    objects: np.ndarray
    background: np.ndarray
    prior: float


@dataclass(frozen=True, slots=True)
class Share:
    """The loss of one side for one gamma: fraction of examples (k,), easiest first, and share of the loss they hold."""

    side: str
    gamma: float
    examples: np.ndarray
    loss: np.ndarray

    def of_hardest(self, fraction: float) -> float:
        """Give the share of the loss that the hardest `fraction` of the examples holds."""
        return 1 - float(np.interp(1 - fraction, self.examples, self.loss))


def wrongness(model: RetinaNet, dataset: Dataset) -> Wrongness:
    """Count the logits of a model on a data set. Raises as `observe`."""
    counts = {True: np.zeros(len(_CENTRES), np.int64), False: np.zeros(len(_CENTRES), np.int64)}
    for seen in observe(model, dataset):
        logits, own = torch.cat(seen.outputs.logits, dim=1)[0].float(), seen.targets.classes[0]
        rows = (own >= 0).nonzero()[:, 0]
        counts[True] += _histogram(-logits[rows, own[rows]])
        counts[False] += _histogram(logits[own == BACKGROUND])
    return Wrongness(counts[True], counts[False], model.config.loss.prior)


def shares(counts: Wrongness, gammas: Iterable[float] = GAMMAS) -> list[Share]:
    """Give the cumulative shares for every gamma, objects first. A side without examples is left out."""
    sides = (("objects", counts.objects), ("background", counts.background))
    return [_share(side, gamma, column) for side, column in sides if column.sum() for gamma in gammas]


def _share(side: str, gamma: float, column: np.ndarray) -> Share:
    loss = np.cumsum(column * _hardness(gamma))
    filled = np.flatnonzero(column)
    examples, share = np.cumsum(column)[filled] / column.sum(), loss[filled] / loss[-1]
    return Share(side, gamma, np.r_[0.0, examples], np.r_[0.0, share])


def summary(counts: Wrongness, gammas: Sequence[float] = GAMMAS) -> dict[str, Any]:
    """Give the numbers: per gamma the share of the hardest, and the ratio of both sides' losses; and the prior's drift.

    `ratio` is loss of objects over loss of background, with the paper's alpha for the gamma.
    """
    curves = {(s.side, s.gamma): s for s in shares(counts, gammas)}
    probability = 1 / (1 + np.exp(-_CENTRES))
    mean = float((counts.background * probability).sum() / max(counts.background.sum(), 1))
    rows = []
    for gamma in gammas:
        row: dict[str, Any] = {"gamma": gamma, "alpha": alpha_for(gamma)}
        if ("background", gamma) in curves:
            row["background_hardest_1%"] = round(curves["background", gamma].of_hardest(0.01), 4)
        if ("objects", gamma) in curves:
            row["objects_hardest_20%"] = round(curves["objects", gamma].of_hardest(0.2), 4)
        weight = alpha_for(gamma) / (1 - alpha_for(gamma))
        losses = [float((column * _hardness(gamma)).sum()) for column in (counts.objects, counts.background)]
        row["ratio"] = round(weight * losses[0] / losses[1], 4) if losses[1] else None
        rows.append(row)
    return {
        "objects": int(counts.objects.sum()),
        "background": int(counts.background.sum()),
        "prior": counts.prior,
        "mean_background_probability": float(f"{mean:.4g}"),
        "gammas": rows,
    }


def as_csv(curves: Sequence[Share]) -> str:
    """Give the curves as rows `side,gamma,examples,loss`, at 200 places, denser towards the hard end."""
    lines = ["side,gamma,examples,loss"]
    for curve in curves:
        places = _places()
        values = np.interp(places, curve.examples, curve.loss)
        lines += [f"{curve.side},{curve.gamma:g},{e:.8g},{v:.6g}" for e, v in zip(places, values, strict=True)]
    return "\n".join(lines) + "\n"


def draw_shares(curves: Sequence[Share], path: Path) -> None:
    """Draw objects and background side by side as the paper does; write a PNG."""
    drawn, axes = figure(2)
    for axis, side in zip(axes, ("objects", "background"), strict=True):
        for colour, curve in zip(COLOURS, (c for c in curves if c.side == side), strict=False):
            axis.plot(curve.examples, curve.loss, color=colour, label=f"γ = {curve.gamma:g}")
        axis.set(xlim=(0, 1), ylim=(0, 1), xlabel=f"fraction of {side}, easiest first")
    axes[0].set_ylabel("cumulative share of the loss")
    axes[0].legend(frameon=False, loc="upper left")
    drawn.suptitle("Which examples make up the loss (Lin et al. 2017, Figure 4)")
    save(drawn, path)


def _places() -> np.ndarray:
    hard = 1 - np.geomspace(1e-6, 1, _POINTS - 1)
    return np.sort(np.r_[hard, 1.0])


def _histogram(z: torch.Tensor) -> np.ndarray:
    clamped = z.flatten().clamp(-_LIMIT + _WIDTH / 2, _LIMIT - _WIDTH / 2)
    return torch.histc(clamped.cpu(), bins=len(_CENTRES), min=-_LIMIT, max=_LIMIT).numpy().astype(np.int64)


def _hardness(gamma: float) -> np.ndarray:
    values: np.ndarray = hardness_of(torch.from_numpy(_CENTRES), Hardness(1.0, 0.0, gamma)).numpy()
    return values
