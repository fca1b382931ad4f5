"""The learning rate by hand, and which parameters are decayed."""

import pytest
from torch import nn

from focalcli.train_config import TrainConfig
from focalcli.training.schedule import base_lr, build_optimizer, describe_lr, lr_factor


def test_cosine_by_hand() -> None:
    """10 steps of 110 warm up: 1/10 at the first, 1 at the tenth, 1/2 in the middle of the rest, 0 at the end."""
    config = TrainConfig(warmup=10 / 110)
    assert lr_factor(0, 110, config) == pytest.approx(0.1)
    assert lr_factor(9, 110, config) == pytest.approx(1.0)
    assert lr_factor(60, 110, config) == pytest.approx(0.5)
    assert 0 < lr_factor(109, 110, config) < 0.001


def test_step_drops_where_the_paper_drops() -> None:
    config = TrainConfig(schedule="step", warmup=0.0)
    factors = [lr_factor(step, 90, config) for step in (1, 59, 60, 79, 80, 89)]
    assert factors == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_one_step_is_a_schedule() -> None:
    assert lr_factor(0, 1, TrainConfig()) == 1


def test_default_rates_follow_the_optimiser() -> None:
    assert base_lr(TrainConfig(batch=8)) == 0.001 and base_lr(TrainConfig(batch=8, optimizer="sgd")) == 0.01
    assert base_lr(TrainConfig(lr=0.5, batch=80)) == 0.5


def test_the_default_rate_grows_with_the_photos_of_a_step() -> None:
    """2 ranks x 4 photos x 3 batches = 24 = 3 x 8."""
    config = TrainConfig(batch=4, accumulate=3)
    assert base_lr(config, ranks=2) == pytest.approx(0.003)
    assert describe_lr(config, 2) == "learning rate 0.003: 0.001 x 24 photos a step / 8"


def test_biases_are_not_decayed_and_frozen_parameters_not_moved() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1))
    model[0].requires_grad_(False)
    decayed, plain = build_optimizer(model.parameters(), TrainConfig(weight_decay=0.5)).param_groups
    assert decayed["params"] == [model[1].weight] and decayed["weight_decay"] == 0.5
    assert plain["params"] == [model[1].bias] and plain["weight_decay"] == 0
