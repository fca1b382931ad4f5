"""Figure 1 of Lin et al. 2017, arXiv 1708.02002: focal loss against the probability of the truth."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from focalcli.detection.formulas import Hardness, hardness_of
from focalcli.insight.pictures import COLOURS, figure, save

GAMMAS = (0.0, 0.5, 1.0, 2.0, 5.0)
_PROBABILITIES = np.linspace(0.001, 0.999, 999)


def curves(gammas: Sequence[float] = GAMMAS) -> dict[float, np.ndarray]:
    """Give the focal loss, without alpha, at 999 probabilities from .001 to .999 for each gamma."""
    z = torch.from_numpy(np.log((1 - _PROBABILITIES) / _PROBABILITIES))
    return {gamma: hardness_of(z, Hardness(1.0, 0.0, gamma)).numpy() for gamma in gammas}


def as_csv(gammas: Sequence[float] = GAMMAS) -> str:
    """Give rows `probability,gamma,loss`."""
    lines = ["probability,gamma,loss"]
    for gamma, losses in curves(gammas).items():
        lines += [f"{p:.3f},{gamma:g},{loss:.6g}" for p, loss in zip(_PROBABILITIES, losses, strict=True)]
    return "\n".join(lines) + "\n"


def draw_curves(path: Path, gammas: Sequence[float] = GAMMAS) -> None:
    """Draw the curves; write a PNG."""
    drawn, (axis,) = figure(1, width=6.0, height=4.4)
    for colour, (gamma, losses) in zip(COLOURS, curves(gammas).items(), strict=False):
        axis.plot(_PROBABILITIES, losses, color=colour, label=f"γ = {gamma:g}" + (" (cross-entropy)" * (gamma == 0)))
    axis.axvspan(0.6, 1, color="#F2F2F2", zorder=0)
    axis.text(0.8, 2.2, "well-classified\nexamples", ha="center", color="#666666")
    axis.set(xlim=(0, 1), ylim=(0, 5), xlabel="probability of the truth, $p_t$", ylabel="loss")
    axis.legend(frameon=False)
    axis.set_title(r"$\mathrm{FL}(p_t) = -(1 - p_t)^\gamma\,\log(p_t)$")
    save(drawn, path)


def easy_factors() -> dict[str, float]:
    """Give how many times less an example costs than under cross-entropy, at gamma 2, by its probability."""
    return {f"p_t = {p}": round((1 - p) ** -2, 1) for p in (0.5, 0.9, 0.968)}
