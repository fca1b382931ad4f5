"""Tuning treats every setting alike, repeats itself, and leaves the model as it was."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from focalcli.config import LossConfig
from focalcli.dataset.types import Dataset, Flag
from focalcli.detection.retinanet import RetinaNet
from focalcli.errors import DataError, UsageError
from focalcli.insight.observe import observe
from focalcli.insight.parts import folds, learn_and_measure, without
from focalcli.insight.search import SETTINGS, command_line, grid, settings_from
from focalcli.insight.side_by_side import features, fit_layers
from focalcli.insight.tune import Trial, tune


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
    monkeypatch.setattr("focalcli.insight.tune.RESAMPLES", 3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    train, test = learn_and_measure(dataset)
    settings = (LossConfig(), LossConfig(gamma=0.0, alpha=0.75), LossConfig(kind="ohem"))
    one, two = (tune(network, train, test, seed=1, settings=settings, steps=3) for _ in range(2))
    assert str(one) == str(two)
    assert [trial.ap for trial in one] == sorted((trial.ap for trial in one), reverse=True)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_layers_trained_side_by_side_are_those_trained_alone(network: RetinaNet, dataset: Dataset) -> None:
    """Photos of two sizes among them, so that a step has more than one group."""
    photos = list(features(network, dataset.take_images(np.arange(3))))
    other = photos[0]._replace(
        tower=[level[:, :, : max(level.shape[2] // 2, 1)] for level in photos[0].tower], input_size=(1, 1)
    )
    kept = [level.shape[2] * level.shape[3] * network.config.anchors.per_cell for level in other.tower]
    anchors = [level[:count] for level, count in zip(other.anchors, kept, strict=True)]
    targets = torch.full((1, sum(kept)), -1)
    targets[0, 5] = 1
    photos.append(other._replace(anchors=anchors, targets=targets))
    settings = (LossConfig(), LossConfig(gamma=0.0, alpha=0.75, prior=0.5), LossConfig(kind="ohem"))
    together = fit_layers(network.config, settings, photos, seed=2, steps=3)
    for loss, layer in zip(settings, together, strict=True):
        [alone] = fit_layers(network.config, [loss], photos, seed=2, steps=3)
        torch.testing.assert_close(layer.weight, alone.weight, rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(layer.bias, alone.bias, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(together[0].weight, together[1].weight, atol=1e-3)


def test_the_interval_of_a_difference_is_of_the_same_photos() -> None:
    """Always .1 behind: the interval of the difference has no width, though that of AP has."""
    ap = np.linspace(0.3, 0.5, 41)
    best, other = (Trial(LossConfig(), 0.4, 0.6, ap - less) for less in (0.0, 0.1))
    assert other.behind(best) == pytest.approx((0.1, 0.1))
    assert best.interval == pytest.approx((0.305, 0.495))
    assert "behind_95%" in other.as_dict(best) and "behind_95%" not in best.as_dict(best)


def test_a_search_is_spanned_by_gammas_alphas_betas_and_ohem() -> None:
    assert settings_from(None, None, None, ohem=False) == SETTINGS
    found = settings_from("0,2", "none,0.25", "0,1", ohem=True)
    assert found == grid((0.0, 2.0), (None, 0.25), (0.0, 1.0), ohem=True)
    assert [loss.kind for loss in found] == ["focal"] * 4 + ["focal-star"] * 2 + ["ohem"]
    with pytest.raises(UsageError, match="--alphas: '2' is no number from 0 to 1"):
        settings_from(None, "0.5,2", None, ohem=False)


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


def test_crowds_alone_are_nothing_to_tune_on(network: RetinaNet, dataset: Dataset) -> None:
    """AP would be measured on no object, and NaN is no JSON."""
    boxes = replace(dataset.boxes, flags=np.full(len(dataset.boxes), int(Flag.CROWD)))
    crowds = replace(dataset, boxes=boxes)
    for train, test in ((dataset, crowds), (crowds, dataset)):
        with pytest.raises(DataError, match="tuning needs objects to train on and objects to evaluate on"):
            tune(network, train, test, seed=0, steps=1)


def test_the_command_line_quotes_a_path_with_spaces() -> None:
    assert command_line(LossConfig(), "my data").startswith("focalcli train 'my data' --loss focal")


@pytest.mark.parametrize(
    ("loss", "flags"),
    [
        (LossConfig(gamma=0.5, alpha=None), "--loss focal --gamma 0.5 --alpha none"),
        (LossConfig(kind="focal-star"), "--loss focal-star --gamma 2.0 --alpha 0.25 --beta 1.0"),
        (
            LossConfig(kind="ohem", ohem_nms=None, ohem_balanced=True),
            "--loss ohem --ohem-examples 128 --ohem-nms none --ohem-balanced",
        ),
    ],
)
def test_the_command_line_says_the_setting(loss: LossConfig, flags: str) -> None:
    assert command_line(loss, "bay") == f"focalcli train bay {flags}"


def test_folds_hold_each_photo_once(dataset: Dataset) -> None:
    parts = folds(dataset, 4, seed=3)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(dataset.images)))
    assert all(not set(without(dataset, part)) & set(part) for part in parts)
