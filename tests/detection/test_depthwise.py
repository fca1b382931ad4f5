"""The fast gradients are those of the plain convolution, up to bfloat16 rounding."""

import pytest
import torch
from torch.nn import functional as F

from focalcli.detection.depthwise import _Depthwise, depthwise_conv2d


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize(("stride", "size"), [(1, (12, 10)), (2, (13, 15)), (2, (12, 10))], ids=str)
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_gradients_equal_conv2ds(kernel: int, stride: int, size: tuple[int, int], padding: int) -> None:
    generator = torch.Generator().manual_seed(kernel * 10 + stride)
    x = torch.randn(2, 32, *size, generator=generator).contiguous(memory_format=torch.channels_last)
    weight, bias = torch.randn(32, 1, kernel, kernel, generator=generator), torch.randn(32, generator=generator)
    expected = [t.clone().requires_grad_() for t in (x, weight, bias)]
    actual = [t.clone().requires_grad_() for t in (x, weight, bias)]
    one = F.conv2d(*expected, stride, padding, 1, 32)
    other = _Depthwise.apply(*actual, stride, padding)
    torch.testing.assert_close(other, one)
    seed = torch.randn(one.shape, generator=generator)
    one.backward(seed)
    other.backward(seed)
    for a, b in zip(actual, expected, strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-4)


def test_bfloat16_takes_the_fast_path_and_float32_the_plain_one() -> None:
    weight, bias = torch.randn(32, 1, 5, 5, requires_grad=True), torch.zeros(32)
    x = torch.randn(1, 32, 8, 8)
    assert "Convolution" in type(depthwise_conv2d(x, weight, bias, 1, 2).grad_fn).__name__
    half = depthwise_conv2d(x.bfloat16(), weight.bfloat16(), bias.bfloat16(), 1, 2)
    assert "_Depthwise" in type(half.grad_fn).__name__
