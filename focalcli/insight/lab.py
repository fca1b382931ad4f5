"""The ablations of Lin et al. 2017, arXiv 1708.02002, Tables 1a to 1d, in small: on one's own photos, in minutes.

1a, 1b and 1d train the last classification layer on features of a frozen model, as `tune` does; so they show what the
loss does to that layer, not to a whole network. 1c is the coverage of the objects in closed form, without a training.
"""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from focalcli.config import LossConfig, ModelConfig
from focalcli.dataset.types import Dataset
from focalcli.detection.retinanet import RetinaNet
from focalcli.insight.anchors import study
from focalcli.insight.pictures import COLOURS, figure, save
from focalcli.insight.tune import Trial, tune
from focalcli.losses import alpha_for

_ALPHAS = (0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999)
_GAMMAS = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_OHEM = ((128, 0.7), (128, 0.5), (256, 0.5), (512, 0.5))

TABLES: dict[str, tuple[LossConfig, ...]] = {
    # The last two: plain cross-entropy from the prior of .01, and from .5, which the paper says diverges.
    "1a": (
        *(LossConfig(gamma=0.0, alpha=alpha) for alpha in _ALPHAS),
        *(LossConfig(gamma=0.0, alpha=None, prior=prior) for prior in (0.01, 0.5)),
    ),
    "1b": tuple(LossConfig(gamma=gamma, alpha=alpha_for(gamma)) for gamma in _GAMMAS),
    "1d": (
        *(LossConfig(kind="ohem", ohem_examples=n, ohem_nms=nms) for n, nms in _OHEM),
        LossConfig(kind="ohem", ohem_balanced=True),
        LossConfig(),
    ),
}
_GRID = ((1, 1), (2, 1), (3, 1), (1, 3), (2, 3), (3, 3), (4, 3))  # scales x ratios, as the paper's rows


def run_lab(
    model: RetinaNet, train: Dataset, test: Dataset, *, seed: int, steps: int
) -> dict[str, list[dict[str, Any]]]:
    """Give the rows of the four tables. Raises as `tune`."""
    distinct = tuple(dict.fromkeys(loss for table in TABLES.values() for loss in table))
    trials = {trial.loss: trial for trial in tune(model, train, test, seed=seed, settings=distinct, steps=steps)}
    rows = {name: [_row(name, trials[loss]) for loss in table] for name, table in TABLES.items()}
    return {"1a": rows["1a"], "1b": rows["1b"], "1c": coverage_rows(train, model.config), "1d": rows["1d"]}


def coverage_rows(dataset: Dataset, config: ModelConfig) -> list[dict[str, Any]]:
    """Give Table 1c as coverage: share of objects that an anchor overlaps by .5, and mean best overlap."""
    rows = []
    for scales, ratios in _GRID:
        octave = tuple(2 ** (i / scales) for i in range(scales))
        shape = {"scales": octave, "ratios": (0.5, 1.0, 2.0) if ratios == 3 else (1.0,)}
        anchors = msgspec.structs.replace(config.anchors, **shape)
        numbers = study(dataset, msgspec.structs.replace(config, anchors=anchors)).summary()
        share, overlap = (round(numbers[name], 4) for name in ("covered_share", "mean_best_iou"))
        rows.append({"scales": scales, "ratios": ratios, "covered": share, "mean_best_iou": overlap})
    return rows


def as_markdown(tables: dict[str, list[dict[str, Any]]]) -> str:
    """Give the tables as Markdown, one after the other."""
    parts = []
    for name, rows in tables.items():
        head = list(rows[0])
        lines = [f"**Table {name}**", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        lines += ["| " + " | ".join(_cell(value) for value in row.values()) + " |" for row in rows]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def draw_lab(tables: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Draw AP against alpha (1a) and against gamma (1b), with 95 % intervals, and OHEM's best; write a PNG."""
    drawn, axes = figure(2)
    for axis, name, key, place in ((axes[0], "1a", "alpha", _logit), (axes[1], "1b", "gamma", _root)):
        rows = [row for row in tables[name] if row[key] != "none"]
        x = [place(row[key]) for row in rows]
        ap = np.array([row["AP"] for row in rows])
        low, high = np.array([row["AP_95%"] for row in rows]).T
        axis.errorbar(x, ap, yerr=[np.maximum(ap - low, 0), np.maximum(high - ap, 0)], fmt="o-", color=COLOURS[0],
                      capsize=3)  # fmt: skip
        axis.set_xticks(x, [f"{row[key]:g}" for row in rows])
        axis.set(xlabel=f"{key}" + (" (gamma 0)" if name == "1a" else " (alpha of Table 1b)"), ylim=(0, None))
    best = max(row["AP"] for row in tables["1d"] if row["loss"] == "ohem")
    axes[1].axhline(best, color=COLOURS[1], linestyle="--", label="OHEM, best")
    axes[1].legend(frameon=False, loc="lower right")
    axes[0].set_ylabel("AP")
    save(drawn, path)


def _logit(alpha: float) -> float:
    return float(np.log(alpha / (1 - alpha)))


def _root(gamma: float) -> float:
    return float(np.sqrt(gamma))


def _row(table: str, trial: Trial) -> dict[str, Any]:
    numbers = {name: value for name, value in trial.as_dict().items() if name in ("AP", "AP_95%", "AP50")}
    loss = trial.loss
    if table == "1a":
        return {"alpha": "none" if loss.alpha is None else loss.alpha, "prior": loss.prior, **numbers}
    if table == "1b":
        return {"gamma": loss.gamma, "alpha": loss.alpha, **numbers}
    if loss.kind != "ohem":
        return {"loss": "focal", "examples": "all", "nms": "", "1:3": "", **numbers}
    balanced = "yes" if loss.ohem_balanced else "no"
    return {"loss": "ohem", "examples": loss.ohem_examples, "nms": loss.ohem_nms, "1:3": balanced, **numbers}


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return f"{value[0]:.3f} to {value[1]:.3f}"
    return f"{value:g}" if isinstance(value, float) else str(value)
