"""torchvision is the oracle: its state dicts load unchanged and give its detections; matching and anchors agree."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.detection import _utils as tv_utils
from torchvision.models.detection import retinanet as tv_retinanet
from torchvision.models.detection import retinanet_resnet50_fpn, retinanet_resnet50_fpn_v2
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import misc

from focalcli.config import PRESETS, AnchorConfig, ClassInfo, model_config
from focalcli.detection.anchors import pyramid_anchors
from focalcli.detection.boxes import box_iou, decode, encode
from focalcli.detection.matching import State, match
from focalcli.detection.postprocess import candidates, select
from focalcli.detection.retinanet import RetinaNet, build_retinanet

SIZES = [[(256, 256)], [(224, 352)], [(320, 256)], [(256, 320), (320, 224), (192, 192)]]


@torch.no_grad()
def shaken(model: nn.Module) -> nn.Module:
    """Give batch norms statistics unlike the neutral ones, and the heads enough spread to find something."""
    generator = torch.Generator().manual_seed(7)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | misc.FrozenBatchNorm2d):
            for name, low, high in (("running_mean", -0.1, 0.1), ("running_var", 0.8, 1.2), ("weight", 0.8, 1.2)):
                getattr(module, name).data.uniform_(low, high, generator=generator)
            module.bias.data.uniform_(-0.1, 0.1, generator=generator)
    model.eval()
    features = list(model.backbone(torch.rand(2, 3, 256, 256, generator=generator)).values())
    scale_last(model.head.classification_head.conv, model.head.classification_head.cls_logits, features, 4.0, -2.5)
    scale_last(model.head.regression_head.conv, model.head.regression_head.bbox_reg, features, 1.0, 0.0)
    return model


def scale_last(tower: nn.Module, last: nn.Conv2d, features: list[Tensor], spread: float, bias: float) -> None:
    """Make the outputs of a random head lie within `spread` of `bias`: neither equal nor saturated."""
    last.bias.data.fill_(bias)
    outputs = torch.cat([last(tower(feature)).flatten() for feature in features])
    last.weight.data.mul_(spread / (outputs - bias).abs().max())


@pytest.fixture(scope="module", params=["v1", "v1 eps 0", "v2"])
def pair(request: pytest.FixtureRequest) -> tuple[nn.Module, RetinaNet]:
    torch.manual_seed(0)
    second = request.param == "v2"
    build: Callable[..., nn.Module] = retinanet_resnet50_fpn_v2 if second else retinanet_resnet50_fpn
    theirs = build(weights=None, weights_backbone=None)
    eps = 0.0 if request.param == "v1 eps 0" else None
    if eps is not None:
        for module in theirs.modules():  # what torchvision does around its first COCO weights
            if isinstance(module, nn.BatchNorm2d):
                module.eps = eps
    theirs = shaken(theirs)
    classes = tuple(ClassInfo(str(i), i) for i in range(91))
    config = model_config("r50v2" if second else "r50", classes, backbone_norm_eps=eps)
    ours = build_retinanet(config).eval()
    ours.load_torchvision(theirs.state_dict())
    return theirs, ours


def detections_of(model: RetinaNet, images: list[Tensor]) -> list[dict[str, Tensor]]:
    """Run ours as torchvision runs its own: normalise, then pad with zeros to a multiple of 32."""
    height = -(-max(i.shape[1] for i in images) // 32) * 32
    width = -(-max(i.shape[2] for i in images) // 32) * 32
    batch = model.mean.expand(len(images), 3, height, width).clone()
    for row, image in zip(batch, images, strict=True):
        row[:, : image.shape[1], : image.shape[2]] = image * 255
    post = model.config.postprocess
    outputs = model(batch)
    found = candidates(outputs, model.anchors((height, width), batch.device), per_level=post.candidates)
    kept = select(found, torch.tensor([image.shape[1:] for image in images]), post)
    return [
        {"boxes": kept.boxes[i, :n], "scores": kept.scores[i, :n], "labels": kept.classes[i, :n]}
        for i, n in enumerate(kept.counts.tolist())
    ]


def smooth(noise: Tensor, size: tuple[int, int]) -> Tensor:
    """Make an image with structure: on plain noise a random network says nearly the same everywhere."""
    return nn.functional.interpolate(noise, size=size, mode="bicubic").clamp(0, 1)[0]


def same_order(one: dict[str, Tensor], other: dict[str, Tensor]) -> Tensor:
    """Pair detections one to one: neighbours whose scores differ by a rounding error may have changed places."""
    assert len(one["scores"]) == len(other["scores"])
    distance = torch.cdist(one["boxes"].double(), other["boxes"].double())
    order = (distance + 1e6 * (one["labels"][:, None] != other["labels"])).argmin(dim=1)
    assert len(order.unique()) == len(order)
    return order


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@torch.inference_mode()
def test_detections_equal_torchvisions(pair: tuple[nn.Module, RetinaNet], sizes: list[tuple[int, int]]) -> None:
    """The networks in float64, where no kernel of any processor rounds enough to be taken for a mistake.

    What ours makes of its outputs is float32 always: 24 bits of a coordinate of some hundred pixels.
    """
    theirs, ours = (copy.deepcopy(model).double() for model in pair)
    generator = torch.Generator().manual_seed(len(sizes) + sizes[0][0])
    images = [smooth(torch.rand(1, 3, 9, 9, generator=generator), size).double() for size in sizes]
    theirs.transform.resize = lambda image, target: (image, target)
    expected, actual = theirs(images), detections_of(ours, images)
    for one, other in zip(expected, actual, strict=True):
        assert len(one["labels"]) > 20, "the random network must find something for this test to mean anything"
        order = same_order(one, other)
        assert torch.equal(one["labels"], other["labels"][order])
        torch.testing.assert_close(other["boxes"][order], one["boxes"].float(), atol=2e-4, rtol=0)
        torch.testing.assert_close(other["scores"][order], one["scores"].float(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("image_size", [(256, 256), (800, 1344), (320, 416), (96, 608)], ids=str)
def test_anchors_in_torchvisions_convention(image_size: tuple[int, int]) -> None:
    generator = tv_retinanet._default_anchorgen()
    maps = [torch.zeros(1, 1, -(-image_size[0] // s), -(-image_size[1] // s)) for s in (8, 16, 32, 64, 128)]
    expected = generator(ImageList(torch.zeros(1, 3, *image_size), [image_size]), maps)[0]
    actual = torch.cat(pyramid_anchors(AnchorConfig(convention="torchvision"), image_size))
    assert torch.equal(actual, expected)


@pytest.mark.parametrize("seed", range(5))
def test_matching_equals_torchvisions(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    anchors = torch.cat(pyramid_anchors(AnchorConfig(), (256, 320)))
    corner = torch.rand(12, 2, generator=generator) * 200
    boxes = torch.cat([corner, corner + 3 + torch.rand(12, 2, generator=generator) * 120], 1)
    oracle = tv_utils.Matcher(0.5, 0.4, allow_low_quality_matches=True)(box_iou(boxes, anchors))
    ours = match(boxes[None], torch.ones(1, 12, dtype=torch.bool), anchors, object_iou=0.5, background_iou=0.4)
    expected = torch.where(oracle >= 0, State.OBJECT, torch.where(oracle == -1, State.BACKGROUND, State.IGNORE))
    assert torch.equal(ours.state[0], expected)
    positive = oracle >= 0
    assert torch.equal(ours.object_index[0][positive], oracle[positive])


def test_box_coding_equals_torchvisions() -> None:
    generator = torch.Generator().manual_seed(1)
    corner = torch.rand(2, 50, 2, generator=generator) * 100
    size = 1 + torch.rand(2, 50, 2, generator=generator) * 80
    boxes, anchors = torch.cat([corner, corner + size], -1)
    coder = tv_utils.BoxCoder(weights=(1.0, 1.0, 1.0, 1.0))
    torch.testing.assert_close(encode(boxes, anchors), coder.encode_single(boxes, anchors))
    deltas = torch.randn(50, 4, generator=generator) * 3
    torch.testing.assert_close(decode(deltas, anchors), coder.decode_single(deltas, anchors))


def test_the_presets_name_torchvisions_settings() -> None:
    assert PRESETS["r50"]["loss"].box == "l1" and PRESETS["r50v2"]["loss"].box == "giou"
