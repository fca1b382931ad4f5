"""Gradients by products are those of the plain convolution, and only where they are the quicker ones."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from focalcli.config import ClassInfo, model_config
from focalcli.detection import plain_conv, products
from focalcli.detection.geometry import Geometry
from focalcli.detection.plain_conv import PlainConv2d, train_quicker
from focalcli.detection.products import by_products, weight_gradient
from focalcli.detection.retinanet import build_retinanet

SAME = Geometry((1, 1), (1, 1), (1, 1), 1)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every processor for one of AVX2."""
    monkeypatch.setattr(products, "has_quick_products", lambda: True)


def random(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("side", [1, 3, 5])
@pytest.mark.parametrize(("channels", "outputs"), [(3, 40), (8, 5)])
@pytest.mark.parametrize("block", [1, 300, 1 << 19], ids=["a row a block", "some rows", "one block"])
@pytest.mark.parametrize("channels_last", [True, False])
def test_gradients_equal_conv2ds(
    side: int, channels: int, outputs: int, block: int, *, channels_last: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "_BLOCK", block)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    x = random(2, channels, 7, 4).contiguous(memory_format=layout)
    weight = random(outputs, channels, side, side).requires_grad_()
    seed = random(2, outputs, 7, 4).contiguous(memory_format=layout)
    F.conv2d(x, weight, None, 1, side // 2).backward(seed)
    torch.testing.assert_close(weight_gradient(seed, x, side), weight.grad, rtol=1e-12, atol=1e-12)


def test_a_gradient_worked_by_hand() -> None:
    x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    gradient = torch.tensor([[[[1.0, 0.0], [0.0, 10.0]]]])
    # Where the gradient is 1 the kernel saw 1 at its centre, where it is 10 it saw 4 there.
    expected = [[10.0, 20.0, 0.0], [30.0, 41.0, 2.0], [0.0, 3.0, 4.0]]
    assert weight_gradient(gradient, x, 3).tolist() == [[expected]]


def test_what_is_not_wanted_is_not_computed() -> None:
    conv = nn.Conv2d(2, 40, 3, padding=1)
    train_quicker(conv)
    conv.bias.requires_grad_(False)
    x = torch.ones(1, 2, 3, 3)
    conv(x).sum().backward()
    assert x.grad is None and conv.bias.grad is None and conv.weight.grad is not None
    conv.weight.requires_grad_(False)
    conv(x.requires_grad_()).sum().backward()
    assert x.grad is not None


@pytest.mark.parametrize(
    "geometry",
    [
        SAME._replace(stride=(2, 2)),
        SAME._replace(padding=(0, 0)),
        SAME._replace(dilation=(2, 2)),
        SAME._replace(groups=2),
    ],
)
def test_other_geometries_keep_torchs_way(geometry: Geometry) -> None:
    x, weight = torch.ones(1, 4, 8, 8), torch.ones(32, 4, 3, 3)
    assert by_products(x, weight, SAME) and not by_products(x, weight, geometry)


def test_what_is_slower_keeps_torchs_way() -> None:
    x, weight = torch.ones(1, 4, 8, 8), torch.ones(32, 4, 3, 3)
    assert not by_products(x, weight[:27], SAME) and not by_products(x.bfloat16(), weight, SAME)
    assert by_products(x, torch.ones(1, 4, 1, 1), SAME._replace(padding=(0, 0)))


@pytest.mark.parametrize("side", [1, 3, 5])
def test_a_layers_gradients_are_those_of_torch(side: int) -> None:
    plain = nn.Conv2d(8, 40, side, padding=side // 2)
    quick = copy.deepcopy(plain)
    train_quicker(quick)
    x = random(2, 8, 7, 4).float().contiguous(memory_format=torch.channels_last)
    found = []
    for conv in (plain, quick):
        conv(seen := x.clone().requires_grad_()).square().sum().backward()
        found.append((seen.grad, conv.weight.grad, conv.bias.grad))
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=1e-4)


def test_where_nothing_is_trained_and_under_autocast_torchs_way_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    conv, x = nn.Conv2d(2, 40, 3, padding=1), torch.ones(1, 2, 3, 3)
    train_quicker(conv)
    assert "_FusedConv2d" in type(conv(x).grad_fn).__name__
    monkeypatch.setattr(plain_conv, "fused_conv2d", None)  # who calls it fails
    with torch.no_grad():
        conv(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert conv(x).dtype == torch.bfloat16
    conv.weight.requires_grad_(False)
    conv(x)


def test_only_processors_that_were_measured_choose_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    for capability, quick in (("AVX2", True), ("AVX512", False), ("DEFAULT", False), ("NO AVX", False)):
        products.has_quick_products.cache_clear()
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda said=capability: said)
        assert products.has_quick_products() is quick
    products.has_quick_products.cache_clear()


def test_plain_convolutions_choose_and_others_stay() -> None:
    grouped = nn.Conv2d(4, 4, 3, padding=1, groups=2)
    network = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.Sequential(grouped))
    names, x = list(network.state_dict()), torch.ones(2, 3, 11, 14).contiguous(memory_format=torch.channels_last)
    before = network[0](x)
    train_quicker(network)
    assert list(network.state_dict()) == names and isinstance(network[0], PlainConv2d)
    assert torch.equal(network[0](x), before)
    reflecting = nn.Conv2d(3, 32, 3, padding=1, padding_mode="reflect")
    expected = reflecting(random(1, 3, 4, 4).float())
    train_quicker(reflecting)
    assert torch.equal(reflecting(random(1, 3, 4, 4).float()), expected)


def test_a_whole_networks_gradients_are_those_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = build_retinanet(model_config("tiny", (ClassInfo("a", 1), ClassInfo("b", 2))))
    images = torch.randint(0, 255, (2, 3, 64, 96), dtype=torch.uint8)
    found = []
    for quick in (True, False):
        monkeypatch.setattr(products, "has_quick_products", lambda quick=quick: quick)
        model.zero_grad(set_to_none=True)
        outputs = model(images)
        sum(level.square().mean() for levels in outputs for level in levels).backward()
        found.append({name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None})
    assert found[0].keys() == found[1].keys() and len(found[0]) > 20
    for name, gradient in found[0].items():
        scale = found[1][name].abs().max().item()
        torch.testing.assert_close(gradient, found[1][name], rtol=1e-4, atol=1e-5 * max(scale, 1e-6), msg=name)
