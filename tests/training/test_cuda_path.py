"""The CUDA path where there is no GPU: fake cuda tensors refuse to meet tensors of another device."""

from collections.abc import Iterator

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import ShapeEnv

from focalcli.config import ClassInfo, LossConfig, model_config
from focalcli.detection.anchors import pyramid_anchors
from focalcli.detection.formulas import anchor_losses
from focalcli.detection.frozen_norm import fold_frozen_norms
from focalcli.detection.postprocess import candidates, thresholds_of
from focalcli.detection.retinanet import RetinaNet
from focalcli.detection.targets import Objects, build_targets
from focalcli.training import step

SIZE = (64, 96)
CUDA = torch.device("cuda")

pytestmark = pytest.mark.skipif(
    torch.__version__ < (2, 10) and not torch.cuda.is_available(),
    reason="before 2.10 torch asks for a CUDA driver even where tensors are fake",
)


@pytest.fixture(scope="module")
def mode() -> Iterator[FakeTensorMode]:
    yield FakeTensorMode(shape_env=ShapeEnv(), allow_non_fake_inputs=False)


@pytest.fixture(scope="module")
def model(mode: FakeTensorMode) -> RetinaNet:
    config = model_config("lite0", (ClassInfo("a", 1), ClassInfo("b", 2)))
    with mode, CUDA:
        model = RetinaNet(config)  # without the change of memory format, which fake parameters refuse
        fold_frozen_norms(model.backbone.body)
        # Made on the CPU always; `model.to(device)` takes them along, but cannot move fake parameters.
        model.mean, model.scale = model.mean.to(CUDA), model.scale.to(CUDA)
        return model


def cuda_anchors(model: RetinaNet) -> list[torch.Tensor]:
    return [level.to(CUDA) for level in pyramid_anchors(model.config.anchors, SIZE)]


def by_formula(
    logits: list[torch.Tensor],
    targets: torch.Tensor,
    config: LossConfig,
    quality: None,
    anchors: torch.Tensor,
    *,
    last_use: bool,
) -> torch.Tensor:
    """Stand for the one-pass loss, which takes its gradient at once: fake tensors have no backward pass on a GPU."""
    joined = torch.cat(logits, 1).float().flatten(0, 1)
    return anchor_losses(joined, targets.flatten(), config, quality).sum()


def test_a_training_step_stays_on_its_device(
    mode: FakeTensorMode, model: RetinaNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step, "classification_loss", by_formula)
    with mode:
        images = torch.zeros(2, 3, *SIZE, dtype=torch.uint8, device=CUDA)
        objects = Objects(
            torch.rand(2, 5, 4, device=CUDA),
            torch.zeros(2, 5, dtype=torch.long, device=CUDA),
            torch.ones(2, 5, dtype=torch.bool, device=CUDA),
        )
        outputs = model(images)
        targets = build_targets(objects, torch.cat(cuda_anchors(model)), model.config.loss)
        parts = step.losses(outputs, targets, model.config.loss, torch.cat(cuda_anchors(model)))
    assert parts.shape == (2,) and parts.device.type == "cuda"


def test_a_detection_step_stays_on_its_device(mode: FakeTensorMode, model: RetinaNet) -> None:
    with mode, torch.no_grad():
        outputs = model(torch.zeros(2, 3, *SIZE, dtype=torch.uint8, device=CUDA))
        post = model.config.postprocess
        found = candidates(outputs, cuda_anchors(model), per_level=post.candidates, temperature=post.temperature)
        passing = found.scores > thresholds_of(found.classes, post)
    assert found.boxes.device.type == passing.device.type == "cuda"
