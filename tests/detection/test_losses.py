"""The loss of a training step: hand-worked values, laws, gradients, and what it does with bad input."""

import math

import pytest
import torch

from focalcli.config import LossConfig
from focalcli.detection.formulas import anchor_losses
from focalcli.detection.losses import classification_loss
from focalcli.errors import ConfigError, DataError

KINDS = ["focal", "focal-star", "balanced-ce", "ce", "ohem", "quality-focal", "varifocal"]
SMOOTHED = [(kind, s) for kind in KINDS for s in (0.0, 0.1) if s == 0 or kind not in ("quality-focal", "varifocal")]


def config(kind: str = "focal", **fields: object) -> LossConfig:
    return LossConfig(kind=kind, **fields)  # type: ignore[arg-type]


def batch(dtype: torch.dtype = torch.float64) -> tuple[list[torch.Tensor], torch.Tensor, torch.Tensor]:
    """Two images, two levels of 6 and 3 anchors, 4 classes; objects, background and ignored anchors among them."""
    generator = torch.Generator().manual_seed(5)
    logits = [torch.randn(2, r, 4, generator=generator, dtype=torch.float64) * 3 - 1 for r in (6, 3)]
    targets = torch.tensor([[0, -1, -1, -2, 3, -1, -1, 2, -1], [-1, -1, -2, -1, -1, -1, 1, -1, -2]])
    quality = torch.rand(2, 9, generator=generator, dtype=torch.float64)
    return [x.to(dtype).requires_grad_() for x in logits], targets, quality


def plain(logits: list[torch.Tensor], targets: torch.Tensor, loss: LossConfig, quality: torch.Tensor) -> torch.Tensor:
    x, kept = torch.cat(logits, dim=1), targets != -2
    return anchor_losses(x[kept], targets[kept], loss, quality[kept]).sum()


@pytest.mark.parametrize("kind", KINDS)
def test_no_anchors_cost_nothing(kind: str) -> None:
    x = torch.zeros(2, 0, 3, requires_grad=True)
    loss = classification_loss([x], torch.zeros(2, 0, dtype=torch.long), config(kind))
    loss.backward()
    assert loss == 0 and x.grad is not None and x.grad.shape == (2, 0, 3)


def test_one_logit_by_hand() -> None:
    """p = .9 for the object: .25 * .1^2 * -ln(.9); p = .9 for background: .75 * .9^2 * -ln(.1)."""
    x = torch.full((1, 1, 1), math.log(9))
    own = classification_loss([x], torch.tensor([[0]]), config())
    other = classification_loss([x], torch.tensor([[-1]]), config())
    assert own.item() == pytest.approx(0.25 * 0.01 * -math.log(0.9), rel=1e-6)
    assert other.item() == pytest.approx(0.75 * 0.81 * -math.log(0.1), rel=1e-6)


@pytest.mark.parametrize(("p", "factor"), [(0.9, 100), (0.968, 1000)])
def test_easy_examples_are_quieted_as_the_paper_says(p: float, factor: float) -> None:
    x = torch.full((1, 1, 1), math.log(p / (1 - p)), dtype=torch.float64)
    focal, entropy = (
        classification_loss([x], torch.tensor([[0]]), config(alpha=None, gamma=gamma)) for gamma in (2.0, 0.0)
    )
    assert (entropy / focal).item() == pytest.approx(factor, rel=0.03)


def test_focal_star_by_hand() -> None:
    """x = 1 at the object, gamma 2, beta 1: -ln(sigmoid(3)) / 2, times alpha."""
    loss = classification_loss([torch.ones(1, 1, 1)], torch.tensor([[0]]), config("focal-star", beta=1.0))
    assert loss.item() == pytest.approx(0.25 * math.log(1 + math.exp(-3)) / 2, rel=1e-6)


def test_gamma_zero_without_alpha_is_cross_entropy_gradient_included() -> None:
    logits, targets, _ = batch()
    classification_loss(logits, targets, config(alpha=None, gamma=0.0)).backward()
    copies = [x.detach().clone().requires_grad_() for x in logits]
    x, kept = torch.cat(copies, dim=1), targets != -2
    one_hot = (targets[..., None] == torch.arange(4)).double()
    expected = torch.nn.functional.binary_cross_entropy_with_logits(x[kept], one_hot[kept], reduction="sum")
    expected.backward()
    for ours, theirs in zip(logits, copies, strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 3.3])
