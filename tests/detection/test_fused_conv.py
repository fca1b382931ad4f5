"""One pass gives what convolution and activation give one after the other, to the bit; gradients likewise."""

import pytest
import timm
import torch
from torch import nn
from torch.nn import functional as F

from focalcli.detection import frozen_norm
from focalcli.detection.frozen_norm import fold_frozen_norms
from focalcli.detection.fused_conv import Geometry, fused_conv2d, fuses, has_one_pass

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


def test_float32_and_other_activations_take_the_plain_layers() -> None:
    half = torch.zeros(1, 16, 4, 4, dtype=torch.bfloat16)
    assert fuses(half, nn.ReLU6()) == has_one_pass(torch.bfloat16)
    assert not fuses(half.float(), nn.ReLU6()) and not fuses(half, nn.SiLU())


@in_bfloat16
@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet18"])
def test_a_backbone_gives_the_same_bits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    body = timm.create_model(name, features_only=True, out_indices=(2, 3, 4))
    fold_frozen_norms(body)
    body.to(memory_format=torch.channels_last)
    images = torch.rand(1, 3, 64, 96).contiguous(memory_format=torch.channels_last)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        fused = body(images)
        monkeypatch.setattr(frozen_norm, "fuses", lambda x, activation: False)
        plain = body(images)
    assert fused[0].dtype == torch.bfloat16
    assert all(torch.equal(a, b) for a, b in zip(fused, plain, strict=True))
