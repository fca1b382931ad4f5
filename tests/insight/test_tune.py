"""Tuning treats every setting alike, repeats itself, and leaves the model as it was."""

import numpy as np
import pytest
import torch

from focalcli.config import LossConfig
from focalcli.dataset.types import Dataset
from focalcli.detection.retinanet import RetinaNet
from focalcli.errors import DataError
from focalcli.insight.observe import observe
from focalcli.insight.parts import folds, learn_and_measure, without
from focalcli.insight.tune import SETTINGS, command_line, features, tune


def test_there_are_twelve_settings_and_each_is_another() -> None:
    assert len(set(SETTINGS)) == len(SETTINGS) == 12


def test_each_photo_is_seen_with_its_own_objects(network: RetinaNet, dataset: Dataset) -> None:
    seen = list(observe(network, dataset))
    assert [photo.position for photo in seen] == list(range(len(dataset.images)))
    for photo in seen:
        assert (dataset.boxes.image[photo.rows] == photo.position).all()
        own = photo.targets.classes[photo.targets.classes >= 0]
        assert set(own.tolist()) <= set(dataset.boxes.category[photo.rows].tolist())
        assert photo.targets.classes.shape[1] == sum(len(level) for level in photo.anchors)


def test_trials_repeat_and_the_model_stays(
    network: RetinaNet, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("focalcli.insight.tune._STEPS", 3)
    monkeypatch.setattr("focalcli.insight.tune._RESAMPLES", 3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    train, test = learn_and_measure(dataset)
    settings = (LossConfig(), LossConfig(gamma=0.0, alpha=0.75), LossConfig(kind="ohem"))
    one, two = (tune(network, train, test, seed=1, settings=settings) for _ in range(2))
    assert str(one) == str(two)
    assert [trial.ap for trial in one] == sorted((trial.ap for trial in one), reverse=True)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_cached_features_give_the_models_own_logits(network: RetinaNet, dataset: Dataset) -> None:
    one = dataset.take_images(np.array([0]))
    [cached], [seen] = features(network, one), observe(network, one)
    layer = network.head["classification_head"].get_submodule("cls_logits")
    logits = layer(cached.tower[0]).permute(0, 2, 3, 1).reshape(1, -1, network.config.num_classes)
    torch.testing.assert_close(logits, seen.outputs.logits[0].clone())


def test_a_part_without_objects_is_refused(network: RetinaNet, dataset: Dataset) -> None:
    empty = dataset.take_images(np.zeros(0, np.int64))
    with pytest.raises(DataError, match="tuning needs objects to train on and objects to evaluate on"):
        tune(network, dataset, empty, seed=0)


def test_the_command_line_says_the_setting() -> None:
    assert command_line(LossConfig(gamma=0.5, alpha=None), "bay") == (
        "focalcli train bay --loss focal --gamma 0.5 --alpha none"
    )


def test_folds_hold_each_photo_once(dataset: Dataset) -> None:
    parts = folds(dataset, 4, seed=3)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(dataset.images)))
    assert all(not set(without(dataset, part)) & set(part) for part in parts)
