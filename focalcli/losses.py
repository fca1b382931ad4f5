"""Focal loss and its family for any imbalanced classification: the public Python interface.

Shapes: logits x of any shape, targets of the same shape in {0, 1} (binary, multi-label), or logits (N, C, ...) and
class indices (N, ...) (multi-class). With p_t the probability given to the truth (Lin et al. 2017, arXiv 1708.02002):

    cross-entropy   -log(p_t)
    balanced        -alpha_t log(p_t)                     alpha_t = alpha where the target is 1, else 1 - alpha
    focal           -alpha_t (1 - p_t)^gamma log(p_t)
    focal-star      -alpha_t log(sigmoid(gamma x_t + beta)) / gamma      x_t = x where the target is 1, else -x

The loss of a detector's anchors, which reads each logit once, is `focalcli.detection.losses.classification_loss`.
"""

from itertools import pairwise
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from focalcli.detection.formulas import Hardness, hardness_of
from focalcli.errors import ConfigError, DataError

Reduction = Literal["none", "sum", "mean"]
Form = Literal["sigmoid", "softmax"]

# Best alpha for a gamma: Lin et al. 2017, table 1b.
_TABLE_1B = ((0.0, 0.75), (0.2, 0.75), (0.5, 0.5), (1.0, 0.25))
# Beyond these the pair is warned of: a factor of three in the odds of alpha, the largest gamma of the table.
_ODDS_LIMIT = 3.0
_GAMMA_LIMIT = 5.0


