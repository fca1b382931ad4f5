"""The law of the step: how photos are split into batches changes neither loss nor gradient."""

from collections import Counter

import torch
from torch.utils._python_dispatch import TorchDispatchMode

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


class Waits(TorchDispatchMode):
    """Counts what would make the processor wait for a GPU: numbers read one by one, and results of unknown size."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[str] = Counter()

    def __torch_dispatch__(self, func: object, types: object, args: tuple = (), kwargs: dict | None = None) -> object:
        name = func.overloadpacket._qualified_op_name.removeprefix("aten::")
        masks = name in ("index", "index_put", "index_put_") and any(
            i is not None and i.dtype == torch.bool for i in args[1]
        )
        if masks or name in ("_local_scalar_dense", "nonzero", "masked_select", "equal"):
            self.seen["mask" if masks else name] += 1
        return func(*args, **(kwargs or {}))


def test_a_step_waits_for_its_device_where_it_must_only() -> None:
    """Reading numbers: none in the step, which reads all five at once at its end (`tolist` is one copy).

    The rest has results whose size only the device knows, and stays: `nonzero` finds the positives once (`targets`) and
    the rows that are no background once a level (`one_pass`), whose masks then take the rows with an object.
    """
    torch.manual_seed(0)
    model = build_retinanet(model_config("lite0", CLASSES)).train()
    stepper = Stepper(model, build_optimizer(model.parameters(), TrainConfig()), ALONE, torch.float32, clip_norm=10)
    images, boxes, classes = photos(4)
    batch = Batch(images, pad_objects(boxes, classes), torch.arange(4))
    with Waits() as waits:
        objects = pad_objects(boxes, classes)
        targets = stepper._targets(batch, objects)
    assert waits.seen["nonzero"] == 1 and not waits.seen["mask"] and not waits.seen["masked_select"]
    with Waits() as waits:
        stepper._clipped_norm()
        stepper._update()
    assert not waits.seen and len(targets.positives)
    with Waits() as waits:
        stepper.run([batch])
    assert waits.seen["nonzero"] == 1 + len(model.config.anchors.sizes)
    assert waits.seen["masked_select"] == waits.seen["equal"] == 0
    on_the_processor_only = 1 + 2 + len(model.config.anchors.sizes)  # `match`, `check_targets`, `background_in_blocks`
    assert waits.seen["_local_scalar_dense"] <= on_the_processor_only
