"""Folding changes no output, no gradient and no name."""

import copy

import pytest
import timm
import torch
from torch import nn

from focalcli.detection.frozen_norm import FoldedConv2d, fold_frozen_norms


def shaken(name: str) -> nn.Module:
    torch.manual_seed(0)
    body = timm.create_model(name, features_only=True, out_indices=(2, 3, 4)).eval().double()
    for module in body.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return body


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet18"])
def test_folded_equals_frozen(name: str) -> None:
    plain = shaken(name)
    folded = copy.deepcopy(plain)
    fold_frozen_norms(folded)
    assert any(isinstance(module, FoldedConv2d) for module in folded.modules())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    images = torch.rand(2, 3, 64, 96, dtype=torch.float64)
    for one, other in zip(plain(images), folded(images), strict=True):
        torch.testing.assert_close(other, one, rtol=1e-5, atol=1e-7)
    for model in (plain, folded):
        sum(feature.mean() for feature in model(images)).backward()
    gradients = {n: p.grad for n, p in plain.named_parameters()}
    for n, parameter in folded.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[n], rtol=1e-4, atol=1e-8)


def test_names_stay_but_for_the_batch_counters() -> None:
    plain = shaken("resnet18")
    folded = copy.deepcopy(plain)
    fold_frozen_norms(folded)
    assert list(folded.state_dict()) == [name for name in plain.state_dict() if "num_batches" not in name]


def test_a_copy_folds_with_its_own_numbers() -> None:
    """A deep copy (the averaged model) must not look at the original's statistics."""
    folded = shaken("resnet18")
    fold_frozen_norms(folded)
    other = copy.deepcopy(folded)
    images = torch.rand(1, 3, 64, 64, dtype=torch.float64)
    before = other(images)[0]
    for name, buffer in folded.named_buffers():
        if name.endswith("running_mean"):
            buffer.add_(1)
    assert torch.equal(other(images)[0], before)
