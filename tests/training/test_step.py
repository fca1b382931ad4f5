"""The law of the step: how photos are split into batches changes neither loss nor gradient."""

import torch

from focalcli.config import ClassInfo, model_config
from focalcli.detection.retinanet import build_retinanet
from focalcli.detection.targets import pad_objects
from focalcli.ranks.world import World
from focalcli.train_config import TrainConfig
from focalcli.training.samples import Batch
from focalcli.training.schedule import build_optimizer
from focalcli.training.step import StepLosses, Stepper

CLASSES = tuple(ClassInfo(name, i) for i, name in enumerate("abc"))


ALONE = World(0, 1, torch.device("cpu"))


def photos(count: int) -> tuple[torch.Tensor, list[torch.Tensor], list[torch.Tensor]]:
    """Give photos with 0, 1, 2... objects."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 255, (count, 3, 64, 64), dtype=torch.uint8, generator=generator)
    boxes, classes = [], []
    for n in range(count):
        corner = torch.rand(n, 2, generator=generator) * 30
        boxes.append(torch.cat([corner, corner + 10 + torch.rand(n, 2, generator=generator) * 20], 1))
        classes.append(torch.randint(0, 3, (n,), generator=generator))
    return images, boxes, classes


def run(*splits: list[int], world: World = ALONE) -> tuple[StepLosses, torch.Tensor]:
    """Take one step on four photos split as given; give losses and the gradient of the heads."""
    torch.manual_seed(0)
    model = build_retinanet(model_config("lite0", CLASSES)).train()
    optimizer = build_optimizer(model.parameters(), TrainConfig())
    stepper = Stepper(model, optimizer, world, torch.float32, clip_norm=0)
    images, boxes, classes = photos(4)
    batches = [
        Batch(images[part], pad_objects([boxes[i] for i in part], [classes[i] for i in part]), torch.tensor(part))
        for part in splits
    ]
    done = stepper.run(batches)
    gradients = [p.grad.flatten() for p in model.head.parameters() if p.grad is not None]
    return done, torch.cat([torch.zeros(0), *gradients])


def test_losses_and_gradients_do_not_depend_on_the_split() -> None:
    whole, gradient = run([0, 1, 2, 3])
    assert whole.positives > 0
    for splits in ([[0, 1], [2, 3]], [[3], [0, 1, 2]], [[0], [1], [2], [3]], [[0, 1, 2, 3], []]):
        parts, other = run(*splits)
        assert parts.positives == whole.positives and parts.forced == whole.forced
        assert abs(parts.total - whole.total) < 1e-5 * whole.total
        assert (other - gradient).norm() < 1e-5 * gradient.norm()


def test_photos_without_objects_train_too() -> None:
    """No positive anchor: the normaliser is 1, the box loss 0, the gradient finite and not 0."""
    done, gradient = run([0])
    assert done.positives == 0 and done.box == 0 and done.classification > 0
    assert gradient.isfinite().all() and gradient.abs().sum() > 0


def test_a_step_without_any_photo_changes_nothing() -> None:
    done, gradient = run([])
    assert done.total == 0 and gradient.numel() == 0


def test_hundreds_of_objects_train() -> None:
    torch.manual_seed(0)
    model = build_retinanet(model_config("lite0", CLASSES)).train()
    stepper = Stepper(
        model, build_optimizer(model.parameters(), TrainConfig()), World(0, 1, torch.device("cpu")), torch.float32, 0
    )
    corner = torch.rand(700, 2) * 200
    objects = pad_objects([torch.cat([corner, corner + 8], 1)], [torch.zeros(700, dtype=torch.long)])
    done = stepper.run([Batch(torch.zeros(1, 3, 224, 224, dtype=torch.uint8), objects, torch.tensor([0]))])
    assert done.positives >= 100 and done.forced > 0 and done.total == done.total
