"""One pass gives what convolution and activation give one after the other, to the bit; gradients likewise."""

import pytest
import timm
import torch
from torch import nn
from torch.nn import functional as F

from focalcli.detection import frozen_norm
from focalcli.detection.frozen_norm import fold_frozen_norms
from focalcli.detection.fused_conv import fused_conv2d, fuses, has_one_pass
from focalcli.detection.geometry import Geometry, Margins, copied_into, pad, same_margins, without

LAYERS = {
    "dense": (24, 40, Geometry((1, 1), (0, 0), (1, 1), 1), 1),
    "strided": (16, 32, Geometry((2, 2), (1, 1), (1, 1), 1), 3),
    "dilated": (16, 16, Geometry((1, 1), (2, 2), (2, 2), 1), 3),
    "grouped": (32, 32, Geometry((1, 1), (1, 1), (1, 1), 4), 3),
    "depthwise": (32, 32, Geometry((2, 2), (2, 2), (1, 1), 32), 5),
}


in_bfloat16 = pytest.mark.skipif(
    not has_one_pass(torch.bfloat16), reason="oneDNN has no bfloat16 on this processor: it needs AVX-512"
)


@pytest.mark.parametrize("dtype", [torch.float32, pytest.param(torch.bfloat16, marks=in_bfloat16)], ids=str)
@pytest.mark.parametrize("activation", [nn.Identity(), nn.ReLU(), nn.ReLU6()], ids=str)
@pytest.mark.parametrize("layer", LAYERS)
def test_fused_equals_one_after_the_other(layer: str, activation: nn.Module, dtype: torch.dtype) -> None:
    inputs, outputs, geometry, kernel = LAYERS[layer]
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(2, inputs, 11, 14, generator=generator).to(dtype).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(outputs, inputs // geometry.groups, kernel, kernel, generator=generator).to(dtype)
    bias = torch.randn(outputs, generator=generator).to(dtype)
    one, other = ([part.clone().requires_grad_() for part in (x, weight, bias)] for _ in range(2))
    plain = activation(F.conv2d(*one, *geometry))
    fused = fused_conv2d(*other, geometry, activation)
    assert torch.equal(fused, plain)
    seed = torch.randn(plain.shape, generator=generator).to(dtype)
    plain.backward(seed)
    fused.backward(seed)
    # Depthwise gradients sum in another order (test_depthwise.py); bfloat16 keeps 8 bits.
    for a, b in zip(other, one, strict=True):
        assert a.grad is not None and b.grad is not None
        torch.testing.assert_close(a.grad, b.grad, rtol=2**-6, atol=2**-6 * float(b.grad.abs().max()))


def test_other_formats_and_activations_take_the_plain_layers() -> None:
    x, weight = torch.zeros(1, 16, 4, 4), torch.zeros(16, 16, 1, 1)
    assert fuses(x, weight, nn.ReLU6()) and not fuses(x, weight, nn.SiLU())
    assert fuses(x.bfloat16(), weight.bfloat16(), nn.ReLU6()) == has_one_pass(torch.bfloat16)
    assert not fuses(x.bfloat16(), weight, nn.ReLU6()) and not fuses(x.double(), weight.double(), nn.ReLU6())


@pytest.mark.parametrize("margins", [Margins(0, 1, 0, 1), Margins(1, 2, 1, 2), Margins(0, 0, 0, 0), None], ids=str)
def test_zeros_around_a_map_are_those_of_padding(margins: Margins | None) -> None:
    generator = torch.Generator().manual_seed(5)
    parts = [torch.randn(shape, generator=generator) for shape in ((2, 16, 9, 12), (16, 1, 5, 5), (16,))]
    one, other = ([part.clone().requires_grad_() for part in parts] for _ in range(2))
    geometry = Geometry((2, 2), (0, 0), (1, 1), 16)
    plain = torch.relu(F.conv2d(pad(one[0], margins), *one[1:], *geometry))
    fused = fused_conv2d(*other, geometry, nn.ReLU(), margins)
    torch.testing.assert_close(fused, plain, rtol=1e-5, atol=1e-5)
    for y in (plain, fused):
        y.square().sum().backward()
    for a, b in zip(other, one, strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-5, atol=1e-4)


def test_a_padded_map_is_not_kept() -> None:
    """The layer before keeps it as it is: a second copy with zeros around would take its memory twice."""
    x = torch.ones(1, 16, 8, 8).contiguous(memory_format=torch.channels_last)
    weight = torch.ones(16, 1, 3, 3, requires_grad=True)
    kept: list[torch.Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda part: (kept.append(part), part)[1], lambda part: part):
        fused_conv2d(x, weight, torch.zeros(16), Geometry((2, 2), (0, 0), (1, 1), 16), nn.ReLU6(), Margins(0, 1, 0, 1))
    assert any(part.data_ptr() == x.data_ptr() for part in kept)
    assert not any(part.shape == (1, 16, 9, 9) for part in kept)


@pytest.mark.parametrize("size", [(7, 8), (8, 7), (1, 1)])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_same_margins_halve_a_map_rounded_up(size: tuple[int, int], kernel: int) -> None:
    x = torch.arange(2.0 * size[0] * size[1]).reshape(1, 2, *size)
    margins = same_margins(x, (kernel, kernel), (2, 2))
    padded = copied_into(x, margins)
    assert torch.equal(padded, pad(x, margins)) and torch.equal(without(padded, margins), x)
    assert 0 <= margins.right - margins.left <= 1 and 0 <= margins.bottom - margins.top <= 1
    assert [(side - kernel) // 2 + 1 for side in padded.shape[2:]] == [-(-side // 2) for side in size]


@pytest.mark.parametrize("dtype", [torch.float32, pytest.param(torch.bfloat16, marks=in_bfloat16)], ids=str)
@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet18"])
def test_a_backbone_gives_the_same(name: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the bit in bfloat16; in float32 torch has kernels of its own for a few small maps, whose sums differ."""
    torch.manual_seed(0)
    body = timm.create_model(name, features_only=True, out_indices=(2, 3, 4))
    fold_frozen_norms(body)
    body.to(memory_format=torch.channels_last)
    images = torch.rand(1, 3, 64, 96).contiguous(memory_format=torch.channels_last)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=dtype != torch.float32):
        fused = body(images)
        monkeypatch.setattr(frozen_norm, "fuses", lambda x, weight, activation: False)
        plain = body(images)
    assert fused[0].dtype == dtype
    room = 0 if dtype == torch.bfloat16 else 1e-4
    torch.testing.assert_close(fused, plain, rtol=room, atol=room)
