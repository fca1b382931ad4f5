"""The settings that a search of the loss tries, by default or as told, and their names on `train`'s command line."""

import shlex
from collections.abc import Sequence
from typing import Any

from focalcli.config import LossConfig
from focalcli.errors import UsageError

# Gamma with its alphas: the pairs about the paper's Table 1b; FL* and OHEM as its appendix and Table 1d have them.
SETTINGS: tuple[LossConfig, ...] = (
    *(LossConfig(gamma=0.0, alpha=alpha) for alpha in (0.5, 0.75, 0.9)),
    LossConfig(gamma=0.5, alpha=0.5),
    *(LossConfig(gamma=1.0, alpha=alpha) for alpha in (0.25, 0.5)),
    *(LossConfig(gamma=2.0, alpha=alpha) for alpha in (0.25, 0.5, 0.75)),
    LossConfig(gamma=5.0, alpha=0.25),
    LossConfig(kind="focal-star", gamma=2.0, beta=1.0, alpha=0.25),
    LossConfig(kind="ohem"),
)
_GAMMAS, _ALPHAS = "0,0.5,1,2", "0.25,0.5,0.75"


def settings_from(gammas: str | None, alphas: str | None, betas: str | None, *, ohem: bool) -> tuple[LossConfig, ...]:
    """Give the settings that lists of numbers with commas span; the twelve where nothing is told.

    Raises:
        UsageError: a value is no number within its limits.
    """
    if gammas is None and alphas is None and betas is None and not ohem:
        return SETTINGS
    weights = [
        None if word.strip() == "none" else _number("--alphas", word, 0, 1) for word in (alphas or _ALPHAS).split(",")
    ]
    powers = [_number("--gammas", word, 0, 100) for word in (gammas or _GAMMAS).split(",")]
    shifts = [_number("--betas", word, -100, 100) for word in betas.split(",")] if betas else []
    return grid(powers, weights, shifts, ohem=ohem)


def grid(
    gammas: Sequence[float], alphas: Sequence[float | None], betas: Sequence[float] = (), *, ohem: bool = False
) -> tuple[LossConfig, ...]:
    """Give every pair of gamma and alpha; for each beta FL* with every gamma above 0; and OHEM where asked."""
    pairs = [LossConfig(gamma=gamma, alpha=alpha) for gamma in gammas for alpha in alphas]
    stars = [LossConfig(kind="focal-star", gamma=g, beta=beta) for g in gammas if g for beta in betas]
    return tuple(dict.fromkeys([*pairs, *stars, *[LossConfig(kind="ohem")] * ohem]))


def named(loss: LossConfig) -> dict[str, Any]:
    """Give the constants that matter to a loss, by the names of `train`'s flags."""
    if loss.kind == "ohem":
        nms = "none" if loss.ohem_nms is None else loss.ohem_nms
        row = {"loss": "ohem", "ohem_examples": loss.ohem_examples, "ohem_nms": nms}
        return {**row, "ohem_balanced": True} if loss.ohem_balanced else row
    constants = {"loss": loss.kind, "gamma": loss.gamma, "alpha": "none" if loss.alpha is None else loss.alpha}
    return {**constants, "beta": loss.beta} if loss.kind == "focal-star" else constants


def command_line(loss: LossConfig, data: str) -> str:
    """Give the command that trains with a setting, as a shell reads it."""
    flags = [("--" + name.replace("_", "-"), value) for name, value in named(loss).items()]
    return " ".join(
        ["focalcli train", shlex.quote(data), *(flag if value is True else f"{flag} {value}" for flag, value in flags)]
    )


def _number(option: str, word: str, low: float, high: float) -> float:
    try:
        value = float(word)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise UsageError(option, f"{word.strip()!r} is no number from {low:g} to {high:g}", "write 0.25,0.5")
    return value
