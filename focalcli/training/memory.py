"""How much memory a training takes at most, worked out before its first step, where nothing is computed.

The network is run forward on tensors that have a shape and no content, and what it keeps for its gradient is added up.
So the answer holds for any network, number format and part that is not trained, and takes no memory itself.
"""

import weakref
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from focalcli.images.fit import Fit
from focalcli.train_config import TrainConfig
from focalcli.training.device_memory import available_memory, held_memory, in_words
from focalcli.training.prepare import Plan, scales
from focalcli.training.step import Stepper

# What kernels take, in parts of the activations, with photos of one shape. Measured on a CPU (lite0, 8 photos of
# 256 x 352 to 544 x 672, the peak of a process over two steps): 0.55 to 0.7 in bfloat16, 0.1 to 0.37 in float32.
ON_CPU = {torch.bfloat16: 0.6, torch.float16: 0.6, torch.float32: 0.35}
# Photos of many shapes leave gaps in the heap besides; `kept_memory.py` gives back what grows beyond this.
_GAPS = 768 << 20
_ON_GPU = 0.1


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that a training holds at most on one device, by what they are for, with batches of `photos`.

    `workspace` is what kernels and the allocator take for themselves, by rule of thumb; `process` what the process
    holds besides, on a CPU; `available` what it can have in all.
    """

    photos: int
    input_size: tuple[int, int]
    weights: int
    gradients: int
    optimizer: int
    average: int
    activations: int
    workspace: int
    process: int
    available: int

    @property
    def needed(self) -> int:
        """Give the sum: all of it at once, which is a little more than there is at any time."""
        kept = self.weights + self.gradients + self.optimizer + self.average
        return kept + self.activations + self.workspace + self.process

    @property
    def fits(self) -> bool:
        """Say whether there is as much."""
        return self.needed <= self.available

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, with the sum."""
        return {**asdict(self), "needed": self.needed, "fits": self.fits}

    def __str__(self) -> str:
        """Say it in one clause."""
        height, width = self.input_size
        count = f"{self.photos} photo{'s' * (self.photos > 1)} of {height} x {width}"
        return f"{count} need about {in_words(self.needed)} of {in_words(self.available)}"


def estimate(plan: Plan, stepper: Stepper, photos: int) -> Memory:
    """Work out what a training holds with batches of so many photos, at the largest input.

    Ranks without a GPU each are taken to share one machine.
    """
    config, model, device = plan.config, stepper.model, stepper.world.device
    alone = device.type == "cuda"
    weights = _bytes([*model.parameters(), *model.buffers()])
    trained = _bytes(parameter for parameter in model.parameters() if parameter.requires_grad)
    average = weights if config.ema else 0
    size = largest_input(plan)
    activations = _activations(stepper, photos, size)
    return Memory(
        photos,
        size,
        weights=weights,
        gradients=trained,
        optimizer=trained * {"adamw": 2, "sgd": 1}[config.optimizer],
        average=average,
        activations=activations,
        workspace=int(activations * _ON_GPU) if alone else int(activations * ON_CPU[stepper.precision]) + _GAPS,
        process=0 if alone else max(held_memory() - weights - average, 0),
        available=available_memory(device) // (1 if alone else stepper.world.size),
    )


def largest_input(plan: Plan) -> tuple[int, int]:
    """Give the largest (height, width) that a batch can have; a crop may have any shape that Fit allows."""
    fit = Fit.of(plan.model).scaled(max(scales(plan.model.fit, plan.config.multi_scale)))
    if plan.config.augment != "none":
        return fit.rounded_up((fit.max_size, fit.max_size))
    shapes = [fit.padded_shape((image.height, image.width)) for image in plan.train.images]
    return max(height for height, _ in shapes), max(width for _, width in shapes)


def describe(found: Memory, config: TrainConfig, memory: Callable[[int], Memory]) -> str:
    """Say what is needed and what is there; a warning where it is too much, with the flags that help.

    `memory` gives what batches of so many photos need.
    """
    if found.fits:
        return f"memory: {found}"
    return f"warning: memory: {found}; {remedy(config, memory, most=config.photos - 1)}"


def remedy(config: TrainConfig, memory: Callable[[int], Memory], *, most: int) -> str:
    """Give the flags by which the same steps fit, in batches of `most` photos or fewer, with what they need."""
    for photos in splits(config, most):
        smaller = memory(photos)
        if smaller.fits:
            flags = f"--batch {photos} --accumulate {config.photos * config.accumulate // photos}"
            return f"{flags} takes the same steps in about {in_words(smaller.needed)}, with --resume too"
    return "use a smaller --min-size or --preset"


def splits(config: TrainConfig, most: int) -> list[int]:
    """Give the batches of `most` photos or fewer into which the photos of a step can be split, the largest first.

    >>> splits(TrainConfig(batch=8), most=7), splits(TrainConfig(batch=3, accumulate=2), most=1)
    ([4, 2, 1], [1])
    """
    return [size for size in range(most, 0, -1) if config.photos * config.accumulate % size == 0]


def _activations(stepper: Stepper, photos: int, size: tuple[int, int]) -> int:
    """Give what the forward pass keeps and the gradient of its answers, with which the backward pass begins."""
    model = stepper.model
    living = _Living([*model.parameters(), *model.buffers()])
    with FakeTensorMode(allow_non_fake_inputs=True), living, stepper.autocast():
        images = torch.empty(photos, 3, *size, dtype=torch.uint8, device=stepper.world.device)
        outputs = model(images)
        answers = _bytes(level for levels in outputs for level in levels)
        return max(living.most, living.now + answers)


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(int(tensor.nbytes) for tensor in tensors)


class _Living(TorchDispatchMode):
    """Adds up the memory of all tensors that are made and not yet gone."""

    def __init__(self, known: Iterable[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.most = 0
        self._seen = {tensor.untyped_storage()._cdata for tensor in known}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        address, size = storage._cdata, storage.nbytes()
        if address in self._seen:
            return
        self._seen.add(address)
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._forget, address, size).atexit = False

    def _forget(self, address: int, size: int) -> None:
        self._seen.discard(address)
        self.now -= size
