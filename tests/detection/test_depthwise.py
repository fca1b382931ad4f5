"""The fast gradients are those of the plain convolution, up to bfloat16 rounding."""

import pytest
import torch
from torch.nn import functional as F

from focalcli.detection.depthwise import depthwise_gradients, has_fast_gradients
from focalcli.detection.geometry import Geometry


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
@pytest.mark.parametrize(("stride", "size"), [(1, (12, 10)), (2, (13, 15)), (2, (12, 10))], ids=str)
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_gradients_equal_conv2ds(kernel: int, stride: int, size: tuple[int, int], padding: int) -> None:
    generator = torch.Generator().manual_seed(kernel * 10 + stride)
    x = torch.randn(2, 32, *size, generator=generator).contiguous(memory_format=torch.channels_last)
    weight, bias = torch.randn(32, 1, kernel, kernel, generator=generator), torch.randn(32, generator=generator)
    for part in (x, weight, bias):
        part.requires_grad_()
    y = F.conv2d(x, weight, bias, stride, padding, 1, 32)
    seed = torch.randn(y.shape, generator=generator).contiguous(memory_format=torch.channels_last)
    y.backward(seed)
    actual = depthwise_gradients(seed, x.detach(), weight.detach(), stride, padding=padding, wanted=[True] * 3)
    for gradient, part in zip(actual, (x, weight, bias), strict=True):
        torch.testing.assert_close(gradient, part.grad, rtol=1e-4, atol=1e-4)


def test_what_is_not_wanted_is_not_computed() -> None:
    x, weight = torch.ones(1, 16, 4, 4), torch.ones(16, 1, 3, 3)
    assert depthwise_gradients(x, x, weight, 1, padding=1, wanted=[False] * 3) == (None, None, None)


def test_a_gradient_worked_by_hand() -> None:
    """Two outputs in the row of a 5 x 5 kernel: each adds what it saw, so its x stands where the kernel met it."""
    x = torch.zeros(1, 16, 1, 6).contiguous(memory_format=torch.channels_last)
    x[..., 0, 5] = 3.0
    gradient = torch.zeros_like(x)
    gradient[..., 0, 3], gradient[..., 0, 4] = 1.0, 10.0
    weight = torch.zeros(16, 1, 5, 5)
    found = depthwise_gradients(gradient, x, weight, 1, padding=2, wanted=[False, True, False])[1]
    # Column 5 lies two to the right of output 3, and one of output 4.
    assert found is not None and found[7, 0].tolist() == [[0.0] * 5] * 2 + [[0, 0, 0, 30.0, 3.0]] + [[0.0] * 5] * 2


SAME = Geometry((1, 1), (2, 2), (1, 1), 32)


def test_only_a_kernel_a_channel_has_them() -> None:
    assert has_fast_gradients(torch.ones(32, 1, 5, 5), SAME)
    assert not has_fast_gradients(torch.ones(32, 2, 5, 5), SAME._replace(groups=16))
    assert not has_fast_gradients(torch.ones(1, 1, 5, 5), SAME._replace(groups=1))
    assert not has_fast_gradients(torch.ones(24, 1, 3, 3), SAME._replace(groups=24))


@pytest.mark.parametrize(
    "geometry", [SAME._replace(stride=(3, 3)), SAME._replace(dilation=(2, 2)), SAME._replace(padding=(2, 1))]
)
def test_other_geometries_keep_torchs_way(geometry: Geometry) -> None:
    assert not has_fast_gradients(torch.ones(32, 1, 5, 5), geometry)
    assert not has_fast_gradients(torch.ones(32, 1, 4, 4), SAME)
    assert not has_fast_gradients(torch.ones(32, 1, 5, 3), SAME)
