"""Configurations: one default each, limits that hold, JSON that comes back."""

import pytest

from focalcli.config import PRESETS, ClassInfo, checked, decode_config, encode_config, model_config
from focalcli.errors import ConfigError
from focalcli.train_config import TrainConfig

CLASSES = (ClassInfo("cat", 3), ClassInfo("dog", 1))


@pytest.mark.parametrize("preset", [*PRESETS, "convnextv2_nano"])
def test_every_preset_comes_back_from_json(preset: str) -> None:
    config = model_config(preset, CLASSES)
    assert decode_config(encode_config(config), "x") == config
    assert config.num_classes == 2 and config.anchors.per_cell == 9


def test_the_papers_constants_are_the_defaults() -> None:
    loss = model_config("lite0", CLASSES).loss
    assert (loss.alpha, loss.gamma, loss.prior, loss.object_iou, loss.background_iou) == (0.25, 2.0, 0.01, 0.5, 0.4)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"classes": [], "schema": "focalcli.model/2"}', '{"classes": 3}'])
def test_a_stored_configuration_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        decode_config(text, "file")


@pytest.mark.parametrize(
    ("field", "value"), [("epochs", 0), ("lr", -1.0), ("augment", "heavy"), ("min_size", 3), ("epoch", 3)]
)
def test_limits_name_place_and_field(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=field):
        checked(TrainConfig, {field: value}, "focalcli.toml")


def test_changes_of_a_preset_are_checked_too() -> None:
    with pytest.raises(ConfigError):
        model_config("lite0", CLASSES, pyramid_channels=1)
