"""`--batch auto`: how many photos at once are fastest here, measured on the largest input.

A step keeps its photos; only how many of them go through the network together is chosen, and gradients are summed. Real
steps are taken with a network that is thrown away.
"""

import time
from collections.abc import Callable
from dataclasses import replace

import msgspec
import torch

from focalcli.detection.devices import free_memory
from focalcli.detection.targets import pad_objects
from focalcli.errors import is_out_of_memory
from focalcli.ranks.world import World
from focalcli.train_config import TrainConfig
from focalcli.training.loop import Training, begin
from focalcli.training.memory import largest_input, splits
from focalcli.training.prepare import Plan
from focalcli.training.samples import Batch

_SECONDS = 30.0  # after which no larger batch is tried
_AT_LEAST = 1.0  # seconds of steps that give a rate
_WORTH = 1.05  # times as fast as the best so far; less is no reason to take more memory
_OBJECTS = 8  # of a photo


def with_batch(plan: Plan, world: World, say: Callable[[str], None]) -> Plan:
    """Give the plan with the batch that `auto` stands for here, the same on all ranks; else the plan as it is.

    Raises what `loop.begin` raises.
    """
    if plan.config.batch != "auto":
        return plan
    whole = msgspec.structs.replace(plan.config, batch=TrainConfig().photos)
    photos = whole.photos * whole.accumulate
    batch = world.from_first(lambda: _fastest(replace(plan, config=whole), world.device, say))
    _give_back(world.device)
    config = msgspec.structs.replace(whole, batch=batch, accumulate=photos // batch)
    return replace(plan, config=config)


def _fastest(plan: Plan, device: torch.device, say: Callable[[str], None]) -> int:
    """Measure ever larger batches that split a step; give the fastest that fits."""
    config = plan.config
    photos = config.photos * config.accumulate
    training = begin(plan, World(0, 1, device))
    memories = {batch: training.memory(batch) for batch in reversed(splits(config, most=photos))}
    began, best, fastest = time.perf_counter(), 0.0, 1
    for batch, memory in memories.items():
        rate = _rate(training, batch) if memory.fits else None
        if rate is None:
            say(f"batch auto: {memory}: too much")
            break
        say(f"batch auto: {memory}: {rate:.2f} photos/s")
        if rate > best * _WORTH:
            best, fastest = rate, batch
        elif device.type == "cpu":
            break
        if time.perf_counter() - began > _SECONDS:
            break
    say(f"batch auto: that is --batch {fastest} --accumulate {photos // fastest}, steps of {photos} photos")
    return fastest


def _rate(training: Training, batch: int) -> float | None:
    """Give the photos a second of whole steps; None where memory runs out. The first step is for caches and kernels."""
    photos = _made_up(batch, largest_input(training.plan))
    try:
        training.stepper.run([photos])
        began, steps = _now(training), 0
        while (elapsed := _now(training) - began) < _AT_LEAST:
            training.stepper.run([photos])
            steps += 1
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            return None
        raise
    return steps * batch / elapsed


def _made_up(count: int, size: tuple[int, int]) -> Batch:
    """Give a batch of noise with objects of a quarter of the size."""
    generator = torch.Generator().manual_seed(0)
    height, width = size
    images = torch.randint(0, 256, (count, height, width, 3), dtype=torch.uint8, generator=generator)
    corners = torch.rand(count, _OBJECTS, 2, generator=generator) * torch.tensor([width, height]) * 0.75
    boxes = torch.cat([corners, corners + torch.tensor([width, height]) / 4], dim=2)
    objects = pad_objects(list(boxes), [torch.zeros(_OBJECTS, dtype=torch.long)] * count)
    return Batch(images.permute(0, 3, 1, 2), objects, torch.arange(count))


def _now(training: Training) -> float:
    """Give the time at which the device has done all that it was asked."""
    if training.world.device.type == "cuda":
        torch.cuda.synchronize(training.world.device)
    return time.perf_counter()


def _give_back(device: torch.device) -> None:
    """Let the training begin without what the measuring held: an empty GPU, and its peak with zero."""
    free_memory()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
