from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import onnx
import pytest
import torch

from focalcli.checkpoint import save_model
from focalcli.config import ClassInfo, ModelConfig, model_config
from focalcli.dataset.types import Dataset
from focalcli.detection.retinanet import RetinaNet, build_retinanet
from focalcli.export.graph import around_network
from focalcli.export.network import trace_network
from focalcli.export.options import ExportOptions, fixed_fit
from tests.export.small import photos

CLASSES = (ClassInfo("red cell", 3), ClassInfo("white cell", 7), ClassInfo("platelet", 4))


class Traced(NamedTuple):
    """A small model that finds things, and its traced network: tracing takes seconds, the rest none."""

    model: RetinaNet
    network: onnx.ModelProto
    config: ModelConfig

    def file(self, options: ExportOptions) -> onnx.ModelProto:
        self.model.config = fixed_fit(self.config, options.size)
        return around_network(self.network, self.model.config, options)


@torch.no_grad()
def talkative(model: RetinaNet) -> RetinaNet:
    """Spread the outputs of random heads: some scores high, most low, boxes of all sizes."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (1, 3, 128, 192), generator=generator, dtype=torch.uint8)
    for parameter in model.head.parameters():
        if parameter.dim() == 4:
            torch.nn.init.kaiming_normal_(parameter, generator=generator)
    outputs = model(images)
    last = model.head["classification_head"].cls_logits
    last.weight.mul_(2.5 / torch.cat(outputs.logits, 1).std())
    last.bias.fill_(-6)
    last = model.head["regression_head"].bbox_reg
    last.weight.mul_(0.5 / torch.cat(outputs.deltas, 1).std())
    last.bias.zero_()
    return model


def small_config(**changes: object) -> ModelConfig:
    small = {"pyramid_channels": 16, "head_channels": 16, "head_convs": 1}
    fit = {"min_size": 128, "max_size": 224, "divisor": 32}
    return model_config("test_resnet", CLASSES, **{**small, "fit": fit, **changes})


@pytest.fixture(scope="session")
def traced_for_all() -> Traced:
    torch.manual_seed(0)
    config = small_config(data_fingerprint="0123abcd", licence="CC0-1.0")
    model = talkative(build_retinanet(config).eval())
    return Traced(model, trace_network(model, size=None, opset=18), config)


@pytest.fixture
def traced(traced_for_all: Traced) -> Traced:
    """Give the traced model with its own Fit, whatever size the test before asked it for."""
    traced_for_all.model.config = traced_for_all.config
    traced_for_all.model._anchors.clear()
    return traced_for_all


@pytest.fixture
def checkpoint(traced: Traced, tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    save_model(path, traced.model.state_dict(), traced.config)
    return path


@pytest.fixture
def traced_once(traced: Traced, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let `write_onnx` take the traced network instead of tracing it again."""

    def build(model: RetinaNet, options: ExportOptions) -> onnx.ModelProto:
        return around_network(traced.network, model.config, options)

    monkeypatch.setattr("focalcli.export.write.build_onnx", build)
    return lambda: None


@pytest.fixture(scope="session")
def annotated(traced_for_all, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return photos(traced_for_all.model, traced_for_all.config, tmp_path_factory.mktemp("photos"))
