"""The averaged weights follow the trained ones, and only these."""

import pytest
import torch
from torch import nn

from focalcli.training.average import Average


def test_the_average_follows_fast_at_first() -> None:
    """After the first copy, share 1 - (1 + 1) / (10 + 1) = 9/11 of the way."""
    model = nn.Linear(1, 1, bias=False)
    average = Average(model, 0.999)
    for value in (0.0, 11.0):
        nn.init.constant_(model.weight, value)
        average.update_parameters(model)
    assert average.module.weight.item() == pytest.approx(9.0)
    assert int(average.n_averaged) == 2 and torch.is_grad_enabled()


def test_the_first_step_is_copied_to_the_last_bit() -> None:
    model = nn.Linear(100, 100)
    average = Average(model, 0.998)
    nn.init.normal_(model.weight)
    average.update_parameters(model)
    assert torch.equal(average.module.weight, model.weight)


def test_what_is_not_trained_is_left_alone() -> None:
    model = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
    model[0].requires_grad_(False)
    average = Average(model, 0.998)
    before = average.module[0].weight.clone()
    nn.init.constant_(model[0].weight, 5.0)
    nn.init.constant_(model[1].weight, 5.0)
    average.update_parameters(model)
    assert average.module[0].weight == before and average.module[1].weight == 5
