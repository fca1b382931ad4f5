"""The ranks that train together. One process is a world of one; torchrun's environment makes a larger one.

The only module that reads the environment. Everything else asks `World`.
"""

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from focalcli.detection.devices import pick_device
from focalcli.errors import ConfigError


@dataclass(frozen=True, slots=True)
class World:
    """This process's place: `rank` of `size`, and the device it computes on."""

    rank: int
    size: int
    device: torch.device

    @property
    def speaks(self) -> bool:
        """Say whether this rank talks and writes; only rank 0 does."""
        return self.rank == 0

    def sum(self, value: Tensor) -> Tensor:
        """Give the sum of a tensor over all ranks; every rank must call it."""
        if self.size > 1:
            dist.all_reduce(value)
        return value


def this_world(device: str = "auto") -> World:
    """Give the world that the environment describes (RANK, WORLD_SIZE, LOCAL_RANK), or a world of one.

    Raises:
        ConfigError: the environment names one of them and not the others.
        Unavailable: the device is not there.
    """
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    values = [os.environ.get(name) for name in names]
    if not any(values):
        return World(0, 1, pick_device(device))
    if not all(value is not None and value.isdigit() for value in values):
        told = ", ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))
        raise ConfigError("environment", f"a world half described ({told})", "start with torchrun, or unset all three")
    rank, size, local = (int(value or 0) for value in values)
    chosen = pick_device(device)
    if chosen.type == "cuda":
        chosen = torch.device("cuda", local)
    if size > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    return World(rank, size, chosen)