def sigmoid_focal_loss(logits: Tensor, targets: Tensor, *, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    """Give the focal loss element by element; gamma 0 and alpha None is binary cross-entropy, gradient included.

    logits and targets of one shape, targets in {0, 1}. Half precision is computed in float32; `alpha` weighs the
    class 1, the rare one. Empty gives empty, NaN gives NaN. Equal to `torchvision.ops.sigmoid_focal_loss`.

    >>> x, one = torch.tensor([9.0]).log(), torch.ones(1)  # p_t = 0.9: a hundred times less than cross-entropy
    >>> entropy = sigmoid_focal_loss(x, one, alpha=None, gamma=0)
    >>> round(float(sigmoid_focal_loss(x, one, alpha=None, gamma=2) / entropy), 6)
    0.01

    Raises:
        ConfigError: alpha outside [0, 1] or gamma below 0.
        DataError: shapes differ, or a target is neither 0 nor 1.
    """
    check_constants(alpha, gamma)
    return _binary(logits, targets, Hardness(1.0, 0.0, gamma), alpha)


def sigmoid_focal_star_loss(
    logits: Tensor, targets: Tensor, *, alpha: float | None = 0.25, gamma: float = 2.0, beta: float = 1.0
) -> Tensor:
    """Give the loss FL* element by element: -log(sigmoid(gamma x_t + beta)) / gamma (appendix A, eq. 11).

    Shapes and errors as of `sigmoid_focal_loss`; gamma must be above 0.
    """
    check_constants(alpha, gamma)
    if gamma == 0:
        raise ConfigError("gamma", "focal-star divides by it, and it is 0", "use sigmoid_focal_loss")
    return _binary(logits, targets, Hardness(gamma, -beta, 0.0), alpha)


def softmax_focal_loss(
    logits: Tensor, targets: Tensor, *, alpha: float | Tensor | None = None, gamma: float = 2.0
) -> Tensor:
    """Give -alpha_t (1 - p_t)^gamma log(p_t) with p the softmax over classes; gamma 0 is cross-entropy.

    logits (N, C, ...), targets (N, ...) int64 class indices; the loss has the shape of the targets. `alpha` is a
    weight for each class (C,), or one for all; None is 1.

    Raises:
        ConfigError: alpha is negative or of another length than C, or gamma is below 0.
        DataError: shapes do not fit, or a label is no class.
    """
    check_constants(None, gamma)
    if logits.dim() < 2 or logits.shape[:1] + logits.shape[2:] != targets.shape:
        raise DataError("targets", f"shape {tuple(targets.shape)} does not fit logits {tuple(logits.shape)}")
    _check_labels(targets, 0, logits.shape[1] - 1)
    log_p = F.log_softmax(_accurate(logits), dim=1)
    log_p_t = log_p.gather(1, targets.long().unsqueeze(1)).squeeze(1)
    # log(1 - p_t) from the sum over the other classes: 1 - p_t has no digits left where p_t is near 1.
    is_own = torch.zeros_like(log_p, dtype=torch.bool).scatter_(1, targets.long().unsqueeze(1), True)
    log_rest = log_p.masked_fill(is_own, -torch.inf).logsumexp(dim=1) if logits.shape[1] > 1 else None
    factor = torch.exp(gamma * log_rest) if gamma and log_rest is not None else torch.ones_like(log_p_t)
    return -_class_weights(alpha, logits)[targets.long()] * factor * log_p_t


class FocalLoss(nn.Module):
    """Focal loss with the usual signature, `FocalLoss(alpha, gamma, reduction)(logits, targets)`.

    `form="sigmoid"`: binary or multi-label, targets in {0, 1} shaped as the logits. `form="softmax"`: multi-class,
    logits (N, C, ...), class indices (N, ...); alpha is then one weight a class, (C,), or None. The mean of nothing
    is 0. The paper divides the sum by the number of rare examples instead: use `reduction="sum"` for that.
    """

    def __init__(
        self,
        alpha: float | Tensor | None = 0.25,
        gamma: float = 2.0,
        reduction: Reduction = "mean",
        *,
        form: Form = "sigmoid",
    ) -> None:
        """Raises: ConfigError: alpha outside [0, 1], gamma below 0, an unknown reduction or form."""
        super().__init__()
        check_constants(alpha if isinstance(alpha, float | int) else None, gamma)
        for name, value, known in (("reduction", reduction, get_args(Reduction)), ("form", form, get_args(Form))):
            if value not in known:
                raise ConfigError(name, f"{value!r} is not known", f"use one of {', '.join(known)}")
        if form == "sigmoid" and isinstance(alpha, Tensor):
            raise ConfigError("alpha", "weights for each class need the softmax form", 'add form="softmax"')
        self.alpha, self.gamma, self.reduction, self.form = alpha, gamma, reduction, form

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Give the loss: a scalar, or without reduction one value an element (softmax: an example)."""
        if isinstance(self.alpha, Tensor) or self.form == "softmax":
            loss = softmax_focal_loss(logits, targets, alpha=self.alpha, gamma=self.gamma)
        else:
            loss = sigmoid_focal_loss(logits, targets, alpha=self.alpha, gamma=self.gamma)
        if self.reduction == "none":
            return loss
        return loss.sum() if self.reduction == "sum" else loss.sum() / max(loss.numel(), 1)

    def extra_repr(self) -> str:
        """Show the constants."""
        return f"alpha={self.alpha}, gamma={self.gamma}, reduction={self.reduction!r}, form={self.form!r}"


def alpha_for(gamma: float) -> float:
    """Give the alpha that goes with a gamma: the line of the paper's Table 1b, straight between its points.

    The two are coupled: gamma already quiets the many easy negatives, so less weight is needed on the positives.

    >>> [alpha_for(gamma) for gamma in (0, 0.2, 0.5, 1, 2, 5)]
    [0.75, 0.75, 0.5, 0.25, 0.25, 0.25]
    """
    check_constants(None, gamma)
    for (low, start), (high, end) in pairwise(_TABLE_1B):
        if gamma <= high:
            return start + (end - start) * (gamma - low) / (high - low)
    return _TABLE_1B[-1][1]


def coupling_warning(alpha: float | None, gamma: float) -> str | None:
    """Say why a pair is doubtful: gamma above 5, or alpha far off the line of Table 1b; None for a sound pair.

    Far off is a factor of more than three between the odds alpha / (1 - alpha); alpha None counts as .5.
    """
    check_constants(alpha, gamma)
    if gamma > _GAMMA_LIMIT:
        return f"gamma {gamma:g} is above 5: in the paper AP falls from 34.0 at gamma 2 to 32.2 at 5 (Table 1b)"
    best, chosen = alpha_for(gamma), 0.5 if alpha is None else alpha
    odds, best_odds = chosen / max(1 - chosen, 1e-9), best / (1 - best)
    if 1 / _ODDS_LIMIT - 1e-9 <= odds / best_odds <= _ODDS_LIMIT + 1e-9:
        return None
    effect = "the many negatives outweigh the objects" if odds < best_odds else "false alarms cost too little"
    return f"alpha {chosen:g} is far from {best:g}, the best for gamma {gamma:g} (paper, Table 1b): {effect}"


def check_constants(alpha: float | None, gamma: float) -> None:
    """Refuse constants out of range.

    Raises:
        ConfigError: alpha outside [0, 1], gamma below 0, or either not a number.
    """
    if alpha is not None and not 0 <= alpha <= 1:
        raise ConfigError("alpha", f"{alpha:g} is outside 0 to 1", "or use None to switch it off")
    if not 0 <= gamma < float("inf"):
        raise ConfigError("gamma", f"{gamma:g} is not 0 or above")


def _binary(logits: Tensor, targets: Tensor, constants: Hardness, alpha: float | None) -> Tensor:
    if logits.shape != targets.shape:
        raise DataError("targets", f"shape {tuple(targets.shape)} does not fit logits {tuple(logits.shape)}")
    _check_labels(targets, 0, 1)
    own, x = targets > 0.5, _accurate(logits)
    loss = hardness_of(torch.where(own, -x, x), constants)
    return loss if alpha is None else torch.where(own, alpha, 1 - alpha) * loss


def _accurate(logits: Tensor) -> Tensor:
    return logits if logits.dtype == torch.float64 else logits.float()


def _check_labels(targets: Tensor, low: int, high: int) -> None:
    if targets.numel() and bool(((targets < low) | (targets > high) | (targets != targets.round())).any()):
        wrong = targets[(targets < low) | (targets > high) | (targets != targets.round())].flatten()[0].item()
        raise DataError("targets", f"label {wrong:g} is not one of {low} to {high}")


def _class_weights(alpha: float | Tensor | None, logits: Tensor) -> Tensor:
    if alpha is None or not isinstance(alpha, Tensor):
        return torch.full((logits.shape[1],), 1.0 if alpha is None else alpha, device=logits.device)
    if alpha.shape != (logits.shape[1],) or bool((alpha < 0).any()):
        raise ConfigError("alpha", f"{alpha.numel()} weights for {logits.shape[1]} classes, or one below 0")
    return alpha.to(logits.device)
