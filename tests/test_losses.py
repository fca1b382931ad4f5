"""The public losses: formulas by hand, reductions, the coupling of alpha and gamma, and bad input."""

import math
import subprocess
import sys

import pytest
import torch
from torch.nn import functional as F

from focalcli import losses
from focalcli.errors import ConfigError, DataError


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_nothing_costs_nothing(reduction: losses.Reduction) -> None:
    loss = losses.FocalLoss(reduction=reduction)(torch.zeros(0, 3), torch.zeros(0, 3))
    softmax = losses.FocalLoss(None, reduction=reduction, form="softmax")
    assert loss.sum() == 0
    assert softmax(torch.zeros(0, 3), torch.zeros(0, dtype=torch.long)).sum() == 0


def test_sigmoid_form_by_hand() -> None:
    """p = .8: for a 1, .25 * .2^2 * -ln(.8); for a 0, .75 * .8^2 * -ln(.2)."""
    x = torch.full((2,), math.log(4), dtype=torch.float64)
    loss = losses.sigmoid_focal_loss(x, torch.tensor([1.0, 0.0]))
    assert loss.tolist() == pytest.approx([0.25 * 0.04 * -math.log(0.8), 0.75 * 0.64 * -math.log(0.2)])


def test_softmax_form_by_hand() -> None:
    """Probabilities .7, .2, .1, truth the second: 3 * .8^2 * -ln(.2)."""
    x = torch.tensor([[0.7, 0.2, 0.1]], dtype=torch.float64).log()
    loss = losses.softmax_focal_loss(x, torch.tensor([1]), alpha=torch.tensor([1.0, 3.0, 1.0]), gamma=2)
    assert loss.item() == pytest.approx(3 * 0.64 * -math.log(0.2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gamma_zero_is_cross_entropy_in_both_forms(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    x = (torch.randn(6, 5, dtype=dtype) * 5).requires_grad_()
    y = (torch.rand(6, 5) < 0.3).to(dtype)
    labels = torch.randint(5, (6,))
    pairs = [
        (losses.FocalLoss(None, 0, "sum")(x, y), F.binary_cross_entropy_with_logits(x, y, reduction="sum")),
        (losses.FocalLoss(None, 0, "mean", form="softmax")(x, labels), F.cross_entropy(x, labels)),
    ]
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs)
        torch.testing.assert_close(torch.autograd.grad(ours, x)[0], torch.autograd.grad(theirs, x)[0])


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_gradcheck(gamma: float) -> None:
    torch.manual_seed(0)
    x = (torch.randn(4, 3, dtype=torch.float64) * 2).requires_grad_()
    y = (torch.rand(4, 3) < 0.5).double()
    labels = torch.tensor([0, 2, 1, 1])
    alpha = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda z: losses.sigmoid_focal_loss(z, y, gamma=gamma), (x,))
    assert torch.autograd.gradcheck(lambda z: losses.softmax_focal_loss(z, labels, alpha=alpha, gamma=gamma), (x,))
    if gamma:
        assert torch.autograd.gradcheck(lambda z: losses.sigmoid_focal_star_loss(z, y, gamma=gamma), (x,))


def test_a_binary_softmax_is_the_sigmoid_of_the_difference() -> None:
    torch.manual_seed(0)
    x = torch.randn(8, 2, dtype=torch.float64)
    labels = torch.randint(2, (8,))
    softmax = losses.softmax_focal_loss(x, labels, alpha=torch.tensor([0.75, 0.25], dtype=torch.float64))
    sigmoid = losses.sigmoid_focal_loss(x[:, 1] - x[:, 0], labels.double())
    torch.testing.assert_close(softmax, sigmoid)


@pytest.mark.parametrize("size", [100.0, -100.0])
def test_extreme_logits_in_bfloat16_stay_finite(size: float) -> None:
    x = torch.tensor([[size, -size]], dtype=torch.bfloat16, requires_grad=True)
    loss = losses.FocalLoss(gamma=0.5)(x, torch.tensor([[1.0, 0.0]])) + losses.FocalLoss(None, form="softmax")(
        x, torch.tensor([0])
    )
    loss.backward()
    assert torch.isfinite(loss) and x.grad is not None and torch.isfinite(x.grad).all()


def test_dense_softmax_takes_maps_of_labels() -> None:
    loss = losses.softmax_focal_loss(torch.zeros(2, 4, 3, 5), torch.zeros(2, 3, 5, dtype=torch.long))
    assert loss.shape == (2, 3, 5)
    assert loss[0, 0, 0].item() == pytest.approx(0.75**2 * math.log(4), rel=1e-6)


def test_alpha_follows_gamma_as_in_table_1b() -> None:
    assert [losses.alpha_for(g) for g in (0, 0.1, 0.2, 0.5, 1, 2, 5)] == [0.75, 0.75, 0.75, 0.5, 0.25, 0.25, 0.25]
    assert losses.alpha_for(0.75) == pytest.approx(0.375)


@pytest.mark.parametrize(
    ("alpha", "gamma"), [(0.25, 2), (0.5, 2), (0.75, 0), (0.5, 0.5), (None, 0), (None, 2), (0.25, 5)]
)
def test_the_papers_pairs_earn_no_warning(alpha: float | None, gamma: float) -> None:
    assert losses.coupling_warning(alpha, gamma) is None


@pytest.mark.parametrize(
    ("alpha", "gamma", "word"),
    [(0.25, 6, "gamma 6 is above 5"), (0.9, 2, "false alarms"), (0.1, 0, "outweigh the objects"), (1.0, 2, "alpha 1")],
)
def test_doubtful_pairs_earn_a_warning_that_says_why(alpha: float, gamma: float, word: str) -> None:
    assert word in (losses.coupling_warning(alpha, gamma) or "")


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"gamma": -1.0}, "gamma: -1 is not 0 or above"),
        ({"gamma": math.nan}, "gamma: nan is not 0 or above"),
        ({"alpha": 1.5}, "alpha: 1.5 is outside 0 to 1, or use None to switch it off"),
        ({"reduction": "average"}, "reduction: 'average' is not known, use one of none, sum, mean"),
        ({"form": "tanh"}, "form: 'tanh' is not known, use one of sigmoid, softmax"),
        ({"alpha": torch.ones(2)}, 'alpha: weights for each class need the softmax form, add form="softmax"'),
    ],
)
def test_constants_out_of_range_are_refused(fields: dict[str, object], line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        losses.FocalLoss(**fields)  # type: ignore[arg-type]
    assert str(caught.value) == line


def test_labels_and_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="targets: label 2 is not one of 0 to 1"):
        losses.sigmoid_focal_loss(torch.zeros(3), torch.tensor([0.0, 1.0, 2.0]))
    with pytest.raises(DataError, match="targets: label -1 is not one of 0 to 3"):
        losses.softmax_focal_loss(torch.zeros(1, 4), torch.tensor([-1]))
    with pytest.raises(DataError, match=r"targets: shape \(2,\) does not fit logits \(3,\)"):
        losses.sigmoid_focal_loss(torch.zeros(3), torch.zeros(2))
    with pytest.raises(ConfigError, match="alpha: 2 weights for 4 classes"):
        losses.softmax_focal_loss(torch.zeros(1, 4), torch.tensor([0]), alpha=torch.ones(2))


def test_nan_logits_give_nan() -> None:
    assert torch.isnan(losses.FocalLoss()(torch.full((2,), math.nan), torch.tensor([0.0, 1.0])))


def test_importing_the_package_stays_light() -> None:
    code = "import focalcli, sys; print([m for m in ('torch', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
