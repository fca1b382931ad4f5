"""Focal loss against torchvision's, value and gradient."""

import pytest
import torch
from torchvision.ops import sigmoid_focal_loss

from focalcli import losses
from focalcli.config import LossConfig
from focalcli.detection.losses import classification_loss


@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 2.0), (0.75, 0.0), (0.5, 0.5), (None, 2.0), (0.9, 5.0)])
def test_the_training_loss_is_torchvisions(alpha: float | None, gamma: float) -> None:
    """As `RetinaNetClassificationHead.compute_loss` does it: one-hot targets, ignored anchors left out, the sum."""
    torch.manual_seed(0)
    levels = [(torch.randn(2, r, 9, dtype=torch.float64) * 3 - 2).requires_grad_() for r in (400, 100)]
    targets = torch.where(torch.rand(2, 500) < 0.05, torch.randint(-2, 9, (2, 500)), -1)
    ours = classification_loss(levels, targets, LossConfig(alpha=alpha, gamma=gamma))
    ours.backward()
    copies = [x.detach().clone().requires_grad_() for x in levels]
    kept = targets != -2
    one_hot = (targets[..., None] == torch.arange(9)).double()
    x = torch.cat(copies, dim=1)
    theirs = sigmoid_focal_loss(x[kept], one_hot[kept], -1 if alpha is None else alpha, gamma, reduction="sum")
    theirs.backward()
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-6)
    for mine, other in zip(levels, copies, strict=True):
        torch.testing.assert_close(mine.grad, other.grad, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 2.0), (None, 0.0), (0.75, 1.5)])
def test_the_public_function_is_torchvisions(alpha: float | None, gamma: float) -> None:
    torch.manual_seed(0)
    x = (torch.randn(50, 7, dtype=torch.float64) * 4).requires_grad_()
    y = (torch.rand(50, 7) < 0.2).double()
    ours = losses.sigmoid_focal_loss(x, y, alpha=alpha, gamma=gamma)
    theirs = sigmoid_focal_loss(x, y, -1 if alpha is None else alpha, gamma)
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-12)
    (mine,), (other,) = torch.autograd.grad(ours.sum(), x), torch.autograd.grad(theirs.sum(), x)
    torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-12)
