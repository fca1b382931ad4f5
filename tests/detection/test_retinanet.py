"""The network: shapes, the prior, memory format, and no dependence on its neighbours in a batch."""

import math

import pytest
import torch

from focalcli.config import ClassInfo, model_config
from focalcli.detection.heads import by_anchor, prior_bias
from focalcli.detection.retinanet import RetinaNet, build_retinanet
from focalcli.errors import ConfigError

CLASSES = (ClassInfo("boat", 3), ClassInfo("buoy", 7))


@pytest.fixture(scope="module")
def model() -> RetinaNet:
    torch.manual_seed(0)
    return build_retinanet(model_config("lite0", CLASSES)).eval()


def test_levels_have_an_answer_for_every_anchor(model: RetinaNet) -> None:
    outputs = model(torch.zeros(2, 3, 64, 96, dtype=torch.uint8))
    anchors = model.anchors((64, 96), torch.device("cpu"))
    for logits, deltas, level in zip(*outputs, anchors, strict=True):
        assert logits.shape == (2, len(level), 2) and deltas.shape == (2, len(level), 4)


def test_every_anchor_starts_at_the_prior(model: RetinaNet) -> None:
    """-log((1 - .01) / .01) = -log 99: a fresh network says 1 % everywhere, give or take its random weights."""
    assert prior_bias(0.01) == pytest.approx(-math.log(99))
    outputs = model(torch.randint(0, 255, (1, 3, 64, 64), dtype=torch.uint8))
    scores = torch.sigmoid(torch.cat(outputs.logits, 1))
    assert scores.mean().item() == pytest.approx(0.01, rel=0.05)


def test_anchors_and_answers_have_the_same_order() -> None:
    """Output a * C + c of cell (y, x) is row (y * W + x) * A + a, column c."""
    n, a, c, h, w = 1, 3, 2, 4, 5
    x = torch.arange(a * c * h * w).float().reshape(n, a * c, h, w)
    rows = by_anchor(x, c)
    assert rows[0, (2 * w + 3) * a + 1, 1] == x[0, 1 * c + 1, 2, 3]


def test_rows_are_views_of_channels_last_memory() -> None:
    x = torch.rand(2, 18, 4, 5).contiguous(memory_format=torch.channels_last)
    assert by_anchor(x, 2).data_ptr() == x.data_ptr()


def test_images_do_not_see_each_other(model: RetinaNet) -> None:
    images = torch.randint(0, 255, (3, 3, 64, 64), dtype=torch.uint8)
    together, alone = model(images), model(images[1:2])
    for one, other in zip(together.logits, alone.logits, strict=True):
        torch.testing.assert_close(one[1:2], other, rtol=1e-4, atol=1e-5)


def test_normalisation_is_that_of_the_backbone() -> None:
    model = build_retinanet(model_config("resnet18", CLASSES))
    pixel = model.normalise(torch.full((1, 3, 1, 1), 255, dtype=torch.uint8))[0, :, 0, 0]
    expected = torch.tensor([(1 - m) / s for m, s in zip((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)])
    torch.testing.assert_close(pixel, expected)


def test_an_unknown_backbone_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match=r"timm cannot build it .*presets are lite0, .*timm.list_models\(\)"):
        build_retinanet(model_config("resnet51x", CLASSES))
    with pytest.raises(ConfigError, match=r"did you mean lite0\?"):
        build_retinanet(model_config("lit0", CLASSES))


@pytest.mark.parametrize("preset", ["lite0", "resnet18"])
def test_gradients_are_finite_on_the_smallest_inputs(preset: str) -> None:
    """P6 of a 64 x 64 input is one cell; memory full of NaN must not reach the gradient of P7's convolution."""
    model = build_retinanet(model_config(preset, CLASSES)).train()
    images = torch.randint(0, 255, (2, 3, 64, 64), dtype=torch.uint8)
    for _ in range(3):
        del_me = [torch.full((1 << size,), float("nan"), dtype=torch.bfloat16) for size in range(10, 22)] * 4
        del del_me
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            outputs = model(images)
        sum(level.float().square().mean() for levels in outputs for level in levels).backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
            assert parameter.grad.abs().max() < 1e4, name