@pytest.mark.parametrize(("kind", "smoothing"), [pair for pair in SMOOTHED if pair[0] != "ohem"])
def test_one_pass_is_the_plain_formula(kind: str, gamma: float, smoothing: float) -> None:
    gamma = max(gamma, 0.1) if kind == "focal-star" else gamma
    loss = config(kind, gamma=gamma, label_smoothing=smoothing)
    logits, targets, quality = batch(torch.float32)
    value = classification_loss(logits, targets, loss, quality)
    (value * 0.37).backward()
    exact = [x.detach().double().requires_grad_() for x in logits]
    expected = plain(exact, targets, loss, quality)
    (expected * 0.37).backward()
    assert value.item() == pytest.approx(expected.item(), rel=1e-6)
    for ours, theirs in zip(logits, exact, strict=True):
        torch.testing.assert_close(ours.grad.double(), theirs.grad, rtol=2e-6, atol=2e-7)


@pytest.mark.parametrize(("kind", "smoothing"), SMOOTHED)
def test_gradcheck(kind: str, smoothing: float) -> None:
    logits, targets, quality = batch()
    loss = config(kind, label_smoothing=smoothing, ohem_examples=4)
    assert torch.autograd.gradcheck(lambda *x: classification_loss(x, targets, loss, quality), tuple(logits))


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, targets, _ = batch()
    whole = classification_loss(logits, targets, config())
    monkeypatch.setattr("focalcli.detection.focal_blocks.BLOCK", 8)
    blocks = classification_loss(logits, targets, config())
    assert blocks.item() == pytest.approx(whole.item(), rel=1e-15)


def test_images_and_levels_add_up() -> None:
    logits, targets, _ = batch()
    whole = classification_loss(logits, targets, config())
    alone = [classification_loss([x[i : i + 1] for x in logits], targets[i : i + 1], config()) for i in range(2)]
    first = classification_loss(logits[:1], targets[:, :6], config())
    second = classification_loss(logits[1:], targets[:, 6:], config())
    torch.testing.assert_close(sum(alone), whole)
    torch.testing.assert_close(first + second, whole)


def test_ignored_anchors_cost_nothing_whatever_their_logits() -> None:
    logits, targets, _ = batch(torch.float32)
    before = classification_loss(logits, targets, config())
    with torch.no_grad():
        logits[0][0, 3] = torch.tensor([1e4, math.inf, -math.inf, math.nan])
    after = classification_loss(logits, targets, config())
    after.backward()
    assert before == after
    assert logits[0].grad is not None and torch.equal(logits[0].grad[0, 3], torch.zeros(4))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [100.0, 1000.0])
def test_extreme_logits_in_bfloat16_stay_finite(kind: str, size: float) -> None:
    x = torch.tensor([[[size, -size], [size, -size], [-size, size]]], dtype=torch.bfloat16, requires_grad=True)
    loss = classification_loss([x], torch.tensor([[0, -1, 0]]), config(kind))
    loss.backward()
    assert torch.isfinite(loss) and x.grad is not None and torch.isfinite(x.grad).all()
    assert loss.dtype == torch.float32 and x.grad.dtype == torch.bfloat16


def test_a_confident_mistake_costs_its_logit() -> None:
    """Cross-entropy of background at x = 100 is 100, gradient 1: nothing is lost where sigmoid rounds to 1."""
    for size in (50.0, 90.0, 100.0, 120.0, 5000.0):
        x = torch.full((1, 1, 1), size, requires_grad=True)
        loss = classification_loss([x], torch.tensor([[-1]]), config("ce"))
        loss.backward()
        assert loss.item() == pytest.approx(size, rel=1e-6) and x.grad.item() == pytest.approx(1, rel=1e-6)


def test_half_precision_is_computed_in_float32() -> None:
    """The only difference to float32 logits of the same values is the rounding of the gradient."""
    logits, targets, _ = batch(torch.bfloat16)
    wide = [x.detach().float().requires_grad_() for x in logits]
    loss, expected = (classification_loss(x, targets, config()) for x in (logits, wide))
    (loss * 3).backward()
    (expected * 3).backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    for half, full in zip(logits, wide, strict=True):
        torch.testing.assert_close(half.grad.float(), full.grad, rtol=2**-7, atol=0)


def test_a_second_backward_gives_the_same_and_adds() -> None:
    logits, targets, _ = batch()
    loss = classification_loss(logits, targets, config())
    loss.backward(retain_graph=True)
    once = [x.grad.clone() for x in logits]
    loss.backward()
    for x, first in zip(logits, once, strict=True):
        torch.testing.assert_close(x.grad, 2 * first)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("kind", ["focal", "quality-focal", "ohem"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_last_use_of_logits_gives_the_same_in_their_memory(kind: str, smoothing: float, dtype: torch.dtype) -> None:
    logits, targets, quality = batch(dtype)
    logits[0].data.view(-1)[3] = 200  # where sigmoid(-x) is 0
    loss = config(kind, label_smoothing=0.0 if kind == "quality-focal" else smoothing)
    found, in_place = [], []
    for last_use in (False, True):
        parts = [x.detach().clone().requires_grad_() for x in logits]
        used = [x * 1 for x in parts]
        for x, place in [(x, x.data_ptr()) for x in used]:
            x.register_hook(lambda gradient, place=place: in_place.append(gradient.data_ptr() == place))
        value = classification_loss(used, targets, loss, quality, last_use=last_use)
        value.backward()
        found.append([value, *(x.grad for x in parts)])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    assert in_place == [False] * 2 + [not loss.label_smoothing] * 2


def test_large_gradients_lie_in_memory_of_their_own() -> None:
    """From 16 MiB on the gradient's pages come from the system directly; values are the same."""
    x = torch.zeros(1, 600_000, 8, requires_grad=True)
    classification_loss([x], torch.full((1, 600_000), -1), config("ce")).backward()
    assert x.grad is not None and x.grad.shape == x.shape
    assert float(x.grad.min()) == pytest.approx(0.5) and float(x.grad.max()) == pytest.approx(0.5)


def test_ohem_takes_the_hardest_anchors() -> None:
    """Losses of background by hand rise with the logit; of five anchors the two hardest count."""
    x = torch.tensor([[[-3.0], [2.0], [0.0], [1.0], [-1.0]]])
    targets = torch.full((1, 5), -1)
    loss = classification_loss([x], targets, config("ohem", ohem_examples=2))
    assert loss.item() == pytest.approx(math.log1p(math.exp(2)) + math.log1p(math.exp(1)), rel=1e-6)


def test_ohem_suppresses_neighbours() -> None:
    """Anchor 3 covers anchor 1, which is harder: anchor 2 takes its place."""
    x = torch.tensor([[[-3.0], [2.0], [0.0], [1.0], [-1.0]]])
    anchors = torch.tensor([[0, 0, 9, 9], [10, 0, 20, 10], [30, 0, 40, 10], [10, 1, 20, 11], [50, 0, 60, 10]]).float()
    loss = classification_loss([x], torch.full((1, 5), -1), config("ohem", ohem_examples=2), anchors=anchors)
    assert loss.item() == pytest.approx(math.log1p(math.exp(2)) + math.log(2), rel=1e-6)


def test_balanced_ohem_takes_three_of_background_to_one_object() -> None:
    x = torch.zeros(1, 12, 1)
    x[0, :, 0] = torch.arange(12) / 10
    targets = torch.full((1, 12), -1)
    targets[0, :2] = 0
    loss = classification_loss([x], targets, config("ohem", ohem_examples=4, ohem_balanced=True))
    hardest = [-0.0, 1.1, 1.0, 0.9]  # the object at 0 is the harder one: its wrong side is -x
    assert loss.item() == pytest.approx(sum(math.log1p(math.exp(z)) for z in hardest), rel=1e-6)


def test_nan_logits_give_a_nan_loss() -> None:
    x = torch.full((1, 2, 2), math.nan)
    assert torch.isnan(classification_loss([x], torch.tensor([[-1, 0]]), config()))


@pytest.mark.parametrize("label", [5, -3])
def test_a_label_that_is_no_class_is_refused(label: int) -> None:
    with pytest.raises(DataError, match=f"targets: class index {label}, but the logits have 5 classes"):
        classification_loss([torch.zeros(1, 1, 5)], torch.tensor([[label]]), config())


def test_settings_that_contradict_each_other_are_refused() -> None:
    x, targets = [torch.zeros(1, 1, 1)], torch.tensor([[0]])
    with pytest.raises(ConfigError, match="focal-star divides by gamma, which is 0"):
        classification_loss(x, targets, config("focal-star", gamma=0.0))
    with pytest.raises(ConfigError, match="varifocal has soft targets already"):
        classification_loss(x, targets, config("varifocal", label_smoothing=0.1))
